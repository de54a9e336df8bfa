//! Calls somebody, plays a WAV file and records the answer: `call ADDRESS PLAY.wav RECORD.wav [SECONDS]`.

use std::{env, error::Error, time::Duration};

use offhook::{Direction, DisconnectCode, Embedded, EmbeddedConfig, MediaTypes, Privilege, TerminalClass};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [to, play, record, rest @ ..] = &args[..] else {
        return Err("ADDRESS PLAY.wav RECORD.wav [SECONDS]".into());
    };
    let seconds = rest.first().map_or(Ok(5.0), |s| s.parse())?;
    let phone = Embedded::start(EmbeddedConfig::default()).await?;
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await?;
    let mouth = TerminalClass::FilePlayback { path: play.into(), repeat: false };
    let ear = TerminalClass::FileRecord { path: record.into() };
    let terminals = [
        address.create_terminal(mouth, Direction::Capture)?,
        address.create_terminal(ear, Direction::Render)?,
    ];
    let call = address.create_call(to, MediaTypes::AUDIO)?;
    for stream in call.streams()? {
        for terminal in terminals.iter().filter(|t| t.direction() == stream.direction()) {
            stream.select_terminal(terminal)?;
        }
    }
    call.connect().await?;
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    call.disconnect(DisconnectCode::Normal).await?;
    phone.shutdown().await;
    Ok(())
}
