//! Terminals that join and leave the streams of a call, in any state of it.
//! In: selections, cards that die. Out: nodes in the engine, halves that change their clock.
//! Not here: what a terminal is (`terminal`), whether the stream runs (`stream.rs`).

use std::sync::Arc;

use offhook_engine::{Gain, NodeError, Sink, Source};
use offhook_spi::mspi::Direction;
use offhook_spi::{MspError, MspEventCause, StreamId, TerminalId};

use crate::call::{Call, CallState};
use crate::clocks::ClockError;
use crate::stream::{Node, Selected};
use crate::terminal::{CardTerminal, Context, Kind, Place, Terminal};

impl Call {
    /// Joins a terminal to a stream.
    ///
    /// # Errors
    ///
    /// [`MspError`]; the stream is as before.
    pub(crate) fn select(&self, id: StreamId, terminal: &Arc<Terminal>) -> Result<(), MspError> {
        self.with(|state| {
            let direction = state.stream(id)?.info.direction;
            terminal.occupy(Place { call: self.id, stream: id, direction })?;
            match state.attach(direction, terminal) {
                Ok(node) => {
                    let selected = Selected { terminal: Arc::clone(terminal), node };
                    state.towards(direction).selected.push(selected);
                    state.refresh(direction, MspEventCause::LocalRequest);
                    Ok(())
                }
                Err(error) => {
                    terminal.vacate(id);
                    Err(error)
                }
            }
        })
    }

    /// Takes a terminal from a stream. What it has heard is with it when this returns.
    ///
    /// # Errors
    ///
    /// [`MspError::InvalidTerminal`] if it is not selected there.
    pub(crate) fn unselect(&self, id: StreamId, terminal: &Terminal) -> Result<(), MspError> {
        self.with(|state| {
            let stream = state.stream(id)?;
            let direction = stream.info.direction;
            let index = stream.selected.iter().position(|other| other.terminal.info.id == terminal.info.id);
            let Some(index) = index else {
                let why = format!("{}: not selected on this stream", terminal.info.name);
                return Err(MspError::InvalidTerminal(why));
            };
            let Selected { node, .. } = stream.selected.swap_remove(index);
            // The half stops first, so that a recording's last sample is the stream's.
            state.refresh(direction, MspEventCause::LocalRequest);
            state.detach(direction, node);
            Ok(())
        })?;
        self.settle();
        terminal.detach();
        terminal.vacate(id);
        Ok(())
    }
}

impl CallState {
    /// Puts what stands for a terminal into the engine.
    fn attach(&mut self, direction: Direction, terminal: &Arc<Terminal>) -> Result<Node, MspError> {
        let stream = self.towards(direction).info.id;
        let context = || Context { reporter: self.reporter.clone(), stream, terminal: terminal.info.id };
        match (&terminal.kind, direction) {
            (Kind::Playback(playback), _) => {
                let source = playback.source(context())?;
                self.add_source(source).inspect_err(|_| playback.detach())
            }
            (Kind::Record(recording), _) => {
                let sink = recording.sink(context());
                self.add_sink(sink).inspect_err(|_| recording.abandon())
            }
            (Kind::Tone(tone), Direction::Capture) => self.add_source(tone.source()),
            (Kind::Tone(tone), Direction::Render) => self.add_sink(tone.sink()),
            (Kind::Echo(echo), Direction::Capture) => {
                let (source, is_new) = echo.source();
                let node = self.add_source(source)?;
                if is_new {
                    self.replace(Direction::Render, terminal.info.id, |state| state.add_sink(echo.sink().0))?;
                }
                Ok(node)
            }
            (Kind::Echo(echo), Direction::Render) => {
                let (sink, is_new) = echo.sink();
                let node = self.add_sink(sink)?;
                if is_new {
                    self.replace(Direction::Capture, terminal.info.id, |state| {
                        state.add_source(echo.source().0)
                    })?;
                }
                Ok(node)
            }
            (Kind::Card(card), _) => self.seat(direction, card),
        }
    }

