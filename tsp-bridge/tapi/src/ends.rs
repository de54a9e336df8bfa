//! The application's ends of terminals that it feeds, reads or plays on: samples, packets, tones.
//!
//! In: what the application writes or orders. Out: what the MSP's end says; asynchronous forms that wait.
//! Nothing in the media path waits for the application or wakes it: waiting here is looking again every few
//! milliseconds. The handles may be kept over selections; each sample or packet is read once, whoever reads it.
//! Not here: what the ends are made of (the MSP).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use offhook_spi::terminal::{
    PcmBlock, PcmReaderStatus, PcmWriterStatus, ProgressTone, RtpOctets, RtpReaderStatus, RtpSendError,
    SignalHeard, SignalReaderStatus, TerminalEnd,
};
use offhook_spi::{MspError, terminal};

use crate::{TapiError, Terminal};

/// How often somebody who waits looks again: a quarter of the usual block.
const LOOK: Duration = Duration::from_micros(2_500);

/// What the far end is to hear: 16-bit mono samples at the terminal's rate. Cheap to clone.
#[doc(alias = "IMediaStream")]
#[derive(Clone)]
pub struct PcmWriter(Arc<dyn terminal::PcmWriter>);

/// What the far end says: 16-bit mono samples at the terminal's rate. Cheap to clone.
#[doc(alias = "IMediaStream")]
#[derive(Clone)]
pub struct PcmReader(Arc<dyn terminal::PcmReader>);

/// A stream's RTP packets, as they are. Cheap to clone.
#[derive(Clone)]
pub struct RtpTap(pub(crate) Arc<dyn terminal::RtpReader>);

/// Sends RTP packets in place of a stream's sound. Cheap to clone.
#[derive(Clone)]
pub struct RtpInjector(pub(crate) Arc<dyn terminal::RtpWriter>);

/// A generator of digits in band and call-progress tones. Cheap to clone.
#[derive(Clone)]
pub struct ToneGenerator(Arc<dyn terminal::TonePlayer>);

/// Digits and call-progress tones heard in a stream. Cheap to clone.
#[doc(alias = "ITToneDetectionEvent")]
#[derive(Clone)]
pub struct ToneMonitor(Arc<dyn terminal::SignalReader>);

impl Terminal {
    /// Where the application writes: of a [`Pcm`](crate::TerminalClass::Pcm) terminal that faces capture.
    ///
    /// # Errors
    ///
    /// [`MspError::InvalidTerminal`] for any other, and once it is released.
    pub fn pcm_writer(&self) -> Result<PcmWriter, TapiError> {
        match self.end()? {
            TerminalEnd::PcmWriter(end) => Ok(PcmWriter(end)),
            _ => Err(self.other_end("is not written by the application")),
        }
    }

    /// Where the application reads: of a [`Pcm`](crate::TerminalClass::Pcm) terminal that faces render.
    ///
    /// # Errors
    ///
    /// As of [`pcm_writer`](Self::pcm_writer).
    pub fn pcm_reader(&self) -> Result<PcmReader, TapiError> {
        match self.end()? {
            TerminalEnd::PcmReader(end) => Ok(PcmReader(end)),
            _ => Err(self.other_end("is not read by the application")),
        }
    }

    /// The packets of an [`RtpTap`](crate::TerminalClass::RtpTap).
    ///
    /// # Errors
    ///
    /// As of [`pcm_writer`](Self::pcm_writer).
    pub fn rtp_tap(&self) -> Result<RtpTap, TapiError> {
        match self.end()? {
            TerminalEnd::RtpReader(end) => Ok(RtpTap(end)),
            _ => Err(self.other_end("is no tap of packets")),
        }
    }

    /// Where packets go in: of an [`RtpInjector`](crate::TerminalClass::RtpInjector).
    ///
    /// # Errors
    ///
    /// As of [`pcm_writer`](Self::pcm_writer).
    pub fn rtp_injector(&self) -> Result<RtpInjector, TapiError> {
        match self.end()? {
            TerminalEnd::RtpWriter(end) => Ok(RtpInjector(end)),
            _ => Err(self.other_end("takes no packets")),
        }
    }

    /// The keys of a [`ToneGenerator`](crate::TerminalClass::ToneGenerator).
    ///
    /// # Errors
    ///
    /// As of [`pcm_writer`](Self::pcm_writer).
    pub fn tone_generator(&self) -> Result<ToneGenerator, TapiError> {
        match self.end()? {
            TerminalEnd::Tones(end) => Ok(ToneGenerator(end)),
            _ => Err(self.other_end("is no tone generator")),
        }
    }

    /// What a [`ToneDetector`](crate::TerminalClass::ToneDetector) hears.
    ///
    /// # Errors
    ///
    /// As of [`pcm_writer`](Self::pcm_writer).
    pub fn tone_monitor(&self) -> Result<ToneMonitor, TapiError> {
        match self.end()? {
            TerminalEnd::Signals(end) => Ok(ToneMonitor(end)),
            _ => Err(self.other_end("hears no tones")),
        }
    }

