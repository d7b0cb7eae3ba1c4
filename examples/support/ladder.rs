//! An order book as a ladder: asks above, bids below, sizes as bars.

use bitmax::model::Level;
use bitmax::{Decimal, OrderBook};

use crate::calendar::time;
use crate::screen::{Line, Tone, bar};

/// Wider bars say nothing more.
const WIDEST: usize = 120;

/// The best levels of a book, so many a side, on so many columns.
pub(crate) fn ladder(book: &OrderBook, levels: usize, width: usize) -> Vec<Line> {
    let width = width.min(WIDEST);
    // The snapshot of the realtime channel has no time.
    let when = book.ts().filter(|ts| *ts > 0).map(time);
    let number = book.seqnum().map(|number| format!("#{number}"));
    let state = [when, number].into_iter().flatten().collect::<Vec<_>>().join("  ");
    let head = Line::new().then(Tone::Strong, book.symbol().to_string()).flush_right(Tone::Faint, &state, width);
    let (Some(bid), Some(ask), true) = (book.best_bid(), book.best_ask(), book.is_live()) else {
        return vec![head, Line::new().then(Tone::Faint, format!("no book: {:?}", book.status()))];
    };

    let (bids, asks) = (Side::of(book.bids().take(levels)), Side::of(book.asks().take(levels)));
    let columns = Columns::of([&bids, &asks], width);
    let mut lines = vec![head, columns.head()];
    lines.extend(asks.rows.iter().rev().map(|row| columns.line(row, Tone::Bad)));
    let spread = ask.price - bid.price;
    let points = (spread * Decimal::from(10_000) / bid.price.max(Decimal::new(1, 12))).round_dp(2);
    let middle = format!("{:>1$}  spread {spread}, {points} bp", columns.mid(bid, ask), columns.price);
    lines.push(Line::new().then(Tone::Strong, middle));
    lines.extend(bids.rows.iter().map(|row| columns.line(row, Tone::Good)));
    lines
}

/// One side, from the best level on.
struct Side {
    rows: Vec<Row>,
}

struct Row {
    level: Level,
    /// Of this level and all better ones.
    total: Decimal,
}

impl Side {
    fn of(levels: impl Iterator<Item = Level>) -> Self {
        let mut total = Decimal::ZERO;
        let rows = levels.map(|level| {
            total += level.size;
            Row { level, total }
        });
        Self { rows: rows.collect() }
    }
}

/// How wide the columns are, and how many digits after the point they show.
struct Columns {
    price: usize,
    price_scale: usize,
    size: usize,
    total: usize,
    size_scale: usize,
    bar: usize,
    /// What the longest bar stands for.
    largest: Decimal,
}

const GAP: usize = 2;

impl Columns {
    fn of(sides: [&Side; 2], width: usize) -> Self {
        let rows = || sides.iter().flat_map(|side| side.rows.iter());
        let most = |figure: fn(&Row) -> Decimal| rows().map(figure).max().unwrap_or_default();
        let scale = |figure: fn(&Row) -> Decimal| {
            rows().map(|row| figure(row).normalize().scale()).max().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
        };
        let (price_scale, size_scale) = (scale(|row| row.level.price), scale(|row| row.level.size));
        let figures = |value: Decimal, scale: usize, name: &str| format!("{value:.scale$}").len().max(name.len());
        let price = figures(most(|row| row.level.price), price_scale, "price");
        let size = figures(most(|row| row.level.size), size_scale, "size");
        let total = figures(most(|row| row.total), size_scale, "total");
        let bar = width.saturating_sub(price + size + total + 3 * GAP);
        Self { price, price_scale, size, total, size_scale, bar, largest: most(|row| row.level.size) }
    }

    fn head(&self) -> Line {
        let Self { price, size, total, .. } = *self;
        Line::new().then(Tone::Faint, format!("{:>price$}  {:>size$}  {:>total$}", "price", "size", "total"))
    }

    fn line(&self, row: &Row, tone: Tone) -> Line {
        let Self { price, price_scale, size, total, size_scale, .. } = *self;
        let share = row.level.size / self.largest.max(Decimal::new(1, 12));
        Line::new()
            .then(tone, format!("{:>price$.price_scale$}", row.level.price))
            .then(Tone::Plain, format!("  {:>size$.size_scale$}", row.level.size))
            .then(Tone::Faint, format!("  {:>total$.size_scale$}  ", row.total))
            .then(tone, bar(share, self.bar))
    }

    /// Half-way between the best bid and the best ask, with as many digits as they have.
    fn mid(&self, bid: Level, ask: Level) -> String {
        format!("{:.1$}", (bid.price + ask.price) / Decimal::TWO, self.price_scale)
    }
}
