//! Speaks and listens in samples of its own: `app-pcm ADDRESS HZ` says a tone for three seconds and prints what pitch
//! it hears. What an answering machine, a speech recogniser or a bridge to another network begins with.

use std::{env, error::Error, time::Duration};

use offhook::{Direction, DisconnectCode, Embedded, EmbeddedConfig, MediaTypes, Privilege, TerminalClass};

const RATE: u32 = 8_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [to, hz] = &args[..] else { return Err("ADDRESS HZ".into()) };
    let hz: f32 = hz.parse()?;
    let phone = Embedded::start(EmbeddedConfig::default()).await?;
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await?;
    let call = address.create_call(to, MediaTypes::AUDIO)?;
    // A fifth of a second may wait: more is delay, less is a risk on a busy machine.
    let class = || TerminalClass::Pcm { sample_rate: Some(RATE), capacity_ms: 200 };
    let mouth = address.create_terminal(class(), Direction::Capture)?;
    let ear = address.create_terminal(class(), Direction::Render)?;
    for stream in call.streams()? {
        stream.select_terminal(if stream.direction() == Direction::Capture { &mouth } else { &ear })?;
    }
    call.connect().await?;

    let (writer, reader) = (mouth.pcm_writer()?, ear.pcm_reader()?);
    let speak = async move {
        for start in (0..).step_by(160) {
            let sample = |n: u32| 8_000.0 * (n as f32 * hz / RATE as f32 * std::f32::consts::TAU).sin();
            let block: Vec<i16> = (start..start + 160).map(|n| sample(n % RATE) as i16).collect();
            // Waits while enough is on its way: the call's clock is the pace.
            writer.write_all(&block).await?;
        }
        Ok::<(), offhook::TapiError>(())
    };
    let mut heard = Vec::new();
    let listen = async {
        let mut block = [0; 160];
        while let Some(read) = reader.next(&mut block).await {
            heard.extend_from_slice(&block[..read.samples]);
        }
    };
    tokio::select! {
        spoken = speak => spoken?,
        () = listen => {}
        () = tokio::time::sleep(Duration::from_secs(3)) => {}
    }
    call.disconnect(DisconnectCode::Normal).await?;

    // Rising zero crossings, where it is loud.
    let loud: Vec<_> = heard.chunks_exact(800).filter(|part| part.iter().any(|s| *s > 2_000)).collect();
    let rises = loud.iter().flat_map(|part| part.windows(2)).filter(|w| w[0] < 0 && w[1] >= 0).count();
    let pitch = rises as f32 * 10.0 / loud.len().max(1) as f32;
    println!("heard {} samples, {} of them loud, at about {pitch:.0} Hz", heard.len(), loud.len() * 800);
    phone.shutdown().await;
    Ok(())
}
