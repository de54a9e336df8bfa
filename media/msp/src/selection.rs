//! Terminals that join and leave the streams of a call, in any state of it.
//! In: selections, cards that die. Out: nodes in the engine, halves that change their clock.
//! Not here: what a terminal is (`terminal`), whether the stream runs (`stream.rs`).

use std::sync::Arc;
use std::time::Instant;

use offhook_codecs::CodecKind;
use offhook_device::{Selector, Sound, SoundStream};
use offhook_engine::{Gain, NodeError, RxCommand, Sink, Source, TxCommand};
use offhook_spi::mspi::{Direction, SoundLevel};
use offhook_spi::{MspError, MspEventCause, StreamId, TerminalId};

use crate::call::{Call, CallState};
use crate::channels::needs_packets;
use crate::clocks::{ClockError, Wanted, Watched};
use crate::statistics::SILENCE_DBFS;
use crate::stream::{Node, Selected, Stream};
use crate::terminal::{CardTerminal, Context, Kind, Place, RtpTapTerminal, Terminal, microphone, speaker};

impl Call {
    /// Joins a terminal to a stream.
    ///
    /// # Errors
    ///
    /// [`MspError`]; the stream is as before.
    pub(crate) fn select(&self, id: StreamId, terminal: &Arc<Terminal>) -> Result<(), MspError> {
        self.with(|state| {
            let direction = state.stream(id)?.info.direction;
            state.check_suits(direction, terminal)?;
            terminal.occupy(Place { call: self.id, stream: id, direction })?;
            match state.attach(direction, terminal) {
                Ok((node, bridged)) => {
                    let selected = Selected { terminal: Arc::clone(terminal), node, bridged };
                    state.towards(direction).selected.push(selected);
                    state.refresh(direction, MspEventCause::LocalRequest);
                    Ok(())
                }
                Err(error) => {
                    if let Kind::Conference(_) = terminal.kind {
                        // It may have joined before it failed.
                        terminal.detach();
                    }
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
            let Selected { node, bridged, terminal: leaver } = stream.selected.swap_remove(index);
            if let Kind::Card(card) = &leaver.kind {
                stream.xruns_before += card.end();
            }
            // The half stops first, so that a recording's last sample is the stream's.
            state.refresh(direction, MspEventCause::LocalRequest);
            drop(bridged);
            state.detach(direction, node);
            if let Err(why) = state.check_codec(direction) {
                // What is left deals in sound.
                state.stream_failed(direction, &why);
            }
            Ok(())
        })?;
        self.settle();
        terminal.detach();
        terminal.vacate(id);
        Ok(())
    }
}

impl Call {
    /// Makes a terminal that is selected as loud as it is to be.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] if the engine does not keep up.
    pub(crate) fn follow_volume(&self, direction: Direction, terminal: &Terminal) -> Result<(), MspError> {
        self.with(|state| match state.node_of(direction, terminal) {
            Some(node) => state.set_volume(direction, node, terminal.gain(direction)),
            None => Ok(()),
        })
    }

    /// How loud a terminal is, if it is selected and has sound.
    pub(crate) fn level(&self, direction: Direction, terminal: &Terminal) -> Option<SoundLevel> {
        let level = self.with(|state| match state.node_of(direction, terminal)? {
            Node::Source(id) => state.control.source_level(id),
            Node::Sink(id) => state.control.sink_level(id),
            Node::Card => match &terminal.kind {
                Kind::Card(card) => Some(card.level(direction, terminal.volume())),
                _ => None,
            },
            Node::Tap | Node::Injector | Node::Gone => None,
        })?;
        let dbfs = |dbfs: f32| f64::from(dbfs).max(SILENCE_DBFS);
        Some(SoundLevel { rms_dbfs: dbfs(level.rms_dbfs), peak_dbfs: dbfs(level.peak_dbfs) })
    }
}

/// The system's default devices, by what tells them from others.
pub(crate) struct Defaults {
    pub(crate) capture: Option<String>,
    pub(crate) playback: Option<String>,
}

impl Call {
    /// Takes cards up again that have come back, and follows the default devices. A sound server that does not answer
    /// is waited for without the call's lock.
    pub(crate) fn look_after_cards(&self, sound: &Sound, defaults: &Defaults) {
        let away = self.with(|state| {
            if state.alive().is_err() {
                return Vec::new();
            }
            state.note_dead_cards();
            state.follow_default(Direction::Capture, defaults.capture.as_deref());
            state.follow_default(Direction::Render, defaults.playback.as_deref());
            state.cards_away()
        });
        for (direction, terminal) in away {
            let Kind::Card(card) = &terminal.kind else { continue };
            let began = Instant::now();
            let found = match direction {
                Direction::Capture => sound.find_capture(&card.selector),
                Direction::Render => sound.find_playback(&card.selector),
            };
            let found = found.map_err(|why| why.to_string());
            let taken = found.and_then(|_| {
                self.with(|state| state.take_up(direction, &terminal)).map_err(|why| why.to_string())
            });
            if let Err(why) = taken {
                card.put_off(began.elapsed());
                tracing::debug!(why, card = terminal.info.name, "still away");
            }
        }
    }
}

impl CallState {
    /// Refuses a terminal of sound on a stream whose codec only passes through, unless packets have a place there already.
    fn check_suits(&mut self, direction: Direction, terminal: &Terminal) -> Result<(), MspError> {
        let deals_in_packets = match direction {
            Direction::Capture => matches!(terminal.kind, Kind::RtpInjector(_)),
            Direction::Render => matches!(terminal.kind, Kind::RtpTap(_)),
        };
        let stream = self.towards(direction);
        let open = stream.channel.and(stream.codec);
        if deals_in_packets || stream.carries_packets() || open.is_none_or(CodecKind::is_runnable) {
            return Ok(());
        }
        let why = open.map_or_else(String::new, |kind| needs_packets(direction, kind));
        Err(MspError::InvalidTerminal(format!("{}: {why}", terminal.info.name)))
    }

    /// Puts what stands for a terminal into the engine.
    fn attach(
        &mut self,
        direction: Direction,
        terminal: &Arc<Terminal>,
    ) -> Result<(Node, Option<Watched>), MspError> {
        match &terminal.kind {
            Kind::Card(card) => self.seat(direction, card, terminal.gain(direction)),
            _ => self.add(direction, terminal).map(|node| (node, None)),
        }
    }

    /// Adds a node for a terminal that has no clock of its own.
    fn add(&mut self, direction: Direction, terminal: &Arc<Terminal>) -> Result<Node, MspError> {
        let stream = self.towards(direction).info.id;
        let context = || Context { reporter: self.reporter.clone(), stream, terminal: terminal.info.id };
        let gain = terminal.gain(direction);
        match (&terminal.kind, direction) {
            (Kind::Playback(playback), _) => {
                let source = playback.source(context())?;
                self.add_source(source, gain).inspect_err(|_| playback.detach())
            }
            (Kind::Record(recording), _) => {
                let sink = recording.sink(context());
                self.add_sink(sink, gain).inspect_err(|_| recording.abandon())
            }
            (Kind::Tone(tone), Direction::Capture) => self.add_source(tone.source(), gain),
            (Kind::Tone(tone), Direction::Render) => self.add_sink(tone.sink(), gain),
            (Kind::Generator(generator), _) => self.add_source(generator.source(), gain),
            (Kind::Mouth(mouth), _) => self.add_source(mouth.source()?, gain),
            (Kind::Ear(ear), _) => self.add_sink(ear.sink()?, gain),
            (Kind::Plug(plug) | Kind::Detector(plug, _), Direction::Capture) => {
                let source = plug.source(context())?;
                self.add_source(source, gain).inspect_err(|_| plug.detach())
            }
            (Kind::Plug(plug) | Kind::Detector(plug, _), Direction::Render) => {
                let sink = plug.sink(context())?;
                self.add_sink(sink, gain).inspect_err(|_| plug.detach())
            }
            (Kind::Echo(_) | Kind::Conference(_), Direction::Capture) => {
                let (source, is_new) = speaking(terminal)?;
                let node = self.add_source(source, gain)?;
                if is_new {
                    self.replace(Direction::Render, terminal.info.id, |state| {
                        state.add_sink(hearing(terminal)?.0, terminal.gain(Direction::Render))
                    })?;
                }
                Ok(node)
            }
            (Kind::Echo(_) | Kind::Conference(_), Direction::Render) => {
                let (sink, is_new) = hearing(terminal)?;
                let node = self.add_sink(sink, gain)?;
                if is_new {
                    self.replace(Direction::Capture, terminal.info.id, |state| {
                        state.add_source(speaking(terminal)?.0, terminal.gain(Direction::Capture))
                    })?;
                }
                Ok(node)
            }
            (Kind::RtpTap(tap), _) => self.add_tap(direction, tap),
            (Kind::RtpInjector(injector), _) => {
                self.alone(Direction::Capture, Node::Injector)?;
                let told = self.tell_tx(TxCommand::SetPacketInjector(injector.injector()));
                told.map_err(MspError::Resource).map(|()| Node::Injector)
            }
            (Kind::Card(_), _) => Ok(Node::Gone),
        }
    }

    fn node_of(&mut self, direction: Direction, terminal: &Terminal) -> Option<Node> {
        let mut all = self.towards(direction).selected.iter();
        all.find(|other| other.terminal.info.id == terminal.info.id).map(|other| other.node)
    }

    /// Gives the other end of an echo, or of a place in a conference, its new mate, if it is selected there.
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
            Node::Tap if direction == Direction::Capture => self.tell_tx(TxCommand::ClearPacketTap),
            Node::Tap => self.tell_rx(RxCommand::ClearPacketTap),
            Node::Injector => self.tell_tx(TxCommand::ClearPacketInjector),
            Node::Card => self.unseat(direction).map_err(|why| why.to_string()),
            Node::Gone => Ok(()),
        };
        if let Err(why) = gone {
            self.stream_failed(direction, &why);
        }
    }

