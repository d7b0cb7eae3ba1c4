//! The nouns of the protocol: what calls answer and streams deliver, with the wire's names in JSON.

mod account;
mod balance;
mod level;
mod limits;
mod market;
mod message;
mod order;
mod rows;
mod update;
mod wallet;

pub use account::*;
pub use balance::*;
pub use level::Level;
pub use limits::*;
pub use market::*;
pub use message::*;
pub use order::*;
pub use rows::{Rows, Unreadable};
pub use update::*;
pub use wallet::*;
