//! What `call` and `answer` share: configuration from arguments, terminals for a call, its course as events tell it.
//!
//! In: arguments, events. Out: [`EmbeddedConfig`], selected [`Terminals`], a [`Course`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offhook::arrivals::Arrivals;
use offhook::capture::Capture;
use offhook::{
    Address, Call, CallConfig, CallStatus, CardStatus, ConnectedMode, Direction, EmbeddedConfig, Event,
    H323Config, LineCallState, MspCallEvent, MspConfig, MspEventCause, OpusSettings, SetupUnanswered, Stream,
    Terminal, TerminalClass, Timestamp,
};

use super::args::{MediaArgs, SignallingArgs};
use super::{Failure, register};

/// Longer than any call: what a duration is that nobody gave.
pub(super) const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The name of the one conference of `answer --conference`.
const CONFERENCE: &str = "answer";

/// What is written of a call beside its report.
#[derive(Default)]
pub(super) struct Tapes {
    pub(super) capture: Option<Arc<Capture>>,
    arrivals: Option<Arc<Arrivals>>,
}

impl Tapes {
    /// Ends them all; the first that failed is told.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let arrivals = self.arrivals.map_or(Ok(()), |arrivals| arrivals.finish());
        let captured = self.capture.map_or(Ok(()), |capture| capture.finish());
        captured.and(arrivals).map_err(Failure::new)
    }
}

/// The telephone that the arguments describe, and what it writes.
pub(super) fn configure(
    application: &str,
    media: &MediaArgs,
    signalling: &SignallingArgs,
    h323: H323Config,
) -> Result<(EmbeddedConfig, Tapes), Failure> {
    let capture =
        media.capture.as_deref().map(Capture::create).transpose().map_err(Failure::new)?.map(Arc::new);
    let h323 = self::signalling(signalling, h323)?;
    let call = h323.call.clone();
    let mut msp = MspConfig { bind: media.media_address, ..MspConfig::default() };
    msp.codecs.clone_from(&media.codec);
    msp.g711_fallback = !media.codec_only;
    msp.packet_ms = media.packet_ms;
    msp.silence_suppression = media.dtx;
    msp.redundancy = media.redundancy;
    msp.codec_settings.opus = OpusSettings {
        bitrate: media.opus.opus_bitrate,
        complexity: media.opus.opus_complexity,
        inband_fec: media.opus.opus_fec,
        expected_loss_percent: media.opus.opus_loss,
        dtx: media.dtx,
        ..OpusSettings::default()
    };
    msp.latch = media.latch;
    msp.telephone_event = media.telephone_event.0;
    msp.inband_digits = media.inband_digits;
    msp.extended_reports = media.rtcp_xr;
    msp.media_timeout_ms = media.media_timeout.as_millis() as u32;
    msp.card_period_us = media.period.as_micros() as u32;
    if let Some(host) = &media.sound_host {
        msp.sound = Some(Arc::new(offhook::device::Sound::on(host).map_err(Failure::new)?));
    }
    if let Some((low, high)) = media.rtp_ports {
        msp.ports = low..=high;
    }
    let h323 = match &capture {
        Some(capture) => {
            msp.tap = Some(capture.clone());
            H323Config { call, tap: Some(capture.clone()), ..h323 }
        }
        None => H323Config { call, ..h323 },
    };
    let arrivals = match &media.trace_arrivals {
        Some(path) => {
            let arrivals = Arc::new(Arrivals::create(path, msp.tap.take()).map_err(Failure::new)?);
            msp.tap = Some(arrivals.clone());
            Some(arrivals)
        }
        None => None,
    };
    let tapes = Tapes { capture, arrivals };
    Ok((EmbeddedConfig { application: application.to_owned(), h323, msp }, tapes))
}

/// The call control that the arguments describe.
pub(super) fn signalling(signalling: &SignallingArgs, h323: H323Config) -> Result<H323Config, Failure> {
    let mut timers = h323.call.timers.clone();
    for setting in &signalling.timer {
        setting.apply(&mut timers);
    }
    let repeated = if signalling.repeat_setup { SetupUnanswered::Repeat } else { SetupUnanswered::default() };
    let call = CallConfig {
        display: signalling.display.clone(),
        aliases: signalling.alias.iter().map(|a| register::alias(a)).collect(),
        fast_start: !signalling.no_fast_start,
        tunnelling: !signalling.no_tunnel,
        h245_in_setup: signalling.h245_in_setup,
        fast_connect_answer: signalling.fast_start_answer,
        repeat_fast_connect_answer: signalling.repeat_fast_start,
        codec_preference: signalling.prefer,
        multiple_calls: signalling.share_connection,
        maintain_connection: signalling.keep_connection,
        survive_signaling_loss: signalling.survive_signalling_loss,
        setup_unanswered: repeated,
        timers,
        ..h323.call.clone()
    };
    let gatekeeper = signalling.gatekeeper.config(&call.aliases)?;
    let name_servers = signalling.name_server.clone();
    Ok(H323Config { call, digits_via: signalling.digits_via, gatekeeper, name_servers, ..h323 })
}