    fn add_source(&mut self, source: Box<dyn Source>, gain: Gain) -> Result<Node, MspError> {
        self.control.add_source(source, gain).map(Node::Source).map_err(refused)
    }

    fn add_sink(&mut self, sink: Box<dyn Sink>, gain: Gain) -> Result<Node, MspError> {
        let node = self.control.add_sink(sink).map_err(refused)?;
        if gain != Gain::UNITY {
            self.tell_rx(RxCommand::SetSinkGain(node, gain)).map_err(MspError::Resource)?;
        }
        Ok(Node::Sink(node))
    }

    /// A half has one tap of its packets.
    fn add_tap(&mut self, direction: Direction, tap: &RtpTapTerminal) -> Result<Node, MspError> {
        self.alone(direction, Node::Tap)?;
        let told = match direction {
            Direction::Capture => self.tell_tx(TxCommand::SetPacketTap(tap.tap())),
            Direction::Render => self.tell_rx(RxCommand::SetPacketTap(tap.tap())),
        };
        told.map_err(MspError::Resource).map(|()| Node::Tap)
    }

    fn alone(&mut self, direction: Direction, node: Node) -> Result<(), MspError> {
        let is_taken = self.towards(direction).selected.iter().any(|other| other.node == node);
        if is_taken { Err(MspError::MaxTerminals) } else { Ok(()) }
    }

