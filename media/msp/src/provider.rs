//! The provider: one ticker, one service thread, one for files and one for sound cards, for every address that it makes.
//! In: a configuration. Out: [`Mspi`].
//! Not here: addresses (`address.rs`), calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use offhook_engine::{Ticker, TickerConfig};
use offhook_spi::{MspAddress, MspError, MspSignal, Mspi};

use crate::address::Address;
use crate::media::Media;
use crate::outbox::Outbox;
use crate::service::Worker;
use crate::{MspConfig, StartError};

/// How often calls get a turn of the service thread.
const SERVICE_PERIOD: Duration = Duration::from_millis(10);
/// How often files do: a clip's ring lasts half a second.
const DISK_PERIOD: Duration = Duration::from_millis(20);
/// How often sound cards are looked for and after: one that comes back is heard again within half a second.
const CARDS_PERIOD: Duration = Duration::from_millis(250);

/// The media service provider of this process.
///
/// Its threads end when it and every address that it made have been dropped.
pub struct Msp {
    shared: Shared,
}

/// What addresses share with their provider.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) media: Arc<Media>,
    pub(crate) threads: Arc<Threads>,
}

/// Never held by what they serve: a thread that dropped the last call would wait for itself.
pub(crate) struct Threads {
    pub(crate) service: Worker,
    pub(crate) disk: Worker,
    pub(crate) cards: Worker,
}

impl Msp {
    /// Starts its threads. No socket, file or sound card is touched before a call wants one.
    ///
    /// # Errors
    ///
    /// [`StartError`]: a configuration that cannot be, or a system without threads.
    pub fn new(config: MspConfig) -> Result<Self, StartError> {
        let ports = config.check()?;
        let ticker = Ticker::start(TickerConfig::default())?;
        let threads = Threads {
            service: Worker::start("offhook-media", SERVICE_PERIOD)?,
            disk: Worker::start("offhook-files", DISK_PERIOD)?,
            cards: Worker::start("offhook-cards", CARDS_PERIOD)?,
        };
        let media = Arc::new(Media::new(config, ports, ticker));
        Ok(Self { shared: Shared { media, threads: Arc::new(threads) } })
    }
}

impl Mspi for Msp {
    fn create_address(&self, signal: Arc<dyn MspSignal>) -> Result<Arc<dyn MspAddress>, MspError> {
        Ok(Arc::new(Address::new(self.shared.clone(), Arc::new(Outbox::new(signal)))))
    }
}

impl fmt::Debug for Msp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Msp").field("config", &self.shared.media.config).finish_non_exhaustive()
    }
}
