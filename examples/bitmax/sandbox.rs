//! The sandbox exchange as a program of its own.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use bitmax::sandbox::{Sandbox, Speed};
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::interrupt::on_interrupt;

/// Run a sandbox exchange until interrupted
#[derive(Args)]
pub(crate) struct SandboxCommand {
    /// The port on 127.0.0.1; any free one if not given
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What the market's movements are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play a recorded session instead of the moving market
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// How many times as fast time goes, or a recording is played, for which 0 is as fast as possible
    #[arg(long, value_name = "X")]
    speed: Option<f64>,
    /// Keep users, orders and balances in this file, and take up what is in it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

impl SandboxCommand {
    /// Prints one line with the addresses and the first user's credentials, then serves.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let replays = self.replay.is_some();
        let mut builder = Sandbox::builder().port(self.port).seed(self.seed);
        if let Some(file) = self.replay {
            builder = builder.replay(file);
        }
        if let Some(file) = self.state {
            builder = builder.state(file);
        }
        builder = match self.speed {
            Some(0.0) if !replays => return Err(Failure::usage("--speed 0 is for --replay")),
            None => builder,
            Some(0.0) => builder.speed(Speed::Max),
            Some(times) => builder.speed(Speed::Times(times)),
        };
        let sandbox = builder.start()?;
        let begun = Instant::now();
        let (tell, told) = mpsc::channel();
        // Whoever no longer listens has ended already.
        on_interrupt(move || tell.send(()).unwrap_or_default());
        let mut out = io::stdout().lock();
        let line = json!({
            "rest": sandbox.rest_url(),
            "ws": sandbox.ws_url(),
            "key": sandbox.api_key(),
            "secret": sandbox.api_secret(),
        });
        writeln!(out, "{line}")?;
        out.flush()?;
        told.recv().map_err(|_| io::Error::other("nobody can say when to end"))?;
        drop(sandbox);
        eprintln!("the sandbox ran for {} s", begun.elapsed().as_secs());
        Ok(())
    }
}