    /// Gives the other end of an echo its new mate, if it is selected there.
    fn replace(
        &mut self,
        direction: Direction,
        terminal: TerminalId,
        make: impl FnOnce(&mut Self) -> Result<Node, MspError>,
    ) -> Result<(), MspError> {
        let find = |selected: &&mut Selected| selected.terminal.info.id == terminal;
        let Some(old) = self.towards(direction).selected.iter_mut().find(find).map(|other| other.node) else {
            return Ok(());
        };
        self.detach(direction, old);
        let node = make(self)?;
        if let Some(selected) = self.towards(direction).selected.iter_mut().find(find) {
            selected.node = node;
        }
        Ok(())
    }

    /// Takes it out again.
    fn detach(&mut self, direction: Direction, node: Node) {
        let gone = match node {
            Node::Source(id) => self.control.remove_source(id).map_err(|full| full.to_string()),
            Node::Sink(id) => self.control.remove_sink(id).map_err(|full| full.to_string()),
            Node::Card => self.unseat(direction).map_err(|why| why.to_string()),
            Node::Gone => Ok(()),
        };
        if let Err(why) = gone {
            self.stream_failed(direction, &why);
        }
    }

    fn add_source(&mut self, source: Box<dyn Source>) -> Result<Node, MspError> {
        self.control.add_source(source, Gain::UNITY).map(Node::Source).map_err(refused)
    }

    fn add_sink(&mut self, sink: Box<dyn Sink>) -> Result<Node, MspError> {
        self.control.add_sink(sink).map(Node::Sink).map_err(refused)
    }

    /// Lets a card drive a half. One card a half: there is one clock.
    fn seat(&mut self, direction: Direction, card: &CardTerminal) -> Result<Node, MspError> {
        if self.towards(direction).selected.iter().any(|other| other.node == Node::Card) {
            return Err(MspError::MaxTerminals);
        }
        let probe = Arc::clone(&card.probe);
        let (ticker, sound) = (&self.media.ticker, self.media.sound());
        let wanted = (&card.selector, self.media.stream_request());
        let seated = match direction {
            Direction::Capture => self.clocks.capture_from(ticker, sound, wanted, probe),
            Direction::Render => self.clocks.play_to(ticker, sound, wanted, probe),
        };
        seated.map_err(|why| MspError::Resource(why.to_string()))?;
        card.forget_failure();
        Ok(Node::Card)
    }

    fn unseat(&mut self, direction: Direction) -> Result<(), ClockError> {
        match direction {
            Direction::Capture => self.clocks.leave_capture(&self.media.ticker),
            Direction::Render => self.clocks.leave_playback(&self.media.ticker),
        }
    }

    /// Cards that died give their half back to the ticker; the call goes on without their sound.
    pub(crate) fn note_dead_cards(&mut self) {
        let failures = [
            (Direction::Capture, self.clocks.capture_failure()),
            (Direction::Render, self.clocks.playback_failure()),
        ];
        for (direction, why) in failures {
            let Some(why) = why else { continue };
            tracing::warn!(call = self.id.0, why, "a sound device failed");
            let stream = self.towards(direction);
            let id = stream.info.id;
            let dead =
                stream.selected.iter_mut().find(|selected| selected.node == Node::Card).map(|selected| {
                    selected.node = Node::Gone;
                    if let Kind::Card(card) = &selected.terminal.kind {
                        card.fail(why);
                    }
                    selected.terminal.info.id
                });
            if let Err(why) = self.unseat(direction) {
                self.stream_failed(direction, &why.to_string());
            }
            if let Some(terminal) = dead {
                self.reporter.terminal_failed(id, terminal, MspEventCause::BadDevice);
            }
        }
    }
}

fn refused<T>(error: NodeError<T>) -> MspError {
    match error {
        NodeError::TooMany { .. } => MspError::MaxTerminals,
        NodeError::RingFull(_) => MspError::Resource("the call's media engine does not keep up".to_owned()),
    }
}
