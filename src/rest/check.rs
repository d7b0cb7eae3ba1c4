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

#[cfg(test)]
mod tests {
    use super::*;

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
