//! The client: one exchange, its settings and its connections, shared by every handle made of it.

use std::sync::Arc;

use crate::config::{ClientBuilder, Endpoint};
use crate::error::Result;
use crate::ws::{StreamBuilder, Target};

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
    #[cfg(feature = "rustls")]
    tls: Arc<rustls::ClientConfig>,
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
        Ok(Self {
            shared: Arc::new(Shared {
                #[cfg(feature = "rustls")]
                tls: crate::tls::client_config(&settings.roots)?,
                settings,
            }),
        })
    }

    /// The exchange that it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.settings.endpoint
    }

    /// Begins a stream of public market data: one socket, one thread.
    pub fn stream(&self) -> StreamBuilder {
        let Shared { settings, .. } = &*self.shared;
        // Any account group serves for public data.
        let url = format!("{}/0/api/pro/v1/stream", settings.endpoint.ws());
        StreamBuilder::new(Target::new(
            url,
            &settings.user_agent,
            #[cfg(feature = "rustls")]
            &self.shared.tls,
        ))
    }
}

const _: () = {
    const fn shared_among_threads<T: Clone + Send + Sync>() {}
    shared_among_threads::<Client>();
};
