//! The control side of one engine: builds both halves, sends them commands, drops what they retire.
//! In: the application's wishes. Out: [`Control`], the two processors.
//! Not here: what the halves do (`rt`), who drives them (`ticker.rs`, sound cards).

pub mod bus;
pub mod clip;
pub mod clock;
pub mod packets;
pub mod pcm;
pub mod record;
pub mod ticker;
pub mod tone;

use std::sync::Arc;

use offhook_codecs::Level;
use offhook_rtp::ReceivedEvent;

use crate::command::{
    CommandRing, CommandSender, Full, RxCommand, RxOrder, SinkId, SourceId, TxCommand, TxOrder, commands,
};
use crate::config::EngineConfig;
use crate::meters::{Meters, RxMeters, TxMeters};
use crate::rt::events::EVENTS_WAITING;
use crate::rt::gain::Gain;
use crate::rt::log::{LogRecord, RECORDS_WAITING};
use crate::rt::node::{NodeMeter, Sink, Source};
use crate::rt::rx::RxProcessor;
use crate::rt::tx::TxProcessor;
use crate::sync::{Consumer, ring};
use crate::trash::{TrashHeap, trash};

/// Builds an engine: its control handle, its sending half and its receiving half.
///
/// Allocates everything that the halves will ever need.
pub fn split(config: EngineConfig) -> (Control, TxProcessor, RxProcessor) {
    let config = config.checked();
    let (tx_sender, tx_orders) = commands(config.commands, CommandRing::Transmit);
    let (rx_sender, rx_orders) = commands(config.commands, CommandRing::Receive);
    let (tx_bin, tx_heap) = trash(config.commands);
    let (rx_bin, rx_heap) = trash(config.commands);
    let meters = Arc::new(Meters::new(&TxMeters::default(), &RxMeters::default()));
    let (received, events) = ring(EVENTS_WAITING);
    let [(tx_log, tx_records), (rx_log, rx_records)] = [ring(RECORDS_WAITING), ring(RECORDS_WAITING)];
    let tx = TxProcessor::new(config, tx_orders, tx_bin, Arc::clone(&meters), tx_log);
    let rx = RxProcessor::new(config, rx_orders, rx_bin, Arc::clone(&meters), received, rx_log);
    let control = Control {
        config,
        tx: tx_sender,
        rx: rx_sender,
        trash: [tx_heap, rx_heap],
        meters,
        sources: Vec::new(),
        sinks: Vec::new(),
        events,
        logs: [tx_records, rx_records],
        next_id: 0,
    };
    (control, tx, rx)
}

/// The control handle of one engine. Every method returns at once.
///
/// Commands are carried out at the start of a later block, in order. [`Self::is_settled`] tells when all were.
pub struct Control {
    config: EngineConfig,
    tx: CommandSender<TxOrder>,
    rx: CommandSender<RxOrder>,
    trash: [TrashHeap; 2],
    meters: Arc<Meters>,
    sources: Vec<(SourceId, Arc<NodeMeter>)>,
    sinks: Vec<(SinkId, Arc<NodeMeter>)>,
    events: Consumer<ReceivedEvent>,
    logs: [Consumer<LogRecord>; 2],
    next_id: u32,
}

/// Why a source or sink was not added; here it is again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeError<T> {
    /// `EngineConfig::max_nodes` of its kind are there.
    #[error("the engine holds {max} of them already")]
    TooMany {
        /// What was not added.
        node: T,
        /// How many there can be.
        max: usize,
    },
    /// The command ring is full.
    #[error("the command ring is full: the processor is not being driven, or is behind")]
    RingFull(T),
}

impl Control {
    /// Tells the sending half something.
    ///
    /// # Errors
    ///
    /// [`Full`] with the command: try again after a block.
    pub fn tx(&mut self, command: TxCommand) -> Result<(), Full<TxCommand>> {
        self.collect();
        self.tx.send(TxOrder::Command(command)).or_else(|full| match full.value {
            TxOrder::Command(value) => Err(Full { value, ring: full.ring }),
            // Only a command was sent.
            TxOrder::AddSource(..) | TxOrder::RemoveSource(_) => Ok(()),
        })
    }

    /// Tells the receiving half something.
    ///
    /// # Errors
    ///
    /// [`Full`] with the command: try again after a block.
    pub fn rx(&mut self, command: RxCommand) -> Result<(), Full<RxCommand>> {
        self.collect();
        self.rx.send(RxOrder::Command(command)).or_else(|full| match full.value {
            RxOrder::Command(value) => Err(Full { value, ring: full.ring }),
            // Only a command was sent.
            RxOrder::AddSink(..) | RxOrder::RemoveSink(_) => Ok(()),
        })
    }

