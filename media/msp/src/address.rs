//! The MSP instance behind one line: its calls and terminals by their numbers.
//! In: [`MspAddress`] requests. Out: the same to the call or terminal meant; events by the outbox.
//! A stream's number tells its call: 2n and 2n + 1 belong to call n.
//! Not here: what calls and terminals do, cards that come and go (`cards.rs`). No lock of this file is held while they do it.

use std::sync::Arc;

use offhook_pair::ToMsp;
use offhook_spi::mspi::{
    Direction, StreamInfo, StreamStatistics, TerminalClass, TerminalInfo, TerminalStatus, VolumeChange,
};
use offhook_spi::terminal::TerminalEnd;
use offhook_spi::{MediaTypes, MspAddress, MspCallId, MspError, MspEvent, Opaque, StreamId, TerminalId};

use crate::call::Call;
use crate::cards::{Cards, Registry};
use crate::lock;
use crate::outbox::{Outbox, Reporter};
use crate::provider::Shared;
use crate::terminal::Terminal;

/// An MSP behind one line.
pub(crate) struct Address {
    shared: Shared,
    outbox: Arc<Outbox>,
    registry: Arc<Registry>,
    cards: Arc<Cards>,
}

impl Address {
    pub(crate) fn new(shared: Shared, outbox: Arc<Outbox>) -> Self {
        let registry = Arc::new(Registry::new());
        let (media, out) = (Arc::clone(&shared.media), Arc::clone(&outbox));
        let cards = Arc::new(Cards::new(media, out, Arc::clone(&registry)));
        shared.threads.cards.serve(&(Arc::clone(&cards) as _));
        Self { shared, outbox, registry, cards }
    }

    fn call(&self, id: MspCallId) -> Result<Arc<Call>, MspError> {
        lock(&self.registry.calls).get(&id).cloned().ok_or(MspError::NoSuchCall)
    }

    fn call_of(&self, stream: StreamId) -> Result<Arc<Call>, MspError> {
        self.call(MspCallId(stream.0 / 2)).map_err(|_| MspError::InvalidStream)
    }

    fn terminal(&self, id: TerminalId) -> Result<Arc<Terminal>, MspError> {
        let unknown = || MspError::InvalidTerminal("there is none of that number".to_owned());
        lock(&self.registry.terminals).get(&id).cloned().ok_or_else(unknown)
    }
}

impl MspAddress for Address {
    fn create_msp_call(&self, media: MediaTypes) -> Result<MspCallId, MspError> {
        if !media.contains(MediaTypes::AUDIO) {
            return Err(MspError::InvalidMediaType);
        }
        let id = MspCallId(self.registry.number());
        let reporter = Reporter::new(Arc::clone(&self.outbox), id);
        let call = Arc::new(Call::new(id, Arc::clone(&self.shared.media), reporter)?);
        self.shared.threads.service.serve(&(Arc::clone(&call) as _));
        lock(&self.registry.calls).insert(id, call);
        Ok(id)
    }

    fn shutdown_msp_call(&self, call: MspCallId) -> Result<(), MspError> {
        let call = lock(&self.registry.calls).remove(&call).ok_or(MspError::NoSuchCall)?;
        call.shut_down();
        Ok(())
    }

    fn receive_tsp_data(&self, call: Option<MspCallId>, data: &Opaque) -> Result<(), MspError> {
        let call = call.map(|call| self.call(call)).transpose()?;
        let message =
            ToMsp::decode(data.as_bytes()).map_err(|why| MspError::InvalidBuffer(why.to_string()))?;
        match call {
            Some(call) => call.receive(&message),
            None => Err(MspError::InvalidBuffer("this pair has no messages without a call".to_owned())),
        }
    }

    fn next_event(&self) -> Option<MspEvent> {
        self.outbox.next()
    }

    fn static_terminals(&self) -> Vec<TerminalInfo> {
        self.cards.list()
    }

    fn create_terminal(&self, class: TerminalClass, direction: Direction) -> Result<TerminalInfo, MspError> {
        let id = TerminalId(self.registry.number());
        let Shared { media, threads } = &self.shared;
        let terminal = Terminal::create(id, class, direction, media, &threads.disk)?;
        let info = terminal.info.clone();
        lock(&self.registry.terminals).insert(id, Arc::new(terminal));
        Ok(info)
    }

    fn release_terminal(&self, terminal: TerminalId) -> Result<(), MspError> {
        if self.cards.has(terminal) {
            return Err(MspError::InvalidTerminal("a sound card is there by itself".to_owned()));
        }
        let terminal = self.terminal(terminal)?;
        for place in terminal.retire() {
            if let Ok(call) = self.call(place.call) {
                // It may have gone from there a moment ago.
                let _ = call.unselect(place.stream, &terminal);
            }
        }
        lock(&self.registry.terminals).remove(&terminal.info.id);
        terminal.finish()
    }

    fn terminal_status(&self, terminal: TerminalId) -> Result<TerminalStatus, MspError> {
        let terminal = self.terminal(terminal)?;
        // What faces both ways is as loud as it hears; it is listed there last.
        let hearing = terminal.places().into_iter().max_by_key(|place| place.direction == Direction::Render);
        let level = hearing.and_then(|place| self.call(place.call).ok()?.level(place.direction, &terminal));
        Ok(TerminalStatus { level, ..terminal.status() })
    }

    fn terminal_end(&self, terminal: TerminalId) -> Result<TerminalEnd, MspError> {
        self.terminal(terminal)?.end()
    }

    fn change_volume(&self, terminal: TerminalId, change: VolumeChange) -> Result<(), MspError> {
        let terminal = self.terminal(terminal)?;
        terminal.change_volume(change)?;
        for place in terminal.places() {
            // A call that has ended meanwhile has no volume any more.
            if let Ok(call) = self.call(place.call) {
                call.follow_volume(place.direction, &terminal)?;
            }
        }
        Ok(())
    }

    fn streams(&self, call: MspCallId) -> Result<Vec<StreamInfo>, MspError> {
        Ok(self.call(call)?.streams())
    }

    fn select_terminal(&self, stream: StreamId, terminal: TerminalId) -> Result<(), MspError> {
        self.call_of(stream)?.select(stream, &self.terminal(terminal)?)
    }

    fn unselect_terminal(&self, stream: StreamId, terminal: TerminalId) -> Result<(), MspError> {
        self.call_of(stream)?.unselect(stream, &*self.terminal(terminal)?)
    }

    fn start_stream(&self, stream: StreamId) -> Result<(), MspError> {
        self.call_of(stream)?.start_stream(stream)
    }

    fn stop_stream(&self, stream: StreamId) -> Result<(), MspError> {
        self.call_of(stream)?.stop_stream(stream)
    }

    fn stream_statistics(&self, stream: StreamId) -> Result<StreamStatistics, MspError> {
        Ok(self.call_of(stream)?.statistics(stream))
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        for (_, call) in lock(&self.registry.calls).drain() {
            call.shut_down();
        }
        for terminal in lock(&self.registry.terminals).values() {
            if let Err(error) = terminal.finish() {
                tracing::warn!(%error, terminal = %terminal.info.name, "a terminal did not end cleanly");
            }
        }
    }
}