    /// Makes a terminal's node as loud as the terminal is to be.
    fn set_volume(&mut self, direction: Direction, node: Node, gain: Gain) -> Result<(), MspError> {
        let told = match node {
            Node::Source(id) => self.tell_tx(TxCommand::SetSourceGain(id, gain)),
            Node::Sink(id) => self.tell_rx(RxCommand::SetSinkGain(id, gain)),
            Node::Card if direction == Direction::Capture => self.tell_tx(TxCommand::SetMicrophone(gain)),
            Node::Card => self.tell_rx(RxCommand::SetSpeaker(gain)),
            Node::Tap | Node::Injector | Node::Gone => Ok(()),
        };
        told.map_err(MspError::Resource)
    }

    /// Lets the first card of a stream drive its half; joins a further one to that clock by a bridge.
    fn seat(
        &mut self,
        direction: Direction,
        card: &CardTerminal,
        gain: Gain,
    ) -> Result<(Node, Option<Watched>), MspError> {
        let media = Arc::clone(&self.media);
        let (sound, request, patience) = (media.sound(), media.stream_request(), card.patience());
        let wanted = &Wanted { selector: &card.selector, request, patience };
        if self.towards(direction).selected.iter().all(|other| other.node != Node::Card) {
            // Before the first sample: the card that was here may have had another volume.
            self.set_volume(direction, Node::Card, gain)?;
            let (ticker, probe) = (&media.ticker, Arc::clone(&card.probe));
            let seated = match direction {
                Direction::Capture => self.clocks.capture_from(ticker, sound, wanted, probe),
                Direction::Render => self.clocks.play_to(ticker, sound, wanted, probe),
            };
            seated.map_err(|why| MspError::Resource(why.to_string()))?;
            if let Some(stream) = self.clock_of(direction) {
                card.begin(stream.meter());
            }
            return Ok((Node::Card, None));
        }
        let (node, stream) = match direction {
            Direction::Capture => {
                let (source, stream) = microphone(sound, card, wanted)?;
                self.apart(direction, &stream)?;
                (self.add_source(source, gain)?, stream)
            }
            Direction::Render => {
                let (sink, stream) = speaker(sound, card, wanted)?;
                self.apart(direction, &stream)?;
                (self.add_sink(sink, gain)?, stream)
            }
        };
        card.begin(stream.meter());
        Ok((node, Some(Watched::new(stream))))
    }

