//! A call is handed from one application to another, and its sound goes along: signalling stays where it is, the far end
//! sends to the other application's MSP.

mod common;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Process, Tested, offhook, run, samples};
use offhook::{
    Address, Attached, AttachedConfig, Call, CallConfig, CallState, Direction, DisconnectCode, Embedded,
    EmbeddedConfig, Event, EventFilter, EventStream, H323Config, HandoffTarget, MediaTypes, MspConfig,
    PcmReader, Privilege, Tapi, Terminal, TerminalClass,
};
use offhook_broker::Broker;
use offhook_msp::Msp;
use offhook_tsp::H323Provider;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A broker with one H.323 line, for several applications.
struct House {
    broker: Broker,
    provider: Arc<H323Provider>,
}

impl House {
    fn new(call: CallConfig) -> Result<Self, Box<dyn Error>> {
        let config = H323Config { listen: SocketAddr::from(HERE), call, ..H323Config::default() };
        let provider = Arc::new(H323Provider::new(config, tokio::runtime::Handle::current()));
        let broker = Broker::new();
        broker.add_provider(provider.clone())?;
        Ok(Self { broker, provider })
    }

    /// An application with an MSP of its own that wants calls.
    async fn application(&self, name: &str, tone: f32) -> Result<Application, Box<dyn Error>> {
        let msp = Arc::new(Msp::new(MspConfig::default())?);
        let tapi = Tapi::connect(|sink| self.broker.connect(name, sink), Some(msp))?;
        let events = tapi.events(EventFilter::CALL_NOTIFICATION | EventFilter::CALL_STATE);
        let address = tapi.addresses().await?.remove(0);
        address.open(Privilege::Owner, MediaTypes::AUDIO).await?;
        Ok(Application { tapi, address, events, tone })
    }

    async fn close(self) {
        self.broker.shutdown();
        self.provider.drained().await;
    }
}

struct Application {
    tapi: Tapi,
    address: Address,
    events: EventStream,
    tone: f32,
}

/// What an application says and hears on a call.
struct Sound {
    reader: PcmReader,
    _terminals: [Terminal; 2],
}

impl Sound {
    /// Says a tone and hears what is said.
    fn on(call: &Call, address: &Address, frequency: f32) -> Result<Self, Box<dyn Error>> {
        let tone = TerminalClass::Tone { frequency, level: -10.0 };
        let pcm = TerminalClass::Pcm { sample_rate: Some(8_000), capacity_ms: 2_000 };
        let says = address.create_terminal(tone, Direction::Capture)?;
        let hears = address.create_terminal(pcm, Direction::Render)?;
        for stream in call.streams()? {
            let terminal = if stream.direction() == Direction::Capture { &says } else { &hears };
            stream.select_terminal(terminal)?;
        }
        Ok(Self { reader: hears.pcm_reader()?, _terminals: [says, hears] })
    }

    /// Listens until a tenth of a second of that tone has come; how many samples came before it that were neither it nor
    /// `before`: silence, and what is between the two.
    async fn hears(&self, frequency: f64, before: f64) -> Result<usize, Box<dyn Error>> {
        let listen = async {
            let (mut block, mut heard, mut other) = (vec![0; 80], Vec::new(), 0);
            let mut run = 0;
            while let Some(part) = self.reader.next(&mut block).await {
                heard.extend_from_slice(&block[..part.samples]);
                while heard.len() >= 80 {
                    let piece: Vec<_> = heard.drain(..80).collect();
                    let is = |hz: f64| strength(&piece, hz) > -20.0;
                    run = if is(frequency) { run + 1 } else { 0 };
                    if run == 10 {
                        return other;
                    }
                    if run == 0 && !is(before) {
                        other += piece.len();
                    }
                }
            }
            other
        };
        Ok(tokio::time::timeout(PATIENCE, listen).await?)
    }
}

