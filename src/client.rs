//! The client: one exchange, its settings and its connections, shared by every handle made of it.

use std::sync::Arc;

use crate::config::{ClientBuilder, Endpoint};
use crate::error::Result;

/// A client of one exchange.
///
/// Cheap to clone; clones share settings and connections, also among threads.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: ClientBuilder,
}

impl Client {
    /// Begins a client of an exchange.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bitmax::{Client, Endpoint};
    /// let client = Client::builder(Endpoint::ASCENDEX).call_timeout(Duration::from_secs(3)).build()?;
    /// # Ok::<(), bitmax::Error>(())
    /// ```
    pub fn builder(endpoint: Endpoint) -> ClientBuilder {
        ClientBuilder::new(endpoint)
    }

    pub(crate) fn new(settings: ClientBuilder) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared { settings }) })
    }

    /// The exchange that it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.settings.endpoint
    }
}

const _: () = {
    const fn shared_among_threads<T: Clone + Send + Sync>() {}
    shared_among_threads::<Client>();
};
