//! Where in a JSON text a byte stands, told as a path: `data[1].price`.

/// The longest path that is told, in bytes.
const MAX: usize = 160;

/// What encloses a place.
enum Within<'a> {
    /// An object, and the name of the field; none before the first.
    Object(Option<&'a str>),
    /// A list, and which element.
    List(usize),
}

/// The path to the byte at this offset. Of a text that is no JSON, whatever it looks like as far as it goes.
pub(crate) fn at(text: &str, offset: usize) -> String {
    let mut within = Vec::new();
    let mut rest = text.get(..offset).unwrap_or(text);
    let mut name_next = false;
    while let Some(first) = rest.bytes().next() {
        let mut used = 1;
        match first {
            b'{' => within.push(Within::Object(None)),
            b'[' => within.push(Within::List(0)),
            b'}' | b']' => drop(within.pop()),
            b',' => {
                if let Some(Within::List(index)) = within.last_mut() {
                    *index += 1;
                }
            }
            b'"' => {
                let (string, length) = string(rest);
                if let (true, Some(Within::Object(name))) = (name_next, within.last_mut()) {
                    *name = Some(string);
                }
                used = length;
            }
            _ => {}
        }
        if !first.is_ascii_whitespace() {
            name_next = matches!(first, b'{' | b',') && matches!(within.last(), Some(Within::Object(_)));
        }
        // Not within a character: what is skipped is ASCII or a whole string.
        rest = rest.get(used..).or_else(|| rest.get(rest.chars().next()?.len_utf8()..)).unwrap_or_default();
    }

    let mut path = String::new();
    for place in within {
        match place {
            Within::Object(Some(name)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.extend(name.escape_debug());
            }
            Within::Object(None) => {}
            Within::List(index) => path.push_str(&format!("[{index}]")),
        }
        if path.len() > MAX {
            return super::start_of(path.as_bytes(), MAX) + "…";
        }
    }
    path
}

/// The inside of the string at the start of a text, and its length with quotes.
fn string(text: &str) -> (&str, usize) {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    });
    match end {
        Some(length) => (text.get(1..=length).unwrap_or_default(), length + 2),
        None => (text.get(1..).unwrap_or_default(), text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The path to what follows the `@`.
    fn path(marked: &str) -> String {
        let (before, after) = marked.split_once('@').unwrap();
        at(&format!("{before}{after}"), before.len())
    }

    #[test]
    fn every_place_has_its_path() {
        for (marked, wanted) in [
            (r#"@{"code":0}"#, ""),
            (r#"{"code":@0}"#, "code"),
            (r#"{"code":0, "data":[{"a":@"}]"}]}"#, "data[0].a"),
            (r#"{"data":[{"a":"}]\",x",@"b":1}]}"#, "data[0].a"),
            (r#"{"data":[{"a":"}]\",x","b":@1}]}"#, "data[0].b"),
            (r#"{"data":[{"b":[1,@2]}]}"#, "data[0].b[1]"),
            (r#"{"data":[{"b":[1,2]}@,{}]}"#, "data[0]"),
            (r#"{"data":[{"b":[1,2]},{"é" : {"c":@null}}]}"#, "data[1].é.c"),
            (r#"{"data":[1,2]@,"z":1}"#, "data"),
            (r#"{"data":[1,2],"z":@1}"#, "z"),
            (r#"[[],{"a":"b"},@x"#, "[2]"),
            (r#"{"cut@"#, "cut"),
        ] {
            assert_eq!(path(marked), wanted, "{marked}");
        }
        assert!(at(&format!("{{\"{}\":1", "x".repeat(1000)), usize::MAX).len() < 200);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]{}:,\"\\\\a é]*", offset in 0usize..40) {
            let _ = at(&text, offset);
        }
    }
}
