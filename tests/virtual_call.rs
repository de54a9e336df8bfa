//! A call on a virtual clock with a perfect network: the WAV file recorded is the WAV file played, as the codec left it.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;

use offhook::CodecKind;
use offhook::measure::{Track, mouth_to_ear};
use offhook_engine::simulate::{Clock, Driver, LinkConfig, Party, link};
use offhook_engine::{
    ClipFeeder, Control, EngineConfig, Gain, Leg, Peer, Recorder, RxCommand, RxFormat, SenderIdentity,
    TxCommand, TxFormat, split,
};

const MS: u64 = 1_000_000;
const ALICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/speech/alice.wav");

fn read(path: &Path) -> Result<Vec<i16>, Box<dyn Error>> {
    Ok(hound::WavReader::open(path)?.samples().collect::<Result<_, _>>()?)
}

fn write(path: &Path, samples: &[i16]) -> Result<(), Box<dyn Error>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

fn through(kind: CodecKind, pcm: &[i16]) -> Result<Vec<i16>, Box<dyn Error>> {
    let (mut encoder, mut decoder) = (kind.encoder()?, kind.decoder()?);
    let mut out = vec![0; pcm.len()];
    let mut octets = vec![0; pcm.len()];
    let n = encoder.encode(pcm, &mut octets)?;
    decoder.decode(&octets[..n], &mut out)?;
    Ok(out)
}

fn tell<T, E>(result: Result<T, E>) -> Result<T, Box<dyn Error>> {
    result.map_err(|_| "the engine took no command".into())
}

/// Plays `played` at one end and gives back what the other heard, and the instants of both sides' sample 0.
fn call(kind: CodecKind, played: Vec<i16>, delay_ms: u64) -> Result<(Vec<i16>, u64, u64), Box<dyn Error>> {
    let clock = Clock::new(1_000_000 * MS);
    let at = SocketAddr::from(([192, 0, 2, 1], 5_004));
    let (link_tx, link_rx, _) = link(&clock, LinkConfig::perfect(at).delayed_ms(delay_ms));
    let payload_type = kind.payload_type().ok_or("static payload type")?;
    let length_ms = played.len() as u64 / 8 + 500;

    let sender = SenderIdentity { ssrc: 7, first_sequence_number: 65_530, first_timestamp: u32::MAX - 800 };
    let (mut mouth, tx, _): (Control, _, _) = split(EngineConfig { sender, ..EngineConfig::new(8_000) });
    let mut clip = played.into_iter();
    let reader =
        move |out: &mut [i16]| out.iter_mut().zip(&mut clip).map(|(out, sample)| *out = sample).count();
    let (mut feeder, source) = ClipFeeder::new(Box::new(reader), 4_000);
    tell(mouth.tx(TxCommand::SetTransport(Box::new(link_tx))))?;
    tell(mouth.tx(TxCommand::SetFormat(Box::new(TxFormat::new(kind, payload_type, 20)?))))?;
    tell(mouth.add_source(Box::new(source), Gain::UNITY))?;
    tell(mouth.tx(TxCommand::Start))?;

    let (mut ear, _, rx) = split(EngineConfig::new(8_000));
    let (mut recorder, sink) = Recorder::new(4_000);
    tell(ear.rx(RxCommand::SetTransport(Box::new(link_rx))))?;
    tell(ear.rx(RxCommand::SetPeer(Peer::Address(at.ip()))))?;
    tell(ear.rx(RxCommand::SetFormat(Box::new(RxFormat::new(kind, payload_type)?))))?;
    tell(ear.add_sink(Box::new(sink)))?;
    tell(ear.rx(RxCommand::Start))?;

    let mut driver = Driver::new(&clock);
    driver.add(Leg { tx: Some(tx), rx: None }, Party::default());
    driver.add(Leg { tx: None, rx: Some(rx) }, Party { phase_ns: 3 * MS, ..Party::default() });
    let mut heard = Vec::new();
    driver.run_for(length_ms * MS, &mut |_| {
        feeder.pump();
        recorder.drain(&mut |samples| heard.extend_from_slice(samples));
        mouth.collect();
        ear.collect();
    });
    let began = feeder.meters().first_sample_ns.ok_or("nothing was played")?;
    let recorded = recorder.meters().first_sample_ns.ok_or("nothing was recorded")?;
    Ok((heard, began, recorded))
}

#[test]
fn the_file_recorded_is_the_file_played_through_the_codec_sample_for_sample() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let recording = dir.path().join("heard.wav");
    let played = read(Path::new(ALICE))?;
    for kind in [CodecKind::Pcmu, CodecKind::Pcma] {
        let (heard, ..) = call(kind, played.clone(), 0)?;
        write(&recording, &heard)?;
        let (heard, wanted) = (read(&recording)?, through(kind, &played)?);
        let found = heard.windows(wanted.len()).any(|window| window == wanted);
        assert!(found, "{kind}: the recording holds the whole file, unaltered");
    }
    Ok(())
}

#[test]
fn a_relay_of_40_ms_adds_40_ms_to_the_measured_delay() -> Result<(), Box<dyn Error>> {
    let played = read(Path::new(ALICE))?;
    let measured = |relay_ms| -> Result<f64, Box<dyn Error>> {
        let (heard, began, recorded) = call(CodecKind::Pcma, played.clone(), relay_ms)?;
        let track = |samples, first_sample_ns| Track { samples, sample_rate: 8_000, first_sample_ns };
        Ok(mouth_to_ear(&track(played.clone(), began), &track(heard, recorded))?.delay_ms)
    };
    let (direct, relayed) = (measured(0)?, measured(40)?);
    assert!((relayed - direct - 40.0).abs() <= 1.0, "{direct} ms, then {relayed} ms");
    Ok(())
}
