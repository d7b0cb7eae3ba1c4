//! Setting the client's clock by the exchange's: before the first signed call, and when one is refused for its time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::endpoint::EXCHANGE_INFO;
use super::request::Request;
use super::turns::Turns;
use crate::client::Client;
use crate::clock::{Sample, ahead, wall_nanos};
use crate::error::{Error, Result};
use crate::model::ExchangeInfo;

/// How often the exchange is asked for one estimate. The first question may wait for a connection.
const SAMPLES: usize = 3;

/// How long the estimate may take, and at most half of what is left until the caller's deadline.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who sets the clock, and whether it was tried.
#[derive(Debug, Default)]
pub(crate) struct ClockSetting {
    turns: Turns,
    tried: AtomicBool,
}

impl Client {
    /// Sets the clock before the first signed call, if that can be.
    pub(super) fn ensure_clock(&self) -> Result<()> {
        if self.clock_is_tried() {
            return Ok(());
        }
        let _turn = self.clock_setting().turns.take(self.deadline())?;
        if !self.clock_is_tried() {
            self.set_clock();
        }
        Ok(())
    }

    /// Whether there is nothing to be done about the clock before a signed call.
    pub(super) fn clock_is_tried(&self) -> bool {
        !self.rest_config().clock_correction
            || self.clock().times_set() > 0
            || self.clock_setting().tried.load(Ordering::Relaxed)
    }

    /// Makes a signed call, and once more with the clock set anew where it is refused for its time: such a call has not
    /// acted. `call` takes the time when it is called; the second one is to be over by `end`.
    pub(crate) fn timely<T>(&self, end: Instant, mut call: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        let times_set = self.clock().times_set();
        match call(self) {
            Err(Error::Refused(refusal)) if refusal.is_for_its_time() && self.rest_config().clock_correction => {
                log::info!("{refusal}; setting the clock");
                let client = self.ending_by(end);
                let turn = self.clock_setting().turns.take(client.deadline());
                // Another thread may have set it since.
                if turn.is_err() || (self.clock().times_set() == times_set && !client.set_clock()) {
                    return Err(Error::Refused(refusal));
                }
                drop(turn);
                call(&client)
            }
            other => other,
        }
    }

    /// Asks for the exchange's time and sets the clock by it. Where there is no answer the clock stays as it is, and
    /// nothing fails but this.
    fn set_clock(&self) -> bool {
        self.clock_setting().tried.store(true, Ordering::Relaxed);
        let now = Instant::now();
        let half = self.deadline().map(|at| at.saturating_duration_since(now) / 2);
        let client = self.with_deadline(now + half.unwrap_or(PATIENCE).min(PATIENCE));

        let mut samples = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let (sent, began) = (wall_nanos(), Instant::now());
            let asked =
                client.send::<ExchangeInfo>(&Request::new(&EXCHANGE_INFO).param("requestTime", sent / 1_000_000));
            match asked {
                Ok(info) if info.request_receive_at > 0 => {
                    samples.push(Sample { sent, round_trip: began.elapsed(), received: info.request_receive_at });
                }
                Ok(info) => log::warn!("the exchange says that its time is {}", info.request_receive_at),
                Err(e) => {
                    log::warn!("the exchange's time could not be asked for: {e}");
                    break;
                }
            }
        }
        match ahead(&samples) {
            Some(ahead) => {
                log::info!("the exchange's clock is {ahead} ms ahead of this machine's");
                self.clock().set(ahead);
                true
            }
            None => {
                log::warn!("the clock stays {} ms ahead of this machine's", self.clock().ahead());
                false
            }
        }
    }
}
