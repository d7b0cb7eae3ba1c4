//! The calendar, in UTC milliseconds.

use bitmax::Date;

/// A time of the calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: u64,
    /// From 1.
    pub(crate) month: u64,
    /// From 1.
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    pub(crate) milli: u64,
}

impl Moment {
    /// The time so many milliseconds after 1970-01-01.
    pub(crate) fn of(millis: u64) -> Self {
        let left = millis % 86_400_000;
        // Years begin in March here, so that the leap day is their last.
        let days = millis / 86_400_000 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (march_based, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self {
            year: year + era * 400 + next_year,
            month: march_based,
            day: day - (153 * month + 2) / 5 + 1,
            hour: left / 3_600_000,
            minute: left / 60_000 % 60,
            second: left / 1000 % 60,
            milli: left % 1000,
        }
    }
}

/// UTC milliseconds as a date and time: `2021-04-17 10:20:30.123`.
pub(crate) fn time(millis: u64) -> String {
    let Moment { year, month, day, hour, minute, second, milli } = Moment::of(millis);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// The time of the day, UTC: `10:20:30.123`.
pub(crate) fn clock(millis: u64) -> String {
    let Moment { hour, minute, second, milli, .. } = Moment::of(millis);
    format!("{hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// To the minute: `2021-04-17 10:20`.
pub(crate) fn minute(millis: u64) -> String {
    let Moment { year, month, day, hour, minute, .. } = Moment::of(millis);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// When a day begins, UTC milliseconds. Days before 1970 begin with it.
pub(crate) fn start_of(day: Date) -> u64 {
    // cannot fail: a date is four, two and two digits
    let mut parts = day.as_str().split('-').map(|part| part.parse::<u64>().unwrap_or_default());
    let (year, month, day) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    days.saturating_sub(719_469) * 86_400_000
}
