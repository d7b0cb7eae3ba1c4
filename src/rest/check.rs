//! Checks that calls of several groups share, made before anything is sent.

use crate::error::InvalidInput;

/// A page, a page size or a limit: from 1 to what the exchange takes.
pub(super) fn page(field: &'static str, value: Option<u32>, max: u32) -> Result<(), InvalidInput> {
    match value {
        Some(0) if max == u32::MAX => Err(InvalidInput::new(field, "0 is not from 1")),
        Some(n) if n == 0 || n > max => Err(InvalidInput::new(field, format!("{n} is not from 1 to {max}"))),
        _ => Ok(()),
    }
}

/// A range of times does not end before it starts.
pub(super) fn order_of_times(start: Option<u64>, end: Option<u64>) -> Result<(), InvalidInput> {
    match (start, end) {
        (Some(start), Some(end)) if end < start => {
            Err(InvalidInput::new("endTime", format!("{end} is before the start, {start}")))
        }
        _ => Ok(()),
    }
}

/// An id or a name: one word.
pub(super) fn visible<'a>(field: &'static str, text: &'a str) -> Result<&'a str, InvalidInput> {
    match !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        true => Ok(text),
        false => Err(InvalidInput::new(field, format!("{text:?} is empty or not one word"))),
    }
}

/// A day as `YYYY-mm-dd` that is in the calendar.
pub(super) fn date(field: &'static str, text: &str) -> Result<(), InvalidInput> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let parts = text.split('-').map(number).collect::<Option<Vec<u32>>>();
    let exists = match parts.as_deref() {
        Some([year, month, day]) if text.len() == "YYYY-mm-dd".len() && text.as_bytes().get(4) == Some(&b'-') => {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
                4 | 6 | 9 | 11 => 30,
                2 if leap => 29,
                2 => 28,
                _ => 0,
            };
            text.as_bytes().get(7) == Some(&b'-') && (1..=days).contains(day)
        }
        _ => false,
    };
    match exists {
        true => Ok(()),
        false => Err(InvalidInput::new(field, format!("{text:?} is no day as YYYY-mm-dd"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_in_the_calendar() {
        for good in ["2021-03-31", "2020-02-29", "2000-02-29", "1999-12-01"] {
            assert!(date("date", good).is_ok(), "{good}");
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
            assert_eq!(date("date", bad).unwrap_err().field(), "date", "{bad}");
        }
    }

    #[test]
    fn pages_and_words() {
        assert!(
            page("n", None, 5).is_ok() && page("n", Some(5), 5).is_ok() && page("n", Some(u32::MAX), u32::MAX).is_ok()
        );
        for (n, max) in [(0, 5), (6, 5), (0, u32::MAX)] {
            assert_eq!(page("n", Some(n), max).unwrap_err().field(), "n");
        }
        assert!(visible("x", "Käse-1").is_ok());
        for bad in ["", " ", "a b", "a\n", "\0"] {
            assert!(visible("x", bad).is_err(), "{bad:?}");
        }
    }
}
