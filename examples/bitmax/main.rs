//! The command-line client: every call of the library from a shell.
//!
//! ```text
//! cargo run --example bitmax -- ticker BTC/USDT
//! cargo run --example bitmax -- --live --json depth BTC/USDT
//! ```
//!
//! Exit status: 0 done; 1 the exchange refused; 2 bad usage or bad input; 3 the exchange could not be reached,
//! answered nonsense, or did not answer in time.

mod account;
mod batch;
#[path = "../support/calendar.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod calendar;
mod events;
mod failure;
mod guide;
mod interrupt;
#[path = "../support/ladder.rs"]
mod ladder;
mod market;
mod orders;
mod output;
mod record;
mod request;
mod sandbox;
#[path = "../support/screen.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod screen;
mod stream;
mod target;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bitmax::Client;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use account::AccountCommand;
use failure::Failure;
use market::MarketCommand;
use orders::OrderCommand;
use output::Output;
use sandbox::SandboxCommand;
use stream::StreamCommand;
use target::{Target, TargetArgs};

/// A command-line client for BitMax (AscendEX) and for the sandbox exchange.
#[derive(Parser)]
#[command(name = "bitmax", version, after_help = guide::START)]
struct Cli {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// One JSON value a line, with the names of the wire
    #[arg(long, global = true)]
    json: bool,
    /// How long the command may take
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Market(MarketCommand),
    #[command(flatten)]
    Account(AccountCommand),
    #[command(flatten)]
    Orders(OrderCommand),
    #[command(flatten)]
    Stream(StreamCommand),
    Sandbox(SandboxCommand),
    /// Print a script that completes commands and options, for a shell to read
    Completions {
        shell: Shell,
    },
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() && time <= Duration::from_secs(24 * 3600) => Ok(time),
        _ => Err("not more than zero and at most a day".to_owned()),
    }
}

fn main() -> ExitCode {
    // Asked for anywhere, also where the rest of the line cannot be understood.
    let json = std::env::args_os().any(|arg| arg == "--json");
    let mut command = guide::with_examples(Cli::command());
    let cli = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| Cli::from_arg_matches(&matches));
    start_log(matches!(&cli, Ok(Cli { command: Command::Sandbox(_), .. })));
    let result = match cli {
        Ok(cli) => run(cli),
        Err(e) if !json || matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => e.exit(),
        Err(e) => Err(Failure::usage(match e.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command is given".to_owned(),
            _ => e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        })),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run(Cli { target, common, command }: Cli) -> Result<(), Failure> {
    let deadline = Instant::now() + common.timeout;
    // The embedded exchange lives as long as its target. What is public is asked without a key, whether or not there
    // is one.
    let open = |private: bool| {
        let target = Target::open(target)?;
        let builder = Client::builder(target.endpoint()).call_timeout(common.timeout).read_timeout(common.timeout);
        let builder = if private { builder.credentials(target.credentials()?) } else { builder };
        Ok::<_, Failure>((builder.build()?.with_deadline(deadline), target))
    };
    let output = Output::new(common.json);
    match command {
        Command::Market(command) => {
            let (client, _target) = open(false)?;
            command.run(&client, &output)
        }
        Command::Account(command) => {
            let (client, _target) = open(true)?;
            command.run(&client, &output)
        }
        Command::Orders(command) => {
            let (client, _target) = open(true)?;
            command.run(&client, &output, deadline)
        }
        Command::Stream(command) => {
            let (client, _target) = open(command.way()?.is_some())?;
            command.run(&client, common.json, deadline)
        }
        Command::Sandbox(command) => command.run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "bitmax", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// Logs as `RUST_LOG` says, a sandbox of its own what it is asked if that says nothing; but never the raw bytes that
/// these two print: signatures are among them.
fn start_log(sandbox: bool) {
    let raw = |target: &str| target.starts_with("tungstenite") || target.starts_with("ureq_proto");
    let mut builder = env_logger::Builder::from_default_env();
    if sandbox && std::env::var_os("RUST_LOG").is_none() {
        builder.filter_level(log::LevelFilter::Info);
    }
    builder
        .format(move |out, record| {
            use std::io::Write;
            if record.level() > log::Level::Info && raw(record.target()) {
                return Ok(());
            }
            writeln!(out, "{} {}: {}", record.level(), record.target(), record.args())
        })
        .init();
}
