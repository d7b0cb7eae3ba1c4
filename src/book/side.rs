//! One side of a book: sorted, contiguous, prices in ticks.

use rust_decimal::Decimal;

use super::levels::Levels;
use crate::model::Level;

/// One side, the best level last: what changes most is where little has to move.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// What makes a key of ticks, and ticks of a key, by exclusive or: of bids nothing, of asks all bits.
    flip: u64,
    /// By key, rising. A level that goes stays with size zero, for it often comes again and there is less to move.
    entries: Vec<Entry>,
    /// How many of them there are up to the best level: of those after it none is there.
    top: usize,
    /// Levels wanted at least; twice as many make room.
    bound: usize,
    /// Of what is worse than this key nothing is known: there was no room for it. 0: all is known.
    horizon: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The greater the better.
    pub(super) key: u64,
    pub(super) size: Decimal,
}

impl Side {
    pub(super) fn new(asks: bool, bound: usize) -> Self {
        Self { flip: if asks { u64::MAX } else { 0 }, entries: Vec::new(), top: 0, bound, horizon: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.top = 0;
        self.horizon = 0;
    }

    #[inline]
    pub(super) fn best_ticks(&self) -> Option<u64> {
        self.best_entry().map(|entry| entry.key ^ self.flip)
    }

    #[inline]
    pub(super) fn best(&self, scale: u32) -> Option<Level> {
        self.best_entry().map(|entry| entry.level(self.flip, scale))
    }

    #[inline]
    fn best_entry(&self) -> Option<&Entry> {
        self.entries.get(self.top.wrapping_sub(1))
    }

    /// The entries up to the best level.
    fn known(&self) -> &[Entry] {
        self.entries.get(..self.top).unwrap_or_default()
    }

    pub(super) fn levels(&self, scale: u32) -> Levels<'_> {
        Levels { entries: self.known(), flip: self.flip, scale }
    }

    /// Whether nothing is left of what is known, while there may be more.
    pub(super) fn is_exhausted(&self) -> bool {
        self.top == 0 && self.horizon > 0
    }

    /// The best levels, at most so many.
    pub(super) fn top(&self, levels: usize) -> Self {
        let mut entries = Vec::with_capacity(levels.min(self.top));
        entries.extend(self.known().iter().rev().filter(|entry| entry.is_there()).take(levels));
        entries.reverse();
        let mut top = Self { top: entries.len(), entries, ..*self };
        if top.entries.len() == levels {
            top.forget_beyond();
        }
        top
    }

    /// Sets a level; size zero: there is none any more.
    #[inline(always)]
    pub(super) fn set(&mut self, ticks: u64, size: &Decimal) {
        let key = ticks ^ self.flip;
        let at = self.place(key);
        match self.entries.get_mut(at) {
            Some(entry) if entry.key == key => {
                entry.size = *size;
                // What has come may be the best; whether the best has gone is the only thing to be guessed.
                self.top = self.top.max((at + 1) * usize::from(!size.is_zero()));
                if self.best_entry().is_some_and(|best| !best.is_there()) {
                    self.descend();
                }
            }
            _ if !size.is_zero() => self.insert(at, Entry { key, size: *size }),
            _ => {}
        }
    }

    /// The best level has gone.
    #[inline]
    fn descend(&mut self) {
        /// More than so many that are gone are not kept above the best.
        const SPARE: usize = 16;
        self.top = self.known().iter().rposition(Entry::is_there).map_or(0, |at| at + 1);
        if self.entries.len() - self.top > SPARE {
            self.entries.truncate(self.top);
        }
    }

    /// Makes room from levels of size zero before it asks for more.
    #[cold]
    fn insert(&mut self, mut at: usize, entry: Entry) {
        let is_full = self.entries.len() == self.entries.capacity().min(self.bound.saturating_mul(2));
        if is_full && entry.key >= self.horizon {
            self.entries.retain(Entry::is_there);
            if self.entries.len() > self.bound {
                self.keep_best(self.bound);
            }
            self.top = self.entries.len();
            self.entries.reserve_exact((self.entries.len() / 4).max(4));
            at = self.entries.partition_point(|other| other.key < entry.key);
        }
        if entry.key >= self.horizon {
            self.entries.insert(at, entry);
            self.top = self.top.max(at) + 1;
        }
    }

    fn keep_best(&mut self, levels: usize) {
        self.entries.drain(..self.entries.len().saturating_sub(levels));
        self.forget_beyond();
    }

