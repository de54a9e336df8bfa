//! Shows every call at a broker in another process: `hub-watch [SOCKET]`, until Ctrl-C.
//!
//! The broker is `offhook tapisrv`. This application has no line of its own and no sound: it tracks call hubs.

use std::{env, error::Error, path::PathBuf};

use offhook::{Event, EventFilter, HubNews, HubRecord, HubView};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let socket = env::args().nth(1).map_or_else(offhook::tapisrv::default_socket, PathBuf::from);
    let tapi = offhook::join(&socket, "hub watch").await?;
    let mut events = tapi.events(EventFilter::CALL_HUB);
    // Hubs that are there already are told first, so the tree is whole.
    let lines = tapi.addresses().await?;
    tapi.set_call_hub_tracking(&lines, true).await?;
    let mut view = HubView::default();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::CallHub { hub, event, at, .. }) => {
                    let record = HubRecord { at, hub: hub.id(), event };
                    view.apply(&record)?;
                    println!("{}\n{view}", HubNews(&record));
                }
                Some(_) => {}
                None => break,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    tapi.close().await;
    Ok(())
}
