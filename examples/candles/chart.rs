//! A candlestick chart with volume, as SVG. Everything is reckoned in decimals: what is drawn is what was read.

use std::fmt::Write;

use bitmax::model::{Bar, BarInterval};
use bitmax::{Decimal, Symbol};

use crate::calendar::{Moment, minute};

// Where things are, in pixels.
const WIDTH: u32 = 960;
const HEIGHT: u32 = 524;
const LEFT: u32 = 24;
const RIGHT: u32 = WIDTH - 84;
const PRICES: (u32, u32) = (72, 376);
const VOLUMES: (u32, u32) = (400, 488);

// Colours of middle brightness, for light pages and dark ones.
const INK: &str = "#7b8794";
const UP: &str = "#3f9c8a";
const DOWN: &str = "#c9655f";

/// Draws bars, oldest first.
pub(crate) fn svg(symbol: Symbol, interval: &BarInterval, bars: &[Bar]) -> String {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return String::new() };
    let low = bars.iter().map(|bar| bar.low).min().unwrap_or_default();
    let high = bars.iter().map(|bar| bar.high).max().unwrap_or_default();
    let prices = Scale::new(low, high, PRICES);
    let volumes = Scale { low: Decimal::ZERO, ..Scale::new(Decimal::ZERO, largest_volume(bars), VOLUMES) };
    let across = Across { slot: Decimal::from(RIGHT - LEFT) / Decimal::from(bars.len()) };

    let change = (last.close - first.open) * Decimal::ONE_HUNDRED / first.open.max(Decimal::new(1, 12));
    let range = format!("{} – {} UTC", minute(first.ts), minute(last.ts));
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="{INK}">
<title>{symbol}, {length}, {range}</title>
<text x="{LEFT}" y="32" font-size="20" font-weight="600">{symbol} <tspan font-weight="400">{length}</tspan></text>
<text x="{LEFT}" y="52">{range}</text>
<text x="{RIGHT}" y="32" font-size="20" text-anchor="end" fill="{colour}">{close} <tspan font-size="14">{change:+.2} %</tspan></text>
"#,
        length = length(interval),
        colour = if change.is_sign_negative() { DOWN } else { UP },
        close = last.close,
    );
    axes(&mut svg, &prices, &volumes, last.close);
    times(&mut svg, bars, &across);
    candles(&mut svg, bars, &across, &prices, &volumes);
    last_price(&mut svg, &prices, last);
    svg.push_str("</svg>\n");
    svg
}

fn largest_volume(bars: &[Bar]) -> Decimal {
    bars.iter().map(|bar| bar.volume).max().unwrap_or_default()
}

