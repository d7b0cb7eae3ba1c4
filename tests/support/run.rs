//! How a run of a program ended.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    /// With what is written to standard input.
    pub fn fed(command: &mut Command, input: &str) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that refuses its arguments does not read.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap().into()
    }

    /// The only line of the output, as JSON.
    pub fn json(&self) -> Value {
        assert_eq!((self.status, self.out.lines().count()), (0, 1), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// The status, and the error on the only line of standard error.
    pub fn error(&self) -> (i32, Value) {
        assert_eq!((self.out.as_str(), self.err.lines().count()), ("", 1), "{self:?}");
        (self.status, serde_json::from_str::<Value>(&self.err).unwrap()["error"].clone())
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}
