//! What a command can end with other than success.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use bitmax::sandbox::SandboxError;
use bitmax::{Error, InvalidInput, OrderId, RecordingError};
use serde_json::{Map, Value, json};

/// Why a command failed.
pub(crate) enum Failure {
    /// The call failed.
    Call(Error),
    /// The command line makes no sense.
    Usage(String),
    /// The embedded exchange did not start.
    Sandbox(SandboxError),
    /// The session could not be recorded.
    Recording(RecordingError),
    /// The order never arrived.
    Absent,
    /// Whether the exchange has the order could not be found out.
    Unknown(OrderId, Error),
    /// Standard output is gone.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Tells the failure on standard error and gives the exit status.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let (kind, status, executed) = match &self {
            Self::Call(e) => (e.kind(), status(e), e.may_have_executed()),
            Self::Usage(_) => ("usage", 2, false),
            Self::Sandbox(_) => ("sandbox", 3, false),
            Self::Recording(_) => ("recording", 3, false),
            Self::Absent => ("absent", 3, false),
            Self::Unknown(..) => ("unknown", 3, true),
            // The reader has what it wanted.
            Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Output(_) => ("output", 3, false),
        };
        if json {
            eprintln!("{}", json!({ "error": self.error(kind, executed) }));
        } else {
            let error = console::Style::new().for_stderr().red().bold().apply_to("error:");
            eprintln!("{error} {}", self.message());
        }
        ExitCode::from(status)
    }

    fn error(&self, kind: &str, executed: bool) -> Map<String, Value> {
        let mut error = Map::new();
        error.insert("kind".to_owned(), kind.into());
        let mut message = self.message();
        if let Self::Call(Error::Refused(refusal)) = self {
            error.insert("code".to_owned(), refusal.code.value().into());
            if !refusal.reason.is_empty() {
                error.insert("reason".to_owned(), refusal.reason.as_str().into());
            }
            if !refusal.message.is_empty() {
                message.clone_from(&refusal.message);
            }
            // A batch is refused as a whole, and each of its orders for a reason of its own.
            if refusal.info.starts_with('[') {
                error.insert("orders".to_owned(), json!(refusal.orders()));
            }
        }
        error.insert("message".to_owned(), message.into());
        error.insert("mayHaveExecuted".to_owned(), executed.into());
        error
    }

    fn message(&self) -> String {
        match self {
            Self::Call(e) => match e.source() {
                // A decoding error says its cause itself.
                Some(source) if !matches!(e, Error::Decode(_)) => format!("{e}: {source}"),
                _ => e.to_string(),
            },
            Self::Usage(message) => message.clone(),
            Self::Sandbox(e) => e.to_string(),
            Self::Recording(e) => e.to_string(),
            Self::Absent => "the order never arrived, and will not".to_owned(),
            Self::Unknown(order_id, e) => format!("the order may have been placed ({e}): ask for {order_id} later"),
            Self::Output(e) => format!("cannot write: {e}"),
        }
    }
}

fn status(error: &Error) -> u8 {
    match error {
        Error::Refused(_) => 1,
        Error::InvalidInput(_) => 2,
        _ => 3,
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Call(e)
    }
}

impl From<InvalidInput> for Failure {
    fn from(e: InvalidInput) -> Self {
        Self::Call(e.into())
    }
}

impl From<SandboxError> for Failure {
    fn from(e: SandboxError) -> Self {
        Self::Sandbox(e)
    }
}

impl From<RecordingError> for Failure {
    fn from(e: RecordingError) -> Self {
        Self::Recording(e)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Output(e)
    }
}
