//! Raw RTP at the application's hands: a tap that reads a stream's packets, an injector that sends the application's own.
//! In: selections; packets. Out: the engine's ends; ends for the application that outlive each selection.
//! Not here: the rings, and which packets pass (`offhook_engine::packet_tap`, `packet_injector`).

use std::sync::Mutex;

use offhook_engine::{
    PacketInjector, PacketReader, PacketSender, PacketTap, SendError, packet_injector, packet_tap,
};
use offhook_spi::Timestamp;
use offhook_spi::terminal::{RtpOctets, RtpReader, RtpReaderStatus, RtpSendError, RtpWriter};

use crate::lock;

/// Packets that may wait: five seconds of the usual ones on the way to the application, half a second on the way back.
const READ_PACKETS: usize = 250;
const SENT_PACKETS: usize = 25;

/// A tap.
#[derive(Default)]
pub(crate) struct RtpTapTerminal(Mutex<Tap>);

#[derive(Default)]
struct Tap {
    reader: Option<PacketReader>,
    /// Of the selection before this one, until it is read empty.
    leftover: Option<PacketReader>,
    /// Of readers that are gone.
    earlier: RtpReaderStatus,
}

/// An injector.
#[derive(Default)]
pub(crate) struct RtpInjectorTerminal(Mutex<Option<PacketSender>>);

impl RtpTapTerminal {
    /// The engine's end for a selection.
    pub(crate) fn tap(&self) -> Box<PacketTap> {
        let (reader, tap) = packet_tap(READ_PACKETS);
        let mut state = lock(&self.0);
        if let Some(old) = state.reader.replace(reader)
            && let Some(mut older) = state.leftover.replace(old)
        {
            let unread = std::iter::from_fn(|| older.read().map(|_| ())).count() as u64;
            state.forget(&older);
            state.earlier.overruns += unread;
        }
        tap
    }

    pub(crate) fn release(&self) {
        lock(&self.0).earlier.is_released = true;
    }
}

impl Tap {
    fn forget(&mut self, reader: &PacketReader) {
        let meters = reader.meters();
        self.earlier.packets += meters.packets;
        self.earlier.overruns += meters.overruns;
    }
}

impl RtpReader for RtpTapTerminal {
    fn read(&self) -> Option<RtpOctets> {
        fn next(reader: &mut PacketReader) -> Option<RtpOctets> {
            let tapped = reader.read()?;
            Some(RtpOctets { at: Timestamp(tapped.at_ns), octets: tapped.view.as_bytes().to_vec() })
        }
        let mut state = lock(&self.0);
        if let Some(packet) = state.leftover.as_mut().and_then(next) {
            return Some(packet);
        }
        if let Some(old) = state.leftover.take() {
            state.forget(&old);
        }
        next(state.reader.as_mut()?)
    }

    fn status(&self) -> RtpReaderStatus {
        let state = lock(&self.0);
        let mut status = state.earlier;
        for meters in [&state.leftover, &state.reader].into_iter().flatten().map(|reader| reader.meters()) {
            status.packets += meters.packets;
            status.overruns += meters.overruns;
        }
        status
    }
}

impl RtpInjectorTerminal {
    /// The engine's end for a selection.
    pub(crate) fn injector(&self) -> Box<PacketInjector> {
        let (sender, injector) = packet_injector(SENT_PACKETS);
        *lock(&self.0) = Some(sender);
        injector
    }

    /// The engine's end has gone.
    pub(crate) fn detach(&self) {
        lock(&self.0).take();
    }
}

impl RtpWriter for RtpInjectorTerminal {
    fn send(&self, packet: &[u8]) -> Result<(), RtpSendError> {
        let mut state = lock(&self.0);
        let sender = state.as_mut().filter(|sender| sender.is_attached()).ok_or(RtpSendError::NotSelected)?;
        sender.send(packet).map_err(|error| match error {
            SendError::Full => RtpSendError::Full,
            other => RtpSendError::Invalid(other.to_string()),
        })
    }

    fn room(&self) -> usize {
        lock(&self.0).as_ref().filter(|sender| sender.is_attached()).map_or(0, PacketSender::room)
    }
}
