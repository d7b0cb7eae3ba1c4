//! Which exchange a command speaks to.

use bitmax::sandbox::Sandbox;
use bitmax::{Credentials, Endpoint};
use clap::Args;

use crate::failure::Failure;

#[derive(Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// An embedded sandbox exchange, started for this run (the default)
    #[arg(long, global = true)]
    sandbox: bool,
    /// AscendEX
    #[arg(long, global = true)]
    live: bool,
    /// The REST base address of any other exchange
    #[arg(long, global = true, value_name = "URL")]
    rest: Option<String>,
    /// The stream's base address of any other exchange
    #[arg(long, global = true, value_name = "URL")]
    ws: Option<String>,
}

/// The exchange; the embedded one lives as long as this.
pub(crate) enum Target {
    Sandbox(Sandbox),
    Remote(Endpoint),
}

impl Target {
    pub(crate) fn open(args: TargetArgs) -> Result<Self, Failure> {
        match args {
            TargetArgs { live: false, rest: None, ws: None, .. } => Ok(Self::Sandbox(Sandbox::start()?)),
            TargetArgs { sandbox: false, live: true, rest: None, ws: None } => Ok(Self::Remote(Endpoint::ASCENDEX)),
            TargetArgs { sandbox: false, live: false, rest: Some(rest), ws: Some(ws) } => {
                Ok(Self::Remote(Endpoint::new(rest, ws)?))
            }
            _ => Err(Failure::usage("the target is one of --sandbox, --live, and --rest URL with --ws URL")),
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Sandbox(sandbox) => sandbox.endpoint(),
            Self::Remote(endpoint) => endpoint.clone(),
        }
    }

    /// The sandbox's own for the embedded one, else those of the environment.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.credentials()),
            Self::Remote(_) => Ok(Credentials::from_env()?),
        }
    }
}