    fn other_end(&self, why: &str) -> TapiError {
        MspError::InvalidTerminal(format!("{}: it {why}", self.name())).into()
    }
}

impl PcmWriter {
    /// Writes as many samples as there is room for; how many. Never waits.
    ///
    /// Samples may be written before the terminal is selected: they are heard first. What waits when it is unselected
    /// is dropped.
    pub fn write(&self, samples: &[i16]) -> usize {
        self.0.write(samples)
    }

    /// Writes all of them, as the call takes them: the back-pressure is the waiting. Cancelled, it has written a part.
    ///
    /// # Errors
    ///
    /// [`TapiError::Released`] once the terminal is released.
    pub async fn write_all(&self, mut samples: &[i16]) -> Result<(), TapiError> {
        loop {
            let PcmWriterStatus { waiting, capacity, is_released, .. } = self.0.status();
            if is_released {
                return Err(TapiError::Released);
            }
            // Only as many as there is room for, so that waiting does not count as refusals.
            let now = samples.len().min(capacity.saturating_sub(waiting));
            let (part, _) = samples.split_at(now);
            samples = samples.get(self.0.write(part)..).unwrap_or_default();
            if samples.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How far it is, and how full.
    pub fn status(&self) -> PcmWriterStatus {
        self.0.status()
    }
}

impl PcmReader {
    /// Reads the next samples of one block into `out`, or `None` if none wait. Never waits. A block longer than `out` is
    /// read on next time, its time moved on accordingly.
    pub fn read(&self, out: &mut [i16]) -> Option<PcmBlock> {
        self.0.read(out)
    }

    /// Reads the next samples, waiting for them; `None` once the terminal is released and everything was read.
    pub async fn next(&self, out: &mut [i16]) -> Option<PcmBlock> {
        loop {
            let is_released = self.0.status().is_released;
            if let Some(block) = self.0.read(out) {
                return Some(block);
            }
            if is_released || out.is_empty() {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How far it is, and how full.
    pub fn status(&self) -> PcmReaderStatus {
        self.0.status()
    }
}

impl ToneMonitor {
    /// The next signal that began or ended, or `None` if none waits. Never waits.
    pub fn read(&self) -> Option<SignalHeard> {
        self.0.read()
    }

    /// The next, waiting for it; `None` once the terminal is released and everything was read.
    pub async fn next(&self) -> Option<SignalHeard> {
        loop {
            let is_released = self.0.status().is_released;
            if let Some(signal) = self.0.read() {
                return Some(signal);
            }
            if is_released {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How far it is.
    pub fn status(&self) -> SignalReaderStatus {
        self.0.status()
    }
}

impl RtpTap {
    /// The next packet's octets, or `None` if none waits. Never waits.
    pub fn read(&self) -> Option<RtpOctets> {
        self.0.read()
    }

    /// The next packet, waiting for it; `None` once the terminal is released and everything was read.
    pub async fn next(&self) -> Option<RtpOctets> {
        loop {
            let is_released = self.0.status().is_released;
            if let Some(packet) = self.0.read() {
                return Some(packet);
            }
            if is_released {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How far it is.
    pub fn status(&self) -> RtpReaderStatus {
        self.0.status()
    }
}

impl RtpInjector {
    /// Takes a packet to be sent in the stream's next block. Never waits. Payload, payload type and marker are sent as
    /// they are; source, sequence number and timestamps are the stream's own, the timestamps' distances are kept.
    ///
    /// # Errors
    ///
    /// [`RtpSendError`].
    pub fn send(&self, packet: &[u8]) -> Result<(), RtpSendError> {
        self.0.send(packet)
    }

    /// Octets of packets that may be sent now; 0 while the terminal is not selected.
    pub fn room(&self) -> usize {
        self.0.room()
    }
}

impl ToneGenerator {
    /// Dials DTMF digits (`0`–`9`, `*`, `#`, `A`–`D`) in band, after those being dialled. Digits by signalling are the
    /// call's ([`Call`](crate::Call)).
    ///
    /// # Errors
    ///
    /// [`MspError::OutOfRange`] for what is no digit, [`MspError::Resource`] for more than can wait: none is dialled.
    pub fn dial(&self, digits: &str) -> Result<(), TapiError> {
        Ok(self.0.dial(digits)?)
    }

    /// Plays a tone, after the digits being dialled and until something else is asked for.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] if as much waits as can.
    pub fn play(&self, tone: ProgressTone) -> Result<(), TapiError> {
        Ok(self.0.play(tone)?)
    }

    /// Fades what sounds within 5 ms and forgets what waits.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether everything is over.
    pub fn is_idle(&self) -> bool {
        self.0.is_idle()
    }
}

macro_rules! debug {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })*
    };
}

debug!(PcmWriter PcmReader RtpTap RtpInjector ToneGenerator ToneMonitor);
