//! Answers every call and says back what it hears: `answer [IP:PORT]`, until Ctrl-C.

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
    // A filter first: without one nothing is delivered.
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
                        if let Err(error) = echo(&call).await {
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

/// Answers one call and stays until the caller hangs up.
async fn echo(call: &Call) -> Result<(), TapiError> {
    let echo = call.address().create_terminal(TerminalClass::Echo, Direction::Capture)?;
    for stream in call.streams()? {
        stream.select_terminal(&echo)?;
    }
    call.answer().await?;
    let info = call.info().await?;
    println!("{} is on the line", info.caller.address);
    let ended = call.disconnected().await;
    println!("{} is gone: {:?}", info.caller.address, ended.cause);
    call.release().await;
    echo.release()
}