    /// One device twice on a stream would be heard twice as loud.
    fn apart(&mut self, direction: Direction, stream: &SoundStream) -> Result<(), MspError> {
        let clock = self.clock_of(direction).map(|clock| clock.device_id().to_owned());
        let others = self.towards(direction).selected.iter().filter_map(|other| other.bridged.as_ref());
        let mut ids = others.map(|other| other.stream.device_id());
        if clock.as_deref() == Some(stream.device_id()) || ids.any(|id| id == stream.device_id()) {
            return Err(MspError::MaxTerminals);
        }
        Ok(())
    }

    /// The stream of the card that drives a half.
    fn clock_of(&self, direction: Direction) -> Option<&SoundStream> {
        match direction {
            Direction::Capture => self.clocks.capture_card(),
            Direction::Render => self.clocks.playback_card(),
        }
    }

    fn unseat(&mut self, direction: Direction) -> Result<(), ClockError> {
        match direction {
            Direction::Capture => self.clocks.leave_capture(&self.media.ticker),
            Direction::Render => self.clocks.leave_playback(&self.media.ticker),
        }
    }

    /// Cards that died give their half back to the ticker; the call goes on without their sound.
    pub(crate) fn note_dead_cards(&mut self) {
        for direction in [Direction::Capture, Direction::Render] {
            let why = match direction {
                Direction::Capture => self.clocks.capture_failure(),
                Direction::Render => self.clocks.playback_failure(),
            };
            if let Some(why) = why {
                self.lose(direction, Node::Card, why);
            }
            let dead = |selected: &mut Selected| {
                let why = selected.bridged.as_mut()?.failure()?;
                Some((selected.node, why))
            };
            while let Some((node, why)) = self.towards(direction).selected.iter_mut().find_map(dead) {
                self.lose(direction, node, why);
            }
        }
    }

    /// A card's node goes; the terminal stays selected and waits for its card.
    fn lose(&mut self, direction: Direction, node: Node, why: String) {
        tracing::warn!(call = self.id.0, why, "a sound device failed");
        let stream = self.towards(direction);
        let id = stream.info.id;
        let dead = stream.selected.iter_mut().find(|selected| selected.node == node).map(|selected| {
            selected.node = Node::Gone;
            if let Kind::Card(card) = &selected.terminal.kind {
                card.fail(why);
            }
            (selected.terminal.info.id, selected.bridged.take())
        });
        self.detach(direction, node);
        if let Some((terminal, bridged)) = dead {
            drop(bridged);
            self.reporter.terminal_failed(id, terminal, MspEventCause::BadDevice);
        }
    }

