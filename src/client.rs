//! The client: one exchange, its settings and its connections, shared by every handle made of it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::clock::Clock;
use crate::config::{ClientBuilder, Endpoint, Private, RestConfig};
use crate::credentials::Credentials;
use crate::error::{InvalidInput, Result};
use crate::rest::{Account, ClockSetting, Details, Identities, Market, Transport, Wallet};
use crate::rules::LoadedRules;
use crate::ws::{Authentication, StreamBuilder, StreamIdentity, StreamShared, Target};

/// A client of one exchange.
///
/// Cheap to clone; clones share settings and connections, also among threads.
///
/// ```no_run
/// use bitmax::{Client, Endpoint};
/// let client = Client::builder(Endpoint::ASCENDEX).build()?;
/// println!("{}", client.market().ticker("BTC/USDT")?.close);
/// # Ok::<(), bitmax::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Option<Instant>,
}

struct Shared {
    settings: ClientBuilder,
    #[cfg(feature = "rustls")]
    tls: Arc<rustls::ClientConfig>,
    /// Made for the first REST call: a program that makes none is linked without it.
    transport: OnceLock<Transport>,
    identities: Identities,
    rules: LoadedRules,
    clock: Clock,
    clock_setting: ClockSetting,
    details: Details,
    streams: StreamShared,
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
        Transport::check(&settings)?;
        let clock = Clock::default();
        let shared = Shared {
            #[cfg(feature = "rustls")]
            tls: crate::tls::client_config(&settings.roots)?,
            transport: OnceLock::new(),
            identities: Identities::default(),
            rules: LoadedRules::default(),
            clock_setting: ClockSetting::default(),
            details: Details::default(),
            streams: StreamShared::new(clock.clone()),
            clock,
            settings,
        };
        Ok(Self { shared: Arc::new(shared), deadline: None })
    }

    /// The exchange that it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.settings.endpoint
    }

    /// The same client with a deadline: each REST call made through it, and through handles made of it, ends by
    /// then, or earlier when its own time-outs run out. A call begun after it fails with
    /// [`Timeout::Deadline`](crate::Timeout::Deadline), and sends nothing.
    pub fn with_deadline(&self, at: Instant) -> Self {
        Self { deadline: Some(at), ..self.clone() }
    }

    /// The same client with this deadline, where it has no earlier one.
    pub(crate) fn ending_by(&self, at: Instant) -> Self {
        self.with_deadline(self.deadline.map_or(at, |deadline| deadline.min(at)))
    }

    /// The calls for public market data. They need no credentials.
    pub fn market(&self) -> Market {
        Market::new(self.clone())
    }

    /// The wallet: deposit addresses, deposits and withdrawals. Its calls need credentials.
    pub fn wallet(&self) -> Wallet {
        Wallet::new(self.clone())
    }

    /// Begins a stream: one socket, one thread. It is public, and makes no REST call, unless it is subscribed to
    /// private channels or [authenticated](StreamBuilder::authenticate).
    pub fn stream(&self) -> StreamBuilder {
        StreamBuilder::new(self.clone())
    }

    /// Where a stream of an account group connects to.
    pub(crate) fn stream_target(&self, group: u32) -> Result<Target> {
        let Shared { settings, .. } = &*self.shared;
        Ok(Target::new(
            format!("{}/{group}/api/pro/v1/stream", settings.endpoint.ws()),
            &settings.user_agent,
            #[cfg(feature = "rustls")]
            &self.shared.tls,
        )?)
    }

    /// Who a stream is for, and the account group.
    pub(crate) fn stream_identity(&self, way: Authentication, ready_ack: bool) -> Result<(StreamIdentity, u32)> {
        let private = self.shared.settings.private.as_ref();
        let Private { credentials, account_group } =
            private.ok_or_else(|| InvalidInput::new("credentials", "the client has none"))?;
        let group = account_group(self)?;
        Ok((StreamIdentity::new(Arc::clone(credentials), way, ready_ack, self.clock().ahead()), group))
    }

    /// What the client's streams share.
    pub(crate) fn stream_shared(&self) -> &StreamShared {
        &self.shared.streams
    }

    pub(crate) fn transport(&self) -> &Transport {
        self.shared.transport.get_or_init(|| Transport::new(&self.shared.settings))
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.shared.settings.private.as_ref().map(|private| &*private.credentials)
    }

    pub(crate) fn identities(&self) -> &Identities {
        &self.shared.identities
    }

    pub(crate) fn rules(&self) -> &LoadedRules {
        &self.shared.rules
    }

    /// UTC milliseconds, for what is signed and for the `time` of orders.
    pub(crate) fn now_millis(&self) -> u64 {
        self.shared.clock.millis()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub(crate) fn clock_setting(&self) -> &ClockSetting {
        &self.shared.clock_setting
    }

    pub(crate) fn details(&self) -> &Details {
        &self.shared.details
    }

    pub(crate) fn rest_config(&self) -> &RestConfig {
        &self.shared.settings.rest
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.shared.settings).field("deadline", &self.deadline).finish()
    }
}

const _: () = {
    const fn shared_among_threads<T: Clone + Send + Sync>() {}
    shared_among_threads::<Client>();
    shared_among_threads::<Market>();
    shared_among_threads::<Account>();
    shared_among_threads::<Wallet>();
};
