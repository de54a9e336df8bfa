//! The public suite of TSPI's rules, on the remote TSP: the switch that the suite is tried on behind another broker, and
//! the contract between.

mod support;

use std::error::Error;
use std::sync::Arc;

use offhook_broker::Broker;
use offhook_conformance::{Exchange, run};
use offhook_rpc::{RemoteConfig, RemoteProvider, Server, ServerConfig};
use offhook_scripted::ScriptedConfig;
use support::Ca;

#[test]
fn the_remote_tsp_passes_as_the_provider_behind_it_does() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (switch, mut world) = Exchange::new(ScriptedConfig::switch(3));
    let far = Broker::new();
    far.add_provider(switch)?;
    let ca = Ca::new()?;
    let joining = far.clone();
    let server = Server::new(ServerConfig::default(), move |name, sink| joining.connect(name, sink), |_| {})?;
    let listening = runtime.block_on(server.listen_tls(([127, 0, 0, 1], 0).into(), &ca.identity("far")?))?;
    let provider = runtime.block_on(RemoteProvider::connect(RemoteConfig {
        name: "far".to_owned(),
        address: listening.tcp().ok_or("it listens")?.to_string(),
        identity: ca.identity("near")?,
        application: "near".to_owned(),
    }))?;
    let report = run(Arc::clone(&provider) as _, &mut world);
    println!("{report}");
    assert!(report.passed(), "{report}");
    Ok(())
}
