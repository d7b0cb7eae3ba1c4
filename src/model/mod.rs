//! The nouns of the protocol: what calls answer and streams deliver, with the wire's names in JSON.

mod account;
mod level;
mod market;
mod rows;

pub use account::AccountCategory;
pub use level::Level;
pub use market::*;
pub use rows::{Rows, Unreadable};