/// Lines at round prices and volumes, with their figures on the right.
fn axes(svg: &mut String, prices: &Scale, volumes: &Scale, last: Decimal) {
    let mut line = |y: Decimal, text: Option<String>| {
        push(svg, format_args!(r#"<path d="M{LEFT} {y}H{RIGHT}" stroke="{INK}" stroke-opacity=".22"/>"#));
        if let Some(text) = text {
            push(svg, format_args!(r#"<text x="{}" y="{}">{text}</text>"#, RIGHT + 8, y + Decimal::from(4)));
        }
    };
    let step = round_step((prices.high - prices.low) / Decimal::from(6));
    let mut price = (prices.low / step).ceil() * step;
    while price <= prices.high {
        // The last price has its figure there.
        let free = (prices.y(price) - prices.y(last)).abs() > Decimal::from(14);
        line(prices.y(price), free.then(|| format!("{price:.*}", scale_of(step))));
        price += step;
    }
    line(volumes.y(Decimal::ZERO), None);
    let step = round_step(volumes.high / Decimal::from(3));
    let mut volume = step;
    while volume <= volumes.high {
        line(volumes.y(volume), Some(short(volume)));
        volume += step;
    }
    push(svg, format_args!(r#"<text x="{LEFT}" y="{}" font-size="11">volume</text>"#, VOLUMES.0 - 4));
}

/// Lines at round times, with their dates or hours below.
fn times(svg: &mut String, bars: &[Bar], across: &Across) {
    let step = STEPS.into_iter().find(|step| step.starts(bars).count() <= 9).unwrap_or(Step::Months(120));
    for (n, bar) in step.starts(bars) {
        let x = across.middle(n);
        if !(Decimal::from(LEFT + 20)..=Decimal::from(RIGHT - 20)).contains(&x) {
            continue;
        }
        let (top, bottom) = (PRICES.0, VOLUMES.1);
        push(svg, format_args!(r#"<path d="M{x} {top}V{bottom}" stroke="{INK}" stroke-opacity=".12"/>"#));
        let (text, weight) = step.label(bar.ts);
        let y = VOLUMES.1 + 20;
        push(svg, format_args!(r#"<text x="{x}" y="{y}" text-anchor="middle" font-weight="{weight}">{text}</text>"#));
    }
}

/// All candles of a colour are one path of wicks and one of bodies, and so are the volumes.
fn candles(svg: &mut String, bars: &[Bar], across: &Across, prices: &Scale, volumes: &Scale) {
    let width = (across.slot * Decimal::new(68, 2)).min(Decimal::from(22)).round_dp(1).max(Decimal::ONE);
    for (colour, rising) in [(UP, true), (DOWN, false)] {
        let (mut wicks, mut bodies, mut columns) = (String::new(), String::new(), String::new());
        for (n, bar) in bars.iter().enumerate().filter(|(_, bar)| (bar.close >= bar.open) == rising) {
            let x = across.middle(n);
            push(&mut wicks, format_args!("M{x} {}V{}", prices.y(bar.high), prices.y(bar.low)));
            let left = x - width / Decimal::TWO;
            let top = prices.y(bar.open.max(bar.close));
            let height = (prices.y(bar.open.min(bar.close)) - top).max(Decimal::ONE);
            push(&mut bodies, format_args!("M{left} {top}h{width}v{height}h-{width}z"));
            push(&mut columns, format_args!("M{left} {}V{}h{width}V{0}z", VOLUMES.1, volumes.y(bar.volume)));
        }
        push(svg, format_args!(r#"<path d="{}" stroke="{colour}" fill="none"/>"#, wicks.trim_end()));
        push(svg, format_args!(r#"<path d="{}" fill="{colour}"/>"#, bodies.trim_end()));
        push(svg, format_args!(r#"<path d="{}" fill="{colour}" fill-opacity=".5"/>"#, columns.trim_end()));
    }
}

/// A dashed line at the last price, with its figure on a plate.
fn last_price(svg: &mut String, prices: &Scale, last: &Bar) {
    let colour = if last.close >= last.open { UP } else { DOWN };
    let y = prices.y(last.close);
    push(svg, format_args!(r#"<path d="M{LEFT} {y}H{RIGHT}" stroke="{colour}" stroke-dasharray="2 3"/>"#));
    let (x, top, below) = (RIGHT + 2, y - Decimal::from(9), y + Decimal::from(4));
    push(svg, format_args!(r#"<rect x="{x}" y="{top}" width="78" height="18" rx="3" fill="{colour}"/>"#));
    push(svg, format_args!(r##"<text x="{}" y="{below}" fill="#fff">{}</text>"##, x + 6, last.close));
}

/// A line of text.
fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // cannot fail: a string takes everything
    writeln!(text, "{line}").unwrap_or_default();
}

/// Where a figure is between top and bottom.
struct Scale {
    low: Decimal,
    high: Decimal,
    top: Decimal,
    bottom: Decimal,
}

impl Scale {
    /// With a little air above and below.
    fn new(low: Decimal, high: Decimal, (top, bottom): (u32, u32)) -> Self {
        let air = ((high - low) * Decimal::new(4, 2)).max(Decimal::new(1, 8));
        Self { low: low - air, high: high + air, top: top.into(), bottom: bottom.into() }
    }

    fn y(&self, value: Decimal) -> Decimal {
        let share = (self.high - value) / (self.high - self.low);
        (self.top + share * (self.bottom - self.top)).round_dp(1)
    }
}

/// Where a bar is from left to right.
struct Across {
    slot: Decimal,
}

impl Across {
    fn middle(&self, n: usize) -> Decimal {
        (Decimal::from(LEFT) + self.slot * (Decimal::from(n) + Decimal::new(5, 1))).round_dp(1)
    }
}

/// The least of 1, 2, 5 times a power of ten that is not less.
fn round_step(least: Decimal) -> Decimal {
    let mut power = Decimal::ONE;
    while power > least {
        power /= Decimal::TEN;
    }
    while power * Decimal::TEN <= least {
        power *= Decimal::TEN;
    }
    let mut steps = [1, 2, 5, 10].map(|times| power * Decimal::from(times)).into_iter();
    steps.find(|step| *step >= least).unwrap_or(power).normalize()
}

/// Digits after the point.
fn scale_of(step: Decimal) -> usize {
    usize::try_from(step.scale()).unwrap_or_default()
}

/// A round volume: `1.5K`, `20M`.
fn short(volume: Decimal) -> String {
    let units = [(1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")];
    match units.into_iter().find(|(unit, _)| volume >= Decimal::from(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", (volume / Decimal::from(unit)).normalize()),
        None => volume.normalize().to_string(),
    }
}

fn length(interval: &BarInterval) -> String {
    match interval {
        BarInterval::Month1 => "1 month".to_owned(),
        BarInterval::Week1 => "1 week".to_owned(),
        BarInterval::Day1 => "1 day".to_owned(),
        other => match other.millis().map(|millis| millis / 60_000) {
            Some(minutes) if minutes % 60 == 0 => format!("{} h", minutes / 60),
            Some(minutes) => format!("{minutes} min"),
            None => other.to_string(),
        },
    }
}

/// How far apart the marks of the time axis are.
#[derive(Clone, Copy)]
enum Step {
    Minutes(u64),
    Months(u64),
}

const STEPS: [Step; 17] = [
    Step::Minutes(5),
    Step::Minutes(15),
    Step::Minutes(30),
    Step::Minutes(60),
    Step::Minutes(120),
    Step::Minutes(240),
    Step::Minutes(360),
    Step::Minutes(720),
    Step::Minutes(1440),
    Step::Minutes(2 * 1440),
    Step::Minutes(7 * 1440),
    Step::Minutes(14 * 1440),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(60),
];

impl Step {
    /// The bars with which one of these begins.
    fn starts(self, bars: &[Bar]) -> impl Iterator<Item = (usize, &Bar)> {
        let number = move |bar: &Bar| match self {
            // The epoch began on a Thursday; weeks do on Monday.
            Self::Minutes(minutes) => (bar.ts / 60_000 + 3 * 1440) / minutes,
            Self::Months(months) => {
                let moment = Moment::of(bar.ts);
                (moment.year * 12 + moment.month - 1) / months
            }
        };
        let pairs = bars.iter().zip(bars.iter().skip(1)).enumerate();
        pairs.filter(move |(_, (before, bar))| number(before) != number(bar)).map(|(n, (_, bar))| (n + 1, bar))
    }

    /// What is written there, and how heavy.
    fn label(self, ts: u64) -> (String, u32) {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Moment { year, month, day, hour, minute, .. } = Moment::of(ts);
        let name = MONTHS.into_iter().nth(usize::try_from(month).unwrap_or(1) - 1).unwrap_or_default();
        match self {
            Self::Months(_) if month == 1 => (year.to_string(), 600),
            Self::Months(_) => (name.to_owned(), 400),
            Self::Minutes(minutes) if minutes < 1440 && (hour, minute) != (0, 0) => {
                (format!("{hour:02}:{minute:02}"), 400)
            }
            Self::Minutes(minutes) => (format!("{day} {name}"), if minutes < 1440 { 600 } else { 400 }),
        }
    }
}
