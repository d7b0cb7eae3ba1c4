//! Days of the calendar.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::InvalidInput;
use crate::symbol::name;
use crate::text::Text;

name! {
    /// A day of the calendar, UTC, as `YYYY-mm-dd`. `Copy`.
    ///
    /// ```
    /// use bitmax::Date;
    /// assert!(Date::new("2020-02-29").is_ok());
    /// assert!(Date::new("2021-02-29").is_err());
    /// ```
    Date, 10, "date", is_day, "a day as YYYY-mm-dd"
}

fn is_day(text: &str) -> bool {
    let part = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<u32>().ok()
    };
    let hyphens = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let (Some(year), Some(month), Some(day), true) = (part(0, 4), part(5, 7), part(8, 10), hyphens) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    text.len() == 10 && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_in_the_calendar() {
        for good in ["2021-03-31", "2020-02-29", "2000-02-29", "1999-12-01"] {
            assert!(Date::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "today",
            "2021-02-29",
            "1900-02-29",
            "2021-04-31",
            "2021-13-01",
            "2021-00-10",
            "2021-01-00",
            "2021-1-1",
            "21-01-01",
            "20210-1-01",
            "2021/01/01",
            "2021-01-01T00",
            "+021-01-01",
            "2021-01-1 ",
            "２０２１-01-01",
            "-----01-01",
        ] {
            assert_eq!(Date::new(bad).unwrap_err().field(), "date", "{bad}");
        }
    }
}
