//! Calls over a line of a broker in another process (`offhook tapisrv`); the sound is made here.
//!
//! `offhook-sample-client h323:bob@192.0.2.7` plays a tone for five seconds and records what comes back.

use std::sync::Arc;
use std::time::Duration;

use offhook_msp::{Msp, MspConfig};
use offhook_tapi::{Direction, DisconnectCode, MediaTypes, Privilege, Tapi, TerminalClass};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let to = std::env::args().nth(1).ok_or("whom?")?;
    let socket = std::env::args().nth(2).map_or_else(offhook_rpc::default_socket, Into::into);
    let broker = offhook_rpc::connect(&socket, "sample client").await?;
    let msp = Arc::new(Msp::new(MspConfig::default())?);
    let tapi = Tapi::connect(|sink| broker.attach(sink), Some(msp))?;
    let address = tapi.addresses().await?.into_iter().next().ok_or("the broker has no line")?;
    address.open(Privilege::None, MediaTypes::AUDIO).await?;

    let call = address.create_call(&to, MediaTypes::AUDIO)?;
    for stream in call.streams()? {
        let class = match stream.direction() {
            Direction::Capture => TerminalClass::Tone { frequency: 440.0, level: -20.0 },
            Direction::Render => TerminalClass::FileRecord { path: "heard.wav".into() },
        };
        stream.select_terminal(&address.create_terminal(class, stream.direction())?)?;
    }
    call.connect().await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    call.disconnect(DisconnectCode::Normal).await?;
    call.release().await;
    tapi.close().await;
    Ok(())
}
