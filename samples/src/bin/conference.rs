//! Joins every call that comes in one conference: `conference [IP:PORT]`, until Ctrl-C.
//!
//! Each call gets a place: a terminal that is selected on both of its streams. Everybody hears all others, not himself.

use std::{env, error::Error};

use offhook::{
    Call, Direction, Embedded, EmbeddedConfig, Event, EventFilter, H323Config, MediaTypes, Privilege,
    TapiError, TerminalClass,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = env::args().nth(1).unwrap_or_else(|| "[::]:1720".to_owned()).parse()?;
    let h323 = H323Config { listen, ..H323Config::default() };
    let phone = Embedded::start(EmbeddedConfig { h323, ..EmbeddedConfig::default() }).await?;
    let mut events = phone.tapi().events(EventFilter::CALL_NOTIFICATION);
    phone.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
    if let Some(at) = phone.listening() {
        println!("listening on {at}");
    }
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::CallNotification { call, .. }) => {
                    tokio::spawn(async move {
                        if let Err(error) = take(&call).await {
                            eprintln!("{error}");
                        }
                    });
                }
                Some(_) => {}
                None => break,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    phone.shutdown().await;
    Ok(())
}

/// Gives one caller a place until he hangs up.
async fn take(call: &Call) -> Result<(), TapiError> {
    let class = TerminalClass::Conference { name: "everybody".to_owned() };
    let place = call.address().create_terminal(class, Direction::Capture)?;
    for stream in call.streams()? {
        stream.select_terminal(&place)?;
    }
    call.answer().await?;
    let who = call.info().await?.caller.address;
    println!("{who} has joined");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    if let Some(level) = place.level()? {
        println!("{who} speaks at {:.0} dBFS", level.rms_dbfs);
    }
    call.disconnected().await;
    println!("{who} has left");
    call.release().await;
    place.release()
}