    /// Cards that are away and due to be tried again.
    fn cards_away(&self) -> Vec<(Direction, Arc<Terminal>)> {
        let now = Instant::now();
        let both = [(Direction::Capture, &self.capture), (Direction::Render, &self.render)];
        let away = |selected: &&Selected| {
            let due = matches!(&selected.terminal.kind, Kind::Card(card) if card.is_due(now));
            due && selected.node == Node::Gone
        };
        let each = both.into_iter().flat_map(|(direction, stream)| {
            let found = stream.selected.iter().filter(away);
            found.map(move |selected| (direction, Arc::clone(&selected.terminal)))
        });
        each.collect()
    }

    /// Takes a card up again that is there.
    fn take_up(&mut self, direction: Direction, terminal: &Arc<Terminal>) -> Result<(), MspError> {
        let is_it = |s: &Selected| s.terminal.info.id == terminal.info.id && s.node == Node::Gone;
        if self.alive().is_err() || !self.towards(direction).selected.iter().any(is_it) {
            return Ok(());
        }
        let (node, bridged) = self.attach(direction, terminal)?;
        tracing::info!(call = self.id.0, card = terminal.info.name, "a sound device is back");
        if let Some(selected) = self.towards(direction).selected.iter_mut().find(|s| is_it(s)) {
            (selected.node, selected.bridged) = (node, bridged);
        }
        Ok(())
    }

    /// A terminal that is "the default device" goes where the system's default has gone.
    fn follow_default(&mut self, direction: Direction, default: Option<&str>) {
        let is_default = |selected: &&Selected| {
            let is_card = selected.node == Node::Card || selected.bridged.is_some();
            is_card
                && matches!(&selected.terminal.kind, Kind::Card(card) if card.selector == Selector::Default)
        };
        let Some(selected) = self.towards(direction).selected.iter().find(is_default) else { return };
        let (node, terminal) = (selected.node, Arc::clone(&selected.terminal));
        let clock = || self.clock_of(direction).map(|stream| stream.device_id().to_owned());
        let bridged = selected_stream(&self.capture, &self.render, direction, &terminal);
        let Some(now) = bridged.or_else(clock) else { return };
        if default.is_none_or(|default| default == now) {
            return;
        }
        tracing::info!(call = self.id.0, ?direction, "the default sound device has changed");
        let mut all = self.towards(direction).selected.iter_mut();
        if let Some(selected) = all.find(|other| other.terminal.info.id == terminal.info.id) {
            // From here on it is a card that is away, and is taken up again at once.
            selected.node = Node::Gone;
            drop(selected.bridged.take());
        }
        self.detach(direction, node);
    }
}

/// The device of a terminal that a bridge serves.
fn selected_stream(
    capture: &Stream,
    render: &Stream,
    direction: Direction,
    terminal: &Terminal,
) -> Option<String> {
    let stream = if direction == Direction::Capture { capture } else { render };
    let selected = stream.selected.iter().find(|other| other.terminal.info.id == terminal.info.id)?;
    selected.bridged.as_ref().map(|watched| watched.stream.device_id().to_owned())
}

/// The end of a terminal that faces both ways which hears the peer; whether its mate is new.
fn hearing(terminal: &Terminal) -> Result<(Box<dyn Sink>, bool), MspError> {
    match &terminal.kind {
        Kind::Conference(place) => place.sink(),
        Kind::Echo(echo) => Ok(echo.sink()),
        _ => Err(MspError::InvalidTerminal(format!("{}: it faces one way", terminal.info.name))),
    }
}

/// The end that the peer hears.
fn speaking(terminal: &Terminal) -> Result<(Box<dyn Source>, bool), MspError> {
    match &terminal.kind {
        Kind::Conference(place) => place.source(),
        Kind::Echo(echo) => Ok(echo.source()),
        _ => Err(MspError::InvalidTerminal(format!("{}: it faces one way", terminal.info.name))),
    }
}

fn refused<T>(error: NodeError<T>) -> MspError {
    match error {
        NodeError::TooMany { .. } => MspError::MaxTerminals,
        NodeError::RingFull(_) => MspError::Resource("the call's media engine does not keep up".to_owned()),
    }
}
