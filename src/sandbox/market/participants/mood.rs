//! How lively a product is: quiet times, usual ones, bursts.

use crate::sandbox::market::price::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    /// Half a minute, about.
    Quiet,
    /// Half a minute, about.
    #[default]
    Usual,
    /// Eight seconds, about.
    Burst,
}

impl Mood {
    /// The mood one move, a tenth of a second, later.
    pub(super) fn next(self, random: &mut Random) -> Self {
        match self {
            Self::Quiet if random.one_in(300) => Self::Usual,
            Self::Burst if random.one_in(80) => Self::Usual,
            Self::Usual if random.one_in(700) => Self::Quiet,
            Self::Usual if random.one_in(1000) => Self::Burst,
            same => same,
        }
    }

    /// How many trades there are, in percent; over a long time about a hundred.
    pub(super) fn activity(self) -> u64 {
        match self {
            Self::Quiet => 25,
            Self::Usual => 95,
            Self::Burst => 500,
        }
    }

    /// How far quotes are from the price, in percent.
    pub(super) fn width(self) -> i128 {
        match self {
            Self::Quiet => 80,
            Self::Usual => 100,
            Self::Burst => 250,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mood_comes_and_all_together_make_the_usual() {
        let (mut mood, mut random) = (Mood::default(), Random::new(1));
        let (mut times, mut activity) = ([0; 3], 0);
        for _ in 0..1_000_000 {
            mood = mood.next(&mut random);
            times[mood as usize] += 1;
            activity += mood.activity();
        }
        assert!(times.iter().all(|time| *time > 20_000), "{times:?}");
        assert!((80_000_000..120_000_000).contains(&activity), "{activity}");
    }
}
