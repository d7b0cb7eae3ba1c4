//! Whatever a server sends is read or refused, never a panic; what was read is read alike when it is written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "support/decoder.rs"]
mod decoder;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| fixtures("ws"));
static ANSWERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| fixtures("rest"));

fn fixtures(dir: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dir);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 30, "{}", paths.len());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A change to some bytes: from where, how many go, and what comes in their place.
#[derive(Debug, Clone)]
struct Edit {
    at: Index,
    cut: Index,
    with: With,
}

#[derive(Debug, Clone)]
enum With {
    Bytes(Vec<u8>),
    /// What stands elsewhere, of at most so many bytes.
    Copy(Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let token = prop_oneof![
        Just("null"),
        Just("\"\""),
        Just("-"),
        Just("e-40"),
        Just("79228162514264337593543950336"),
        Just("18446744073709551616"),
        Just("0.00000000000000000000000000001"),
        Just("[]"),
        Just("{}"),
        Just("[["),
        Just("\\u006d"),
        Just("\\ud800"),
        Just("true"),
        Just("\"m\":\"depth\","),
    ]
    .prop_map(|token| With::Bytes(token.into()));
    let with = prop_oneof![
        2 => token,
        2 => prop::collection::vec(any::<u8>(), 0..4).prop_map(With::Bytes),
        1 => r#"[0-9.eE+\-,:\[\]{}"\\ /a-zA]{0,12}"#.prop_map(|text| With::Bytes(text.into())),
        1 => (any::<Index>(), 0usize..200).prop_map(|(at, len)| With::Copy(at, len)),
    ];
    (any::<Index>(), any::<Index>(), with).prop_map(|(at, cut, with)| Edit { at, cut, with })
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> String {
    for Edit { at, cut, with } in edits {
        let from = at.index(bytes.len() + 1);
        // Mostly little.
        let to = (from + cut.index(24).saturating_sub(8)).min(bytes.len());
        let with = match with {
            With::Bytes(bytes) => bytes.clone(),
            With::Copy(at, len) => bytes.iter().skip(at.index(bytes.len() + 1)).take(*len).copied().collect(),
        };
        bytes.splice(from..to, with);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        decoder::message(&text);
        decoder::models(&text);
    }

    #[test]
    fn any_change_to_a_message_is_survived(sample in any::<Index>(), edits in prop::collection::vec(edit(), 1..6)) {
        decoder::message(&edited(sample.get(&MESSAGES).clone(), &edits));
    }

    #[test]
    fn any_change_to_an_answer_is_survived(sample in any::<Index>(), edits in prop::collection::vec(edit(), 1..6)) {
        decoder::models(&edited(sample.get(&ANSWERS).clone(), &edits));
    }
}
