//! Whether what a model writes is what was read, in the sense that the client promises.

#![allow(unreachable_pub, reason = "included by several tests")]

use serde_json::Value;

/// Compares a value as read with the value that its model writes.
///
/// Allowed to differ: trailing zeros and notation of decimals, number or string, case and underscores of words, the
/// forms of none (`""`, `"NULL_VAL"`, `null`, missing, `["",""]`), names with an alias, and fields that the reference
/// does not name. `aliases` are pairs of the name read and the name written; `unnamed` are fields that may be
/// left out.
///
/// # Errors
/// The path and the two values that differ.
pub fn same(read: &Value, written: &Value, aliases: &[(&str, &str)], unnamed: &[&str]) -> Result<(), String> {
    compare("", read, written, aliases, unnamed)
}

fn compare(at: &str, a: &Value, b: &Value, aliases: &[(&str, &str)], unnamed: &[&str]) -> Result<(), String> {
    match (a, b) {
        _ if is_none(a) && is_none(b) => Ok(()),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .try_for_each(|(i, (a, b))| compare(&format!("{at}[{i}]"), a, b, aliases, unnamed)),
        (Value::Object(a), Value::Object(b)) => {
            let written_name = |name: &str| {
                let alias = aliases.iter().find(|(read, _)| *read == name);
                alias.map_or(name.to_owned(), |(_, written)| (*written).to_owned())
            };
            for (name, a) in a.iter().filter(|(name, _)| !unnamed.contains(&name.as_str())) {
                let b = b.get(&written_name(name)).unwrap_or(&Value::Null);
                compare(&format!("{at}.{name}"), a, b, aliases, unnamed)?;
            }
            let extra = b.iter().find(|(name, b)| !is_none(b) && !a.keys().any(|read| written_name(read) == **name));
            extra.map_or(Ok(()), |(name, b)| Err(format!("{at}.{name}: {b} was never read")))
        }
        (Value::Bool(a), Value::Bool(b)) if a == b => Ok(()),
        (Value::String(_) | Value::Number(_), Value::String(_) | Value::Number(_)) if scalars(a, b) => Ok(()),
        _ => Err(format!("{at}: {a} was read and {b} written")),
    }
}

fn is_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.as_str(), "" | "NULL_VAL"),
        Value::Array(values) => values.iter().all(is_none),
        _ => false,
    }
}

fn scalars(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (a, b) = (text(a), text(b));
    match (bitmax::parse_decimal(&a), bitmax::parse_decimal(&b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.replace('_', "").eq_ignore_ascii_case(&b.replace('_', "")),
    }
}