/// Refuses two options that name the same file: the one would destroy what the other reads.
pub(super) fn apart(files: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
    let named: Vec<_> = files.iter().filter_map(|(option, path)| Some((option, real((*path)?)))).collect();
    for (at, (option, path)) in named.iter().enumerate() {
        if let Some((other, _)) = named.iter().skip(at + 1).find(|(_, other)| other == path) {
            return Err(Failure(format!("{option} and {other} name the same file: {}", path.display())));
        }
    }
    Ok(())
}

/// The file itself, or, where there is none yet, its place in its directory.
fn real(path: &Path) -> PathBuf {
    let place = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(place).unwrap_or_else(|| path.to_owned())
}

/// Where sound comes from and goes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Sound {
    /// A file to play.
    pub(super) play: Option<PathBuf>,
    /// Begin it again at its end.
    pub(super) repeat: bool,
    /// A tone to send.
    pub(super) tone: Option<f32>,
    /// A file to record into.
    pub(super) record: Option<PathBuf>,
    /// Say back what is heard.
    pub(super) echo: bool,
    /// Hear and be heard by all calls that are in it; no sound card.
    pub(super) conference: bool,
    /// No sound card where nothing else is chosen.
    pub(super) null: bool,
    /// The sound card beside a recording.
    pub(super) listen_in: bool,
    /// The cards to use instead of the default ones.
    pub(super) cards: Cards,
}

/// Sound cards by name or identifier.
#[derive(Clone, Debug, Default)]
pub(super) struct Cards {
    microphone: Option<String>,
    speaker: Option<String>,
}

impl Cards {
    pub(super) fn of(media: &MediaArgs) -> Self {
        Self { microphone: media.microphone.clone(), speaker: media.speaker.clone() }
    }

    /// The card of a direction as a terminal's class.
    fn class(&self, direction: Direction) -> TerminalClass {
        let name = match direction {
            Direction::Capture => &self.microphone,
            Direction::Render => &self.speaker,
        };
        name.clone().map_or(TerminalClass::DefaultDevice, |name| TerminalClass::Device { name })
    }

    /// Whether one was named for a direction.
    fn has(&self, direction: Direction) -> bool {
        matches!(self.class(direction), TerminalClass::Device { .. })
    }
}

/// The terminals of a call.
pub(super) struct Terminals {
    play: Option<(PathBuf, Terminal)>,
    record: Option<(PathBuf, Terminal)>,
    /// What belongs on both streams: an echo, a place in a conference.
    both: Option<Terminal>,
    others: Vec<Terminal>,
}

impl Sound {
    /// Makes the terminals; the error says what cannot be opened and how to go on.
    pub(super) fn terminals(&self, address: &Address) -> Result<Terminals, Failure> {
        let make = |class, direction| address.create_terminal(class, direction).map_err(Failure::new);
        let card = |direction| {
            let is_null = self.null && !self.cards.has(direction);
            let class = if is_null { TerminalClass::Null } else { self.cards.class(direction) };
            make(class, direction).map_err(|Failure(why)| {
                let (file, tone) = match direction {
                    Direction::Capture => ("--play FILE.wav", ", --tone HZ"),
                    Direction::Render => ("--record FILE.wav", ""),
                };
                Failure(format!("{why} (to go on without a sound card: {file}{tone}, or --null)"))
            })
        };
        let mut terminals = Terminals { play: None, record: None, both: None, others: Vec::new() };
        if self.echo {
            terminals.both = Some(make(TerminalClass::Echo, Direction::Capture)?);
        } else if self.conference {
            let class = TerminalClass::Conference { name: CONFERENCE.to_owned() };
            terminals.both = Some(make(class, Direction::Capture)?);
        }
        if let Some(path) = &self.play {
            let class = TerminalClass::FilePlayback { path: path.clone(), repeat: self.repeat };
            terminals.play = Some((path.clone(), make(class, Direction::Capture)?));
        } else if let Some(frequency) = self.tone {
            terminals.others.push(make(TerminalClass::Tone { frequency, level: -10.0 }, Direction::Capture)?);
        } else if terminals.both.is_none() {
            terminals.others.push(card(Direction::Capture)?);
        }
        if let Some(path) = &self.record {
            let class = TerminalClass::FileRecord { path: path.clone() };
            terminals.record = Some((path.clone(), make(class, Direction::Render)?));
        }
        if self.listen_in || (self.record.is_none() && terminals.both.is_none()) {
            terminals.others.push(card(Direction::Render)?);
        }
        Ok(terminals)
    }
}

