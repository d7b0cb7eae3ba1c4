//! A part of the terminal that is drawn again and again in its place.

use std::io::{self, IsTerminal, Write};

use bitmax::Decimal;
use console::{Style, Term};

/// How text stands out. Colours only on a terminal, and not where `NO_COLOR` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    /// Bids, gains.
    Good,
    /// Asks, losses.
    Bad,
}

/// A line of text in several tones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    parts: Vec<(Tone, String)>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// More text on the same line.
    pub(crate) fn then(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.parts.push((tone, text.into()));
        self
    }

    /// What it is made of.
    pub(crate) fn parts(&self) -> &[(Tone, String)] {
        &self.parts
    }

    /// How many columns it takes.
    pub(crate) fn width(&self) -> usize {
        self.parts.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Text that ends at column `width`, if there is room for it.
    pub(crate) fn flush_right(self, tone: Tone, text: &str, width: usize) -> Self {
        match width.checked_sub(self.width() + text.chars().count()) {
            Some(gap) if gap > 1 => self.then(Tone::Plain, " ".repeat(gap)).then(tone, text),
            _ => self,
        }
    }

    /// The text, no wider than this.
    pub(crate) fn show(&self, width: usize) -> String {
        let mut left = width;
        let mut shown = String::new();
        for (tone, text) in &self.parts {
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            let style = match tone {
                Tone::Plain => Style::new(),
                Tone::Strong => Style::new().bold(),
                Tone::Faint => Style::new().dim(),
                Tone::Good => Style::new().green(),
                Tone::Bad => Style::new().red(),
            };
            shown.push_str(&style.apply_to(text).to_string());
        }
        shown
    }
}

/// A bar for a share of one, in eighths of a column; what is more than nothing is seen.
pub(crate) fn bar(share: Decimal, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = share.clamp(Decimal::ZERO, Decimal::ONE);
    let eighths = (share * Decimal::from(8 * width)).ceil();
    let eighths = usize::try_from(eighths).unwrap_or_default();
    "█".repeat(eighths / 8) + PARTS.into_iter().nth(eighths % 8).unwrap_or_default()
}

/// The screen. Where standard output is no terminal, only what was drawn last is written, at the end.
pub(crate) struct Screen {
    term: Option<Term>,
    lines: Vec<Line>,
    /// How many lines are drawn above the cursor.
    drawn: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { term: io::stdout().is_terminal().then(Term::stdout), lines: Vec::new(), drawn: 0 }
    }

    /// Columns and rows that can be drawn on.
    pub(crate) fn size(&self) -> (usize, usize) {
        let size = self.term.as_ref().and_then(Term::size_checked);
        let (rows, columns) = size.unwrap_or((24, 80));
        (usize::from(columns), usize::from(rows).saturating_sub(1))
    }

    /// Draws lines in place of those drawn before; what there is no room for is left out.
    pub(crate) fn draw(&mut self, lines: Vec<Line>) -> io::Result<()> {
        let (width, height) = self.size();
        self.lines = lines;
        if self.term.is_none() {
            return Ok(());
        }
        // At once, so that nothing flickers: up, each line with what is right of it erased, and what is below. The
        // cursor is hidden meanwhile.
        let mut frame = "\x1b[?25l".to_owned();
        if self.drawn > 0 {
            frame.push_str(&format!("\x1b[{}A", self.drawn.min(height)));
        }
        for line in self.lines.iter().take(height) {
            frame.push_str(&format!("\r{}\x1b[K\n", line.show(width)));
        }
        frame.push_str("\x1b[J\x1b[?25h");
        self.drawn = self.lines.len().min(height);
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// Leaves what was drawn last; a terminal has it already.
    pub(crate) fn finish(self) -> io::Result<()> {
        if self.term.is_some() {
            return Ok(());
        }
        let (width, _) = self.size();
        let mut out = io::stdout().lock();
        for line in &self.lines {
            writeln!(out, "{}", line.show(width).trim_end())?;
        }
        out.flush()
    }
}
