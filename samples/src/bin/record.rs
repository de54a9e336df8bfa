//! An answering machine for one call: `record IP:PORT GREETING.wav MESSAGE.wav`.
//!
//! Plays the greeting, records what the caller says until he hangs up (a minute at most), and prints what the media
//! statistics say of the line.

use std::{env, error::Error, time::Duration};

use offhook::{
    Direction, DisconnectCode, Embedded, EmbeddedConfig, Event, EventFilter, H323Config, MediaTypes,
    Privilege, TerminalClass,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [listen, greeting, message] = &args[..] else {
        return Err("IP:PORT GREETING.wav MESSAGE.wav".into());
    };
    let h323 = H323Config { listen: listen.parse()?, ..H323Config::default() };
    let phone = Embedded::start(EmbeddedConfig { h323, ..EmbeddedConfig::default() }).await?;
    let mut events = phone.tapi().events(EventFilter::CALL_NOTIFICATION);
    phone.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
    if let Some(at) = phone.listening() {
        println!("listening on {at}");
    }

    let Some(Event::CallNotification { call, .. }) = events.next().await else {
        return Err("no call".into());
    };
    let greeting = TerminalClass::FilePlayback { path: greeting.into(), repeat: false };
    let message = TerminalClass::FileRecord { path: message.into() };
    let mouth = phone.address().create_terminal(greeting, Direction::Capture)?;
    let ear = phone.address().create_terminal(message, Direction::Render)?;
    for stream in call.streams()? {
        stream.select_terminal(if stream.direction() == Direction::Capture { &mouth } else { &ear })?;
    }
    call.answer().await?;
    if tokio::time::timeout(Duration::from_secs(60), call.disconnected()).await.is_err() {
        call.disconnect(DisconnectCode::Normal).await?;
    }

    for stream in call.streams()?.iter().filter(|s| s.direction() == Direction::Render) {
        let line = stream.statistics()?;
        println!("{} packets, {} lost, jitter {:.2} ms", line.packets, line.lost, line.jitter_ms);
    }
    call.release().await;
    // Releasing the terminal completes the file.
    ear.release()?;
    phone.shutdown().await;
    Ok(())
}