/// Strength of a frequency in 10 ms, in dB of full scale.
fn strength(piece: &[i16], hz: f64) -> f64 {
    let angle = std::f64::consts::TAU * hz / 8_000.0;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in piece.iter().enumerate() {
        re += f64::from(*sample) / 32_768.0 * (angle * n as f64).cos();
        im += f64::from(*sample) / 32_768.0 * (angle * n as f64).sin();
    }
    20.0 * (2.0 * (re * re + im * im).sqrt() / piece.len() as f64).max(1e-6).log10()
}

impl Application {
    async fn told(&mut self) -> Result<(Call, Privilege), Box<dyn Error>> {
        let told = async {
            while let Some(event) = self.events.next().await {
                if let Event::CallNotification { call, privilege } = event {
                    return Some((call, privilege));
                }
            }
            None
        };
        Ok(tokio::time::timeout(PATIENCE, told).await?.ok_or("no call")?)
    }

    fn sound(&self, call: &Call) -> Result<Sound, Box<dyn Error>> {
        Sound::on(call, &self.address, self.tone)
    }
}

/// Frequencies that fall on whole periods of 10 ms.
const FAR: f32 = 500.0;
const DESK: f32 = 1_000.0;
const ROOM: f32 = 1_500.0;

/// A far end that calls the house and speaks.
async fn far_end(house: &House, call: CallConfig) -> Result<(Embedded, Call, Sound), Box<dyn Error>> {
    let h323 = H323Config { listen: SocketAddr::from(HERE), call, ..H323Config::default() };
    let far = Embedded::start(EmbeddedConfig { h323, ..EmbeddedConfig::default() }).await?;
    far.address().open(Privilege::None, MediaTypes::AUDIO).await?;
    let at = house.provider.listening().ok_or("not listening")?;
    let call = far.address().create_call(&at.to_string(), MediaTypes::AUDIO)?;
    let sound = Sound::on(&call, far.address(), FAR)?;
    call.dial().await?;
    Ok((far, call, sound))
}

fn slow_start(tunnelling: bool) -> CallConfig {
    CallConfig { fast_start: false, tunnelling, ..CallConfig::default() }
}