    /// Of what is worse than the levels that are there nothing is known any more.
    fn forget_beyond(&mut self) {
        self.horizon = self.entries.first().map_or(u64::MAX, |worst| self.horizon.max(worst.key));
    }

    /// Where a key is or belongs. Near the top no branch depends on where that is: what is worse is counted, first in
    /// steps of a block, then within one.
    #[inline(always)]
    fn place(&self, key: u64) -> usize {
        const NEAR: usize = 64;
        const BLOCK: usize = 8;
        let worse = |entry: &Entry| usize::from(entry.key < key);
        if let Some(near) = self.entries.last_chunk::<NEAR>()
            && near[0].key < key
        {
            // The first of the first block is worse, and so is the first of the block that is found.
            let (blocks, _) = near.as_chunks::<BLOCK>();
            let block: usize = blocks.iter().skip(1).map(|[first, ..]| worse(first)).sum();
            let within = blocks.get(block).map_or(0, |[_, others @ ..]| others.iter().map(worse).sum());
            self.entries.len() - NEAR + block * BLOCK + 1 + within
        } else {
            self.entries.partition_point(|entry| entry.key < key)
        }
    }

    /// Sets all levels of an empty side at once. Of two of one price the later counts. The error is the level
    /// that 64 bits do not hold.
    pub(super) fn fill(&mut self, levels: &[Level], scale: u32) -> Result<(), Level> {
        for level in levels {
            let price = &level.price;
            let ticks = ticks(price, scale).or_else(|| ticks(&price.normalize(), scale)).ok_or(*level)?;
            self.entries.push(Entry { key: ticks ^ self.flip, size: level.size });
        }
        self.entries.sort_by_key(|entry| entry.key);
        self.entries.dedup_by(|later, earlier| {
            let same = later.key == earlier.key;
            if same {
                earlier.size = later.size;
            }
            same
        });
        self.entries.retain(Entry::is_there);
        let room = self.bound.saturating_mul(2);
        if self.entries.len() > room {
            self.keep_best(room);
        }
        self.entries.shrink_to(room);
        self.top = self.entries.len();
        Ok(())
    }

    /// Makes ticks finer by a factor. `None` when one does not fit any more.
    pub(super) fn rescale(&mut self, factor: u64) -> Option<()> {
        let horizon = (self.horizon > 0).then_some(&mut self.horizon);
        for known in self.entries.iter_mut().map(|entry| &mut entry.key).chain(horizon) {
            *known = (*known ^ self.flip).checked_mul(factor)? ^ self.flip;
        }
        Some(())
    }
}

impl Entry {
    #[inline]
    pub(super) fn is_there(&self) -> bool {
        !self.size.is_zero()
    }

    #[inline]
    pub(super) fn level(&self, flip: u64, scale: u32) -> Level {
        Level { price: price(self.key ^ flip, scale), size: self.size }
    }
}

/// The greatest scale of a book: one less than that of a decimal, so that half a tick can be said.
pub(super) const MAX_SCALE: u32 = Decimal::MAX_SCALE - 1;

/// A price in ticks; `None` when it is finer than a tick, negative, or too great.
#[inline]
pub(super) fn ticks(price: &Decimal, scale: u32) -> Option<u64> {
    let parts = price.unpack();
    if parts.negative || parts.hi != 0 {
        return None;
    }
    let mantissa = u64::from(parts.mid) << 32 | u64::from(parts.lo);
    mantissa.checked_mul(power_of_ten(scale.checked_sub(parts.scale)?)?)
}

/// Ticks as a price.
#[inline]
pub(super) fn price(ticks: u64, scale: u32) -> Decimal {
    Decimal::from_parts(ticks as u32, (ticks >> 32) as u32, 0, false, scale)
}

#[inline]
pub(super) fn power_of_ten(exponent: u32) -> Option<u64> {
    const POWERS: [u64; 20] = [
        1,
        10,
        100,
        1_000,
        10_000,
        100_000,
        1_000_000,
        10_000_000,
        100_000_000,
        1_000_000_000,
        10_000_000_000,
        100_000_000_000,
        1_000_000_000_000,
        10_000_000_000_000,
        100_000_000_000_000,
        1_000_000_000_000_000,
        10_000_000_000_000_000,
        100_000_000_000_000_000,
        1_000_000_000_000_000_000,
        10_000_000_000_000_000_000,
    ];
    POWERS.get(exponent as usize).copied()
}
