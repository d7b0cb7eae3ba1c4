//! One side of a book: sorted, contiguous, prices in ticks.

use rust_decimal::Decimal;

use crate::model::Level;

/// One side, the best level last: what changes most is where little has to move.
#[derive(Debug, Clone, Default)]
pub(super) struct Side<const ASKS: bool> {
    /// By key, rising. A level that goes stays with size zero, for it often comes again and there is less to move;
    /// but the last is always there.
    levels: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    size: Decimal,
}

impl<const ASKS: bool> Side<ASKS> {
    /// Ticks to key and back: the greater the better, so of asks the complement.
    fn key(ticks: u64) -> u64 {
        if ASKS { !ticks } else { ticks }
    }

    fn level(entry: &Entry, scale: u32) -> Level {
        Level { price: price(Self::key(entry.key), scale), size: entry.size }
    }

    pub(super) fn clear(&mut self) {
        self.levels.clear();
    }

    #[inline]
    pub(super) fn best_ticks(&self) -> Option<u64> {
        self.levels.last().map(|entry| Self::key(entry.key))
    }

    #[inline]
    pub(super) fn best(&self, scale: u32) -> Option<Level> {
        self.levels.last().map(|entry| Self::level(entry, scale))
    }

    pub(super) fn iter(&self, scale: u32) -> impl DoubleEndedIterator<Item = Level> + '_ {
        self.levels.iter().rev().filter(|entry| !entry.size.is_zero()).map(move |entry| Self::level(entry, scale))
    }

    /// Sets a level; size zero: there is none any more.
    #[inline]
    pub(super) fn set(&mut self, ticks: u64, size: &Decimal) {
        let key = Self::key(ticks);
        let at = self.place(key);
        match self.levels.get_mut(at) {
            Some(entry) if entry.key == key => {
                entry.size = *size;
                while self.levels.pop_if(|last| last.size.is_zero()).is_some() {}
            }
            _ if !size.is_zero() => self.insert(at, Entry { key, size: *size }),
            _ => {}
        }
    }

    /// Makes room from levels of size zero before it asks for more.
    #[cold]
    fn insert(&mut self, mut at: usize, entry: Entry) {
        let room = self.levels.capacity();
        if self.levels.len() == room {
            self.levels.retain(|entry| !entry.size.is_zero());
            self.levels.reserve(room / 4);
            at = self.place(entry.key);
        }
        self.levels.insert(at, entry);
    }

    /// Where a key is or belongs. Looks near the top first.
    #[inline]
    fn place(&self, key: u64) -> usize {
        const NEAR: usize = 16;
        let better = self.levels.iter().rev().take(NEAR).take_while(|entry| entry.key >= key).count();
        match better {
            NEAR => self.levels.partition_point(|entry| entry.key < key),
            _ => self.levels.len() - better,
        }
    }

    /// Sets all levels of an empty side at once. Of two of one price the later counts. The error is the level
    /// that 64 bits do not hold.
    pub(super) fn fill(&mut self, levels: &[Level], scale: u32) -> Result<(), Level> {
        for level in levels {
            let price = &level.price;
            let ticks = ticks(price, scale).or_else(|| ticks(&price.normalize(), scale)).ok_or(*level)?;
            self.levels.push(Entry { key: Self::key(ticks), size: level.size });
        }
        self.levels.sort_by_key(|entry| entry.key);
        self.levels.dedup_by(|later, earlier| {
            let same = later.key == earlier.key;
            if same {
                earlier.size = later.size;
            }
            same
        });
        self.levels.retain(|entry| !entry.size.is_zero());
        Ok(())
    }

    /// Makes ticks finer by a factor. `None` when one does not fit any more.
    pub(super) fn rescale(&mut self, factor: u64) -> Option<()> {
        for entry in &mut self.levels {
            entry.key = Self::key(Self::key(entry.key).checked_mul(factor)?);
        }
        Some(())
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
