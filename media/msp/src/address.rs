//! The MSP instance behind one line: its calls and terminals by their numbers.
//! In: [`MspAddress`] requests. Out: the same to the call or terminal meant; events by the outbox.
//! A stream's number tells its call: 2n and 2n + 1 belong to call n.
//! Not here: what calls and terminals do. No lock of this file is held while they do it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use offhook_pair::ToMsp;
use offhook_spi::mspi::{
    Direction, StreamInfo, StreamStatistics, TerminalClass, TerminalInfo, TerminalStatus,
};
use offhook_spi::{MediaTypes, MspAddress, MspCallId, MspError, MspEvent, Opaque, StreamId, TerminalId};

use crate::call::Call;
use crate::lock;
use crate::outbox::{Outbox, Reporter};
use crate::provider::Shared;
use crate::terminal::{CardTerminal, Kind, Terminal, cards};

/// An MSP behind one line.
pub(crate) struct Address {
    shared: Shared,
    outbox: Arc<Outbox>,
    next: AtomicU64,
    calls: Mutex<HashMap<MspCallId, Arc<Call>>>,
    terminals: Mutex<BTreeMap<TerminalId, Arc<Terminal>>>,
    /// Sound cards seen so far: a card keeps its number while the address lives.
    cards: Mutex<Vec<(String, Direction, TerminalId)>>,
}

impl Address {
    pub(crate) fn new(shared: Shared, outbox: Arc<Outbox>) -> Self {
        Self {
            shared,
            outbox,
            next: AtomicU64::new(1),
            calls: Mutex::default(),
            terminals: Mutex::default(),
            cards: Mutex::default(),
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn call(&self, id: MspCallId) -> Result<Arc<Call>, MspError> {
        lock(&self.calls).get(&id).cloned().ok_or(MspError::NoSuchCall)
    }

    fn call_of(&self, stream: StreamId) -> Result<Arc<Call>, MspError> {
        self.call(MspCallId(stream.0 / 2)).map_err(|_| MspError::InvalidStream)
    }

    fn terminal(&self, id: TerminalId) -> Result<Arc<Terminal>, MspError> {
        let unknown = || MspError::InvalidTerminal("there is none of that number".to_owned());
        lock(&self.terminals).get(&id).cloned().ok_or_else(unknown)
    }
}

impl MspAddress for Address {
    fn create_msp_call(&self, media: MediaTypes) -> Result<MspCallId, MspError> {
        if !media.contains(MediaTypes::AUDIO) {
            return Err(MspError::InvalidMediaType);
        }
        let id = MspCallId(self.number());
        let reporter = Reporter::new(Arc::clone(&self.outbox), id);
        let call = Arc::new(Call::new(id, Arc::clone(&self.shared.media), reporter)?);
        self.shared.threads.service.serve(&(Arc::clone(&call) as _));
        lock(&self.calls).insert(id, call);
        Ok(id)
    }

    fn shutdown_msp_call(&self, call: MspCallId) -> Result<(), MspError> {
        let call = lock(&self.calls).remove(&call).ok_or(MspError::NoSuchCall)?;
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
        let media = &self.shared.media;
        let found = cards(media.sound());
        let mut known = lock(&self.cards);
        let mut infos = Vec::new();
        for (selector, name, direction) in found {
            let card = CardTerminal::new(selector, media.sample_rate());
            let key = card.name.clone();
            let before = known.iter().find(|(other, way, _)| *other == key && *way == direction);
            let id = match before {
                Some((_, _, id)) => *id,
                None => {
                    let id = TerminalId(self.number());
                    known.push((key, direction, id));
                    id
                }
            };
            let info = TerminalInfo { id, name, direction };
            let terminal = || Arc::new(Terminal::new(info.clone(), Kind::Card(card)));
            lock(&self.terminals).entry(id).or_insert_with(terminal);
            infos.push(info);
        }
        infos
    }

    fn create_terminal(&self, class: TerminalClass, direction: Direction) -> Result<TerminalInfo, MspError> {
        let id = TerminalId(self.number());
        let Shared { media, threads } = &self.shared;
        let terminal = Terminal::create(id, class, direction, media, &threads.disk)?;
        let info = terminal.info.clone();
        lock(&self.terminals).insert(id, Arc::new(terminal));
        Ok(info)
    }

    fn release_terminal(&self, terminal: TerminalId) -> Result<(), MspError> {
        if lock(&self.cards).iter().any(|(_, _, id)| *id == terminal) {
            return Err(MspError::InvalidTerminal("a sound card is there by itself".to_owned()));
        }
        let terminal = self.terminal(terminal)?;
        for place in terminal.retire() {
            if let Ok(call) = self.call(place.call) {
                // It may have gone from there a moment ago.
                let _ = call.unselect(place.stream, &terminal);
            }
        }
        lock(&self.terminals).remove(&terminal.info.id);
        terminal.finish()
    }

    fn terminal_status(&self, terminal: TerminalId) -> Result<TerminalStatus, MspError> {
        Ok(self.terminal(terminal)?.status())
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
        for (_, call) in lock(&self.calls).drain() {
            call.shut_down();
        }
        for terminal in lock(&self.terminals).values() {
            if let Err(error) = terminal.finish() {
                tracing::warn!(%error, terminal = %terminal.info.name, "a terminal did not end cleanly");
            }
        }
    }
}