    /// Adds something for the peer to hear.
    ///
    /// # Errors
    ///
    /// [`NodeError`] with the source.
    pub fn add_source(
        &mut self,
        source: Box<dyn Source>,
        gain: Gain,
    ) -> Result<SourceId, NodeError<Box<dyn Source>>> {
        self.collect();
        if self.sources.len() >= self.config.max_nodes {
            return Err(NodeError::TooMany { node: source, max: self.config.max_nodes });
        }
        let id = SourceId(self.next_id);
        let meter = Arc::new(NodeMeter::new());
        match self.tx.send(TxOrder::AddSource(id, source, gain, Arc::clone(&meter))) {
            Ok(()) => {
                self.next_id = self.next_id.wrapping_add(1);
                self.sources.push((id, meter));
                Ok(id)
            }
            Err(Full { value: TxOrder::AddSource(_, source, ..), .. }) => Err(NodeError::RingFull(source)),
            // Only a source was sent.
            Err(_) => Ok(id),
        }
    }

    /// Removes a source; it fades within 5 ms if it is heard, and comes back to be dropped. An unknown one is no error.
    ///
    /// # Errors
    ///
    /// [`Full`] with the name: try again after a block.
    pub fn remove_source(&mut self, id: SourceId) -> Result<(), Full<SourceId>> {
        self.collect();
        self.tx.send(TxOrder::RemoveSource(id)).map_err(|full| Full { value: id, ring: full.ring })?;
        self.sources.retain(|(known, _)| *known != id);
        Ok(())
    }

    /// Adds something that hears the peer.
    ///
    /// # Errors
    ///
    /// [`NodeError`] with the sink.
    pub fn add_sink(&mut self, sink: Box<dyn Sink>) -> Result<SinkId, NodeError<Box<dyn Sink>>> {
        self.collect();
        if self.sinks.len() >= self.config.max_nodes {
            return Err(NodeError::TooMany { node: sink, max: self.config.max_nodes });
        }
        let id = SinkId(self.next_id);
        let meter = Arc::new(NodeMeter::new());
        match self.rx.send(RxOrder::AddSink(id, sink, Arc::clone(&meter))) {
            Ok(()) => {
                self.next_id = self.next_id.wrapping_add(1);
                self.sinks.push((id, meter));
                Ok(id)
            }
            Err(Full { value: RxOrder::AddSink(_, sink, _), .. }) => Err(NodeError::RingFull(sink)),
            // Only a sink was sent.
            Err(_) => Ok(id),
        }
    }

    /// Removes a sink; it comes back to be dropped. An unknown one is no error.
    ///
    /// # Errors
    ///
    /// [`Full`] with the name: try again after a block.
    pub fn remove_sink(&mut self, id: SinkId) -> Result<(), Full<SinkId>> {
        self.collect();
        self.rx.send(RxOrder::RemoveSink(id)).map_err(|full| Full { value: id, ring: full.ring })?;
        self.sinks.retain(|(known, _)| *known != id);
        Ok(())
    }

    /// How loud a source is after its gain, over the last `EngineConfig::meter_ms`; `None` once it was removed.
    pub fn source_level(&self, id: SourceId) -> Option<Level> {
        self.sources.iter().find(|(known, _)| *known == id).map(|(_, meter)| meter.level())
    }

    /// How loud a sink hears the peer, after its gain, over the last `EngineConfig::meter_ms`; `None` once it was
    /// removed.
    pub fn sink_level(&self, id: SinkId) -> Option<Level> {
        self.sinks.iter().find(|(known, _)| *known == id).map(|(_, meter)| meter.level())
    }

    /// The next event that the peer sent (RFC 4733), each once and in order; 64 wait, later ones are counted as lost.
    pub fn next_event(&mut self) -> Option<ReceivedEvent> {
        self.events.pop()
    }

    /// The next record of what happened in real time: the sending half's first, each half's in order. Eight wait for
    /// each; later ones are counted by the next that finds a slot.
    pub fn next_log(&mut self) -> Option<LogRecord> {
        self.logs.iter_mut().find_map(Consumer::pop)
    }

    /// Drops what the halves have retired, and tells how many objects that were. Every other method does so as well;
    /// call it from time to time all the same: while the trash ring is full, commands wait.
    pub fn collect(&mut self) -> usize {
        self.trash.iter_mut().map(TrashHeap::empty).sum()
    }

    /// Whether both halves have carried out every command sent so far.
    pub fn is_settled(&self) -> bool {
        self.meters.tx().commands == self.tx.sent() && self.meters.rx().commands == self.rx.sent()
    }

    /// The numbers of both halves; to be kept and read by any thread.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// What the engine was built with.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("config", &self.config).finish_non_exhaustive()
    }
}
