//! Calls somebody, plays a WAV file and records the answer: `call ADDRESS PLAY.wav RECORD.wav`.

use std::{env, error::Error, time::Duration};

use offhook::{Direction, DisconnectCode, Embedded, EmbeddedConfig, MediaTypes, Privilege, TerminalClass};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [to, play, record] = &args[..] else { return Err("ADDRESS PLAY.wav RECORD.wav".into()) };
    let phone = Embedded::start(EmbeddedConfig::default()).await?;
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await?;
    let call = address.create_call(to, MediaTypes::AUDIO)?;
    for stream in call.streams()? {
        let class = match stream.direction() {
            Direction::Capture => TerminalClass::FilePlayback { path: play.into(), repeat: false },
            Direction::Render => TerminalClass::FileRecord { path: record.into() },
        };
        stream.select_terminal(&address.create_terminal(class, stream.direction())?)?;
    }
    call.connect().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    call.disconnect(DisconnectCode::Normal).await?;
    phone.shutdown().await;
    Ok(())
}
