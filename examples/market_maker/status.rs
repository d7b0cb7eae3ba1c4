//! The status screen and the final report.

use std::time::Duration;

use bitmax::model::Side;
use bitmax::{Decimal, Stopped};

use crate::calendar::Moment;
use crate::maker::Maker;
use crate::screen::{Line, Tone};
use crate::tally::{Fill, Tally};

/// Wider lines say nothing more.
const WIDEST: usize = 120;
const NAME: usize = 10;

/// The course of the profit, and what the screen says of it all.
pub(crate) struct Status {
    pub(crate) seconds: u64,
    pub(crate) max_loss: Decimal,
    /// The profit at each second or so, oldest first.
    pub(crate) course: Vec<Decimal>,
}

impl Status {
    pub(crate) fn lines(&self, maker: &Maker, ran: Duration, width: usize) -> Vec<Line> {
        let width = width.min(WIDEST);
        let (tally, mid) = (&maker.tally, maker.mid);
        let (profit, quote) = (tally.profit(mid), maker.symbol.quote().unwrap_or_default());
        let clock = format!("{} of {} s", ran.as_secs().min(self.seconds), self.seconds);
        let [bid, ask] = [Side::Buy, Side::Sell].map(|side| match maker.resting(side).next() {
            Some(order) => {
                let open = order.order_qty.unwrap_or_default() - order.cum_filled_qty;
                format!("{} × {}", order.price.unwrap_or_default(), open.normalize())
            }
            None => "-".to_owned(),
        });
        let position = format!("{:+} {}", tally.position().normalize(), maker.symbol.base());
        let gauge = gauge(tally.position() / maker.quoting.max_position, 21);
        let worst = format!("drawdown {:.2} of at most {:.2} lost", tally.drawdown, self.max_loss.normalize());
        let counts = &maker.counts;
        let orders = format!(
            "{} placed, {} cancelled, {} rejected, {} outages",
            counts.placed, counts.cancelled, counts.rejected, counts.outages
        );
        let mut lines = vec![
            Line::new().then(Tone::Strong, format!("market maker  {}", maker.symbol)).flush_right(
                Tone::Faint,
                &clock,
                width,
            ),
            named("middle").then(Tone::Plain, mid.normalize().to_string()),
            named("ask").then(Tone::Bad, ask),
            named("bid").then(Tone::Good, bid),
            named("position").then(Tone::Plain, format!("{position:<18}")).then(Tone::Faint, gauge),
            named("profit")
                .then(tone(profit), format!("{:<18}", format!("{profit:+.2} {quote}")))
                .then(Tone::Faint, worst),
            named("").then(Tone::Plain, course(&self.course, width.saturating_sub(NAME))),
            named("fills").then(Tone::Plain, fills(tally)),
            named("orders").then(Tone::Plain, orders),
        ];
        lines.extend(maker.fills.iter().rev().take(5).map(fill));
        lines
    }

    /// What is said in the end.
    pub(crate) fn report(&self, maker: &Maker, ran: Duration, why: &str, stopped: &Stopped) -> String {
        let Maker { symbol, tally, counts, mid, .. } = maker;
        let (position, profit) = (tally.position(), tally.profit(*mid));
        let quote = symbol.quote().unwrap_or_default();
        let side = |name: &str, traded: &crate::tally::Traded| match traded.average() {
            Some(average) => format!("{name} {} {} at {average:.2}", traded.size.normalize(), symbol.base()),
            None => format!("{name} nothing"),
        };
        [
            format!("\n{symbol} for {:.1} s, until {why}", ran.as_secs_f64()),
            format!("fills     {}", fills(tally)),
            format!("          {}, {}", side("bought", &tally.bought), side("sold", &tally.sold)),
            format!("fees      {:.4} {quote}", tally.fees),
            format!("position  {:+} {}, worth {:+.2} {quote}", position.normalize(), symbol.base(), position * mid),
            format!("profit    {profit:+.2} {quote}; highest {:.2}, drawdown {:.2}", tally.highest, tally.drawdown),
            format!("orders    {} placed, {} cancelled, {} rejected", counts.placed, counts.cancelled, counts.rejected),
            match stopped.is_clean() {
                true => "left open 0".to_owned(),
                false => format!("left open {stopped}"),
            },
        ]
        .join("\n")
    }
}

fn named(name: &str) -> Line {
    Line::new().then(Tone::Faint, format!("{name:<NAME$}"))
}

fn tone(figure: Decimal) -> Tone {
    if figure < Decimal::ZERO { Tone::Bad } else { Tone::Good }
}

fn fills(tally: &Tally) -> String {
    let (bought, sold) = (&tally.bought, &tally.sold);
    let volume = bought.notional + sold.notional;
    format!("{}: {} bought, {} sold; turnover {volume:.2}", bought.fills + sold.fills, bought.fills, sold.fills)
}

fn fill(fill: &Fill) -> Line {
    let Moment { hour, minute, second, .. } = Moment::of(fill.ts);
    let (tone, verb) = if fill.side == Side::Buy { (Tone::Good, "bought") } else { (Tone::Bad, "sold") };
    named("")
        .then(Tone::Faint, format!("{hour:02}:{minute:02}:{second:02}  "))
        .then(tone, format!("{verb:<6} "))
        .then(Tone::Plain, format!("{} at {:.2}", fill.size.normalize(), fill.price))
}

/// Where between the greatest positions it is: `──────┼──●───`.
fn gauge(share: Decimal, width: usize) -> String {
    let middle = width / 2;
    let at = (share.clamp(Decimal::NEGATIVE_ONE, Decimal::ONE) + Decimal::ONE) * Decimal::from(middle);
    let at = usize::try_from(at.round()).unwrap_or(middle);
    let mark = |column: usize| match column {
        _ if column == at => '●',
        _ if column == middle => '┼',
        _ => '─',
    };
    (0..width).map(mark).collect()
}

/// The course of figures on so many columns, its end where there are more: `▁▂▄▆█`.
fn course(figures: &[Decimal], width: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = figures.get(figures.len().saturating_sub(width)..).unwrap_or_default();
    let (least, most) = (shown.iter().min().copied(), shown.iter().max().copied());
    let (Some(least), Some(most)) = (least, most) else { return String::new() };
    let span = (most - least).max(Decimal::new(1, 8));
    let height = |figure: &Decimal| {
        let height = usize::try_from(((figure - least) / span * Decimal::from(7)).round()).unwrap_or_default();
        HEIGHTS.into_iter().nth(height).unwrap_or('█')
    };
    shown.iter().map(height).collect()
}