impl Terminals {
    /// Selects each on the stream that it fits, or on both.
    pub(super) fn select(&self, call: &Call) -> Result<(), Failure> {
        for stream in call.streams().map_err(Failure::new)? {
            let fits = |terminal: &&Terminal| {
                self.both.as_ref() == Some(*terminal) || terminal.direction() == stream.direction()
            };
            for terminal in self.all().filter(fits) {
                stream.select_terminal(terminal).map_err(Failure::new)?;
            }
        }
        Ok(())
    }

    pub(super) fn play(&self) -> Option<(&Path, &Terminal)> {
        self.play.as_ref().map(|(path, terminal)| (path.as_path(), terminal))
    }

    /// The sound card of a direction, if the call has one.
    pub(super) fn card(&self, direction: Direction) -> Option<CardStatus> {
        let mut facing = self.others.iter().filter(|terminal| terminal.direction() == direction);
        facing.find_map(|terminal| terminal.status().ok()?.card)
    }

    pub(super) fn record(&self) -> Option<(&Path, &Terminal)> {
        self.record.as_ref().map(|(path, terminal)| (path.as_path(), terminal))
    }

    /// Releases all; the first failure (a disk that was full, for one) is the answer.
    pub(super) fn release(self) -> Result<(), Failure> {
        let mut result = Ok(());
        for terminal in self.all() {
            if let Err(why) = terminal.release() {
                result = result.and(Err(Failure(format!("{}: {why}", terminal.name()))));
            }
        }
        result
    }

    fn all(&self) -> impl Iterator<Item = &Terminal> {
        let files = self.play.iter().chain(&self.record).map(|(_, terminal)| terminal);
        files.chain(&self.both).chain(&self.others)
    }
}

/// A call's course, as its events tell it.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Setup left, or arrived.
    pub(super) setup: Option<Timestamp>,
    /// CallProceeding came (caller).
    pub(super) proceeding: Option<Timestamp>,
    /// Alerting came, or left.
    pub(super) alerting: Option<Timestamp>,
    /// Connect came, or left.
    pub(super) connect: Option<Timestamp>,
    /// The call ended.
    pub(super) ended: Option<Timestamp>,
    /// How long we had the far end on hold.
    pub(super) on_hold: Option<Duration>,
    /// How long the far end had us on hold, while we did not have it.
    pub(super) held: Option<Duration>,
    /// When the last state began.
    since: Option<Timestamp>,
    /// The provider's last state.
    pub(super) state: Option<LineCallState>,
    /// Digits that came.
    pub(super) digits: String,
    /// Digits that were sent, all of them.
    pub(super) digits_sent: Option<String>,
    /// The application that the call was handed to.
    pub(super) handed_to: Option<String>,
    /// Failures of streams and terminals, for people.
    pub(super) troubles: Vec<String>,
    /// What happened to the media, in order.
    pub(super) media: Vec<MediaEvent>,
}

/// Something that happened to a stream or terminal.
#[derive(Clone, Debug)]
pub(super) struct MediaEvent {
    /// When it was told.
    pub(super) at: Timestamp,
    pub(super) event: MspCallEvent,
    pub(super) cause: MspEventCause,
    pub(super) direction: Option<Direction>,
}

impl Course {
    /// Takes up a call whose state was reported before anybody followed it.
    pub(super) fn resume(&mut self, status: &CallStatus) {
        if let Some((state, at)) = status.line_state.zip(status.at) {
            self.enter(state, at);
        }
    }

