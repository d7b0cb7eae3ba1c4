//! What tests of REST share: a server that records requests and answers as told, the calls as tables,
//! and the comparison of what was read with what is written.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "no test file uses all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bars;
mod calls;
mod private;
mod run;
mod same;
mod server;

pub use bars::bars_answer;
pub use calls::PUBLIC;
pub use private::*;
pub use run::Run;
pub use same::same;
pub use server::{Recorded, Reply, Server};

/// A sample body of the reference.
pub fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/rest/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The built command-line client.
pub fn program() -> std::path::PathBuf {
    example("bitmax")
}

/// A built example.
pub fn example(name: &str) -> std::path::PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: run `cargo build --examples`", path.display());
    path
}