/// Handed on while it is connected: both directions of sound go along, and nothing ends.
async fn handed_on(name: &str, near: CallConfig, far: CallConfig) -> Tested {
    let house = House::new(near)?;
    let mut desk = house.application("desk", DESK).await?;
    let mut room = house.application("room", ROOM).await?;
    let (far, far_call, far_sound) = far_end(&house, far).await?;
    let (at_desk, privilege) = desk.told().await?;
    assert_eq!(privilege, Privilege::Owner);
    let desk_sound = desk.sound(&at_desk)?;
    at_desk.answer().await?;
    far_sound.hears(DESK.into(), DESK.into()).await?;
    desk_sound.hears(FAR.into(), FAR.into()).await?;

    at_desk.handoff(HandoffTarget::Application("room".to_owned())).await?;
    let (at_room, privilege) = room.told().await?;
    assert_eq!((privilege, at_room.state()), (Privilege::Owner, CallState::Connected));
    let room_sound = room.sound(&at_room)?;
    let gap = far_sound.hears(ROOM.into(), DESK.into()).await?;
    room_sound.hears(FAR.into(), FAR.into()).await?;
    println!("{name}: {} ms of neither tone at the far end", gap / 8);
    assert_eq!(far_call.state(), CallState::Connected);
    // The first owner lets go, and the call goes on.
    at_desk.release().await;
    room_sound.hears(FAR.into(), FAR.into()).await?;
    far_sound.hears(ROOM.into(), ROOM.into()).await?;
    assert_eq!((at_room.state(), far_call.state()), (CallState::Connected, CallState::Connected));
    // Back again, through a monitor's place: no trace is left of the way it went.
    at_room.disconnect(DisconnectCode::Normal).await?;
    tokio::time::timeout(PATIENCE, far_call.disconnected()).await?;
    drop((at_room, far_call));
    far.shutdown().await;
    for application in [desk, room] {
        application.tapi.close().await;
    }
    house.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_follows_a_call_that_is_handed_on() -> Tested {
    handed_on("fast start", CallConfig::default(), CallConfig::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_follows_a_call_whose_channels_h245_opened() -> Tested {
    handed_on("tunnelled", slow_start(true), slow_start(true)).await?;
    handed_on("H.245 apart", slow_start(false), slow_start(false)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_offered_is_answered_by_who_it_was_handed_to() -> Tested {
    for config in [CallConfig::default(), slow_start(true)] {
        let house = House::new(config.clone())?;
        let mut desk = house.application("desk", DESK).await?;
        let mut room = house.application("room", ROOM).await?;
        let (far, far_call, far_sound) = far_end(&house, config).await?;
        let (at_desk, _) = desk.told().await?;
        at_desk.accept().await?;
        at_desk.handoff(HandoffTarget::Media(MediaTypes::AUDIO)).await?;
        let (at_room, _) = room.told().await?;
        at_desk.release().await;
        let room_sound = room.sound(&at_room)?;
        at_room.answer().await?;
        far_sound.hears(ROOM.into(), ROOM.into()).await?;
        room_sound.hears(FAR.into(), FAR.into()).await?;
        at_room.release().await;
        tokio::time::timeout(PATIENCE, far_call.disconnected()).await?;
        drop(far_call);
        far.shutdown().await;
        drop((desk, room));
        house.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_owner_has_the_call_with_its_sound_when_the_first_dies() -> Tested {
    let house = House::new(CallConfig::default())?;
    let mut desk = house.application("desk", DESK).await?;
    let mut room = house.application("room", ROOM).await?;
    let (far, far_call, far_sound) = far_end(&house, CallConfig::default()).await?;
    let (at_desk, _) = desk.told().await?;
    let _desk_sound = desk.sound(&at_desk)?;
    at_desk.answer().await?;
    at_desk.handoff(HandoffTarget::Application("room".to_owned())).await?;
    let (at_room, _) = room.told().await?;
    let room_sound = room.sound(&at_room)?;
    far_sound.hears(ROOM.into(), DESK.into()).await?;
    // Back to the desk, which then goes without a word.
    at_room.handoff(HandoffTarget::Application("desk".to_owned())).await?;
    far_sound.hears(DESK.into(), ROOM.into()).await?;
    desk.tapi.close().await;
    far_sound.hears(ROOM.into(), DESK.into()).await?;
    room_sound.hears(FAR.into(), FAR.into()).await?;
    assert_eq!((at_room.state(), far_call.state()), (CallState::Connected, CallState::Connected));
    drop(at_room);
    tokio::time::timeout(PATIENCE, far_call.disconnected()).await?;
    drop(far_call);
    far.shutdown().await;
    drop(room);
    house.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_hold_is_taken_back_by_who_it_was_handed_to() -> Tested {
    let house = House::new(CallConfig::default())?;
    let mut desk = house.application("desk", DESK).await?;
    let mut room = house.application("room", ROOM).await?;
    let (far, far_call, far_sound) = far_end(&house, CallConfig::default()).await?;
    let (at_desk, _) = desk.told().await?;
    let _desk_sound = desk.sound(&at_desk)?;
    at_desk.answer().await?;
    far_sound.hears(DESK.into(), DESK.into()).await?;
    at_desk.hold().await?;
    tokio::time::timeout(PATIENCE, at_desk.wait(|status| status.state == CallState::Hold)).await?;
    at_desk.handoff(HandoffTarget::Application("room".to_owned())).await?;
    let (at_room, _) = room.told().await?;
    assert_eq!(at_room.state(), CallState::Hold);
    at_desk.release().await;
    let room_sound = room.sound(&at_room)?;
    at_room.unhold().await?;
    far_sound.hears(ROOM.into(), ROOM.into()).await?;
    room_sound.hears(FAR.into(), FAR.into()).await?;
    drop((at_room, far_call));
    far.shutdown().await;
    drop((desk, room));
    house.close().await;
    Ok(())
}

/// A process that answers over a broker's socket, says a tone and records.
fn answers(
    socket: &Path,
    name: &str,
    tone: f32,
    dir: &Path,
    more: &[&str],
) -> Result<Process, Box<dyn Error>> {
    let mut process = Process::start(
        offhook()
            .args(["answer", "--json", "--null", "--calls", "1", "--name", name, "--tone", &tone.to_string()])
            .args(more)
            .arg("--socket")
            .arg(socket)
            .arg("--record")
            .arg(dir.join(name)),
    )?;
    while process.json()?["event"] != "listening" {}
    Ok(process)
}

/// The call's report of such a process.
fn report(process: &mut Process) -> Result<Value, Box<dyn Error>> {
    loop {
        let said = process.json()?;
        if said["event"] == "call" {
            return Ok(said);
        }
    }
}

/// Pieces of 10 ms of a recording in which that tone is.
fn pieces(recording: &[i16], hz: f32) -> Vec<usize> {
    let with = recording.chunks_exact(80).enumerate().filter(|(_, piece)| strength(piece, hz.into()) > -20.0);
    with.map(|(number, _)| number).collect()
}

/// Broker, first application, second application and far end, each a process of its own: what all of them recorded.
#[test]
fn sound_goes_on_across_two_processes() -> Tested {
    let dir = tempfile::tempdir()?;
    let socket = dir.path().join("tapisrv.sock");
    let mut broker = Process::start(
        offhook().args(["tapisrv", "--json", "--listen", "127.0.0.1:0", "--socket"]).arg(&socket),
    )?;
    while broker.json()?["event"] != "listening" {}
    let handing = ["--hand-to", "room", "--hand-after", "2"];
    let mut desk = answers(&socket, "desk", DESK, dir.path(), &handing)?;
    let mut room = answers(&socket, "room", ROOM, dir.path(), &[])?;
    // The line listens now: where, its name says.
    let at = listening_at(&socket)?;
    let far = dir.path().join("far.wav");
    let out = run(offhook()
        .args(["call", &at, "--json", "--null", "--duration", "5", "--tone", &FAR.to_string(), "--record"])
        .arg(&far))?;
    let of_far: Value = serde_json::from_slice(&out.stdout)?;
    assert_eq!(out.status.code(), Some(0), "{of_far:#}");
    let (of_desk, of_room) = (report(&mut desk)?, report(&mut room)?);
    assert_eq!(of_desk["handed_to"], "room", "{of_desk:#}");
    assert_eq!(of_room["ended"], "disconnected (normal)", "{of_room:#}");

    let heard = samples(&far)?;
    let (first, then) = (pieces(&heard, DESK), pieces(&heard, ROOM));
    let (last, next) = (*first.last().ok_or("no desk")?, *then.first().ok_or("no room")?);
    assert!(last < next + 10, "one after the other: {last} {next}");
    assert!(first.len() > 120 && then.len() > 150, "{} and {} pieces", first.len(), then.len());
    println!("at the far end: {} ms between the two", (next.saturating_sub(last + 1)) * 10);
    let mut recorded = 0;
    for of in [&of_desk, &of_room] {
        let path = of["recorded"]["path"].as_str().ok_or("no recording")?;
        recorded += pieces(&samples(path.as_ref())?, FAR).len();
    }
    let seconds = of_far["seconds"].as_f64().ok_or("no length")?;
    println!(
        "of {seconds:.2} s of the far end's tone, {:.2} s are in the two recordings",
        recorded as f64 / 100.0
    );
    assert!(recorded as f64 / 100.0 > seconds - 1.5, "{recorded} pieces of 10 ms in {seconds} s");
    broker.interrupt()
}

/// Where the broker's line listens.
fn listening_at(socket: &Path) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let named = runtime.block_on(async {
        let config = AttachedConfig { socket: socket.to_owned(), ..AttachedConfig::default() };
        let client = Attached::connect(config).await?;
        let name = client.address().caps().line_name.clone();
        client.shutdown().await;
        Ok::<_, Box<dyn Error>>(name)
    })?;
    Ok(named.rsplit(' ').next().ok_or("no name")?.to_owned())
}
