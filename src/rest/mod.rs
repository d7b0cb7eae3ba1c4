//! The REST interface: calls as data, one mechanism, one group of methods a file.

mod endpoint;
mod market;
mod transport;

pub use market::{BarsIter, BarsQuery, Market};
pub(crate) use transport::Transport;