    /// Notes an event.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::CallState { line_state, at, .. } => self.enter(*line_state, *at),
            Event::Digit { digit, .. } => self.digits.push(*digit),
            Event::CallMedia { event, cause, stream, terminal, .. } => {
                let direction = stream.as_ref().map(Stream::direction);
                self.media.push(MediaEvent { at: Timestamp::now(), event: *event, cause: *cause, direction });
                let failed = terminal.as_ref().and_then(|t| t.status().ok()?.failed);
                self.troubles.extend(trouble(*event, *cause, failed));
            }
            _ => {}
        }
    }

    fn enter(&mut self, state: LineCallState, at: Timestamp) {
        let begins = match state {
            LineCallState::OnHold => Some(&mut self.on_hold),
            LineCallState::Connected(ConnectedMode::ActiveHeld) => Some(&mut self.held),
            _ => None,
        };
        if let Some(begins) = begins {
            begins.get_or_insert_default();
        }
        let ends = match self.state {
            Some(LineCallState::OnHold) => self.on_hold.as_mut(),
            Some(LineCallState::Connected(ConnectedMode::ActiveHeld)) => self.held.as_mut(),
            _ => None,
        };
        if let (Some(lasted), Some(since)) = (ends, self.since) {
            *lasted += at.since(since);
        }
        self.since = Some(at);
        let moment = match state {
            LineCallState::Offering | LineCallState::Dialing => &mut self.setup,
            LineCallState::Proceeding => &mut self.proceeding,
            LineCallState::Accepted | LineCallState::Ringback => &mut self.alerting,
            LineCallState::Connected(_) => &mut self.connect,
            LineCallState::Disconnected(_) | LineCallState::Idle => &mut self.ended,
            _ => return self.state = Some(state),
        };
        moment.get_or_insert(at);
        self.state = Some(state);
    }
}

/// What went wrong, in words for people; most that happens is nothing wrong.
fn trouble(event: MspCallEvent, cause: MspEventCause, failed: Option<String>) -> Option<String> {
    match (event, cause) {
        (MspCallEvent::StreamInactive, MspEventCause::MediaTimeout) => {
            Some("the far end's sound stopped coming".to_owned())
        }
        (MspCallEvent::StreamActive, MspEventCause::MediaRecovered) => {
            Some("the far end's sound is back".to_owned())
        }
        // The call ends, and the report says why.
        (MspCallEvent::StreamFail, MspEventCause::ConnectFail) => None,
        (MspCallEvent::StreamFail | MspCallEvent::TerminalFail, _) => {
            Some(failed.unwrap_or_else(|| format!("{event:?}: {cause:?}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;
    use offhook::{CodecPreference, FastConnectAnswer};

    fn configured(line: &str) -> H323Config {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|why| panic!("{line}: {why}"));
        let (media, signalling) = match cli.command {
            Command::Call(args) => (args.media, args.signalling),
            Command::Answer(args) => (args.media, args.signalling),
            _ => panic!("{line}: a call or an answer"),
        };
        match configure("test", &media, &signalling, H323Config::default()) {
            Ok((config, _)) => config.h323,
            Err(Failure(why)) => panic!("{line}: {why}"),
        }
    }

    #[test]
    fn what_nobody_asks_for_is_as_the_library_has_it() {
        let (asked, usual) = (configured("offhook call h"), H323Config::default());
        let display = asked.call.display.clone();
        assert_eq!(asked.call, CallConfig { display, ..usual.call });
        assert_eq!(asked.name_servers, usual.name_servers);
    }

    #[test]
    fn every_option_of_signalling_reaches_its_setting() {
        let call = |options: &str| configured(&format!("offhook answer {options}")).call;
        for (name, answer) in [
            ("proceeding", FastConnectAnswer::CallProceeding),
            ("facility", FastConnectAnswer::Facility),
            ("progress", FastConnectAnswer::Progress),
            ("alerting", FastConnectAnswer::Alerting),
            ("connect", FastConnectAnswer::Connect),
        ] {
            assert_eq!(call(&format!("--fast-start-answer {name}")).fast_connect_answer, answer);
        }
        for (name, preference) in [
            ("ours", CodecPreference::Local),
            ("theirs", CodecPreference::Remote),
            ("lowest-rate", CodecPreference::LowestRate),
        ] {
            assert_eq!(call(&format!("--prefer {name}")).codec_preference, preference);
        }
        assert!(call("--repeat-fast-start").repeat_fast_connect_answer);
        assert!(call("--share-connection").multiple_calls);
        assert!(call("--keep-connection").maintain_connection);
        assert!(call("--survive-signalling-loss").survive_signaling_loss);
        assert_eq!(call("--repeat-setup").setup_unanswered, SetupUnanswered::Repeat);
        let timers = call("--timer t303=2.5 --timer t301=60 --timer round-trip-interval=off").timers;
        assert_eq!((timers.t303, timers.t301), (Duration::from_millis(2500), Duration::from_secs(60)));
        assert_eq!(timers.round_trip_interval, None);
        let servers = configured("offhook call h --name-server 192.0.2.1 --name-server [2001:db8::1]:5353");
        let expected = ["192.0.2.1:53", "[2001:db8::1]:5353"].map(|server| server.parse().ok());
        assert_eq!(servers.name_servers.into_iter().map(Some).collect::<Vec<_>>(), expected);
    }
}
