//! Life behind a gatekeeper, each part a process of its own: registration, calls by alias, straight and routed, passwords,
//! orders of the gatekeeper.

mod common;

use std::error::Error;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use common::{ALICE, Process, Tested, offhook, run};
use offhook::gatekeeper::{
    Alias, CallEnd, CallModel, GatekeeperConfig, GatekeeperEvent, Password, Server, ServerConfig,
};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(25);

/// A gatekeeper in this process, and what it tells.
struct Gatekeeper {
    server: Server,
    events: Receiver<GatekeeperEvent>,
    at: String,
}

impl Gatekeeper {
    fn start(config: GatekeeperConfig) -> Result<Self, Box<dyn Error>> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (server, events) = Server::start(ServerConfig::new(config, loopback))?;
        let at = server.ras_address().to_string();
        Ok(Self { server, events, at })
    }

    /// Waits for an event; those before it are passed over.
    async fn until<T>(
        &mut self,
        mut wanted: impl FnMut(GatekeeperEvent) -> Option<T>,
    ) -> Result<T, Box<dyn Error>> {
        let wait = async {
            loop {
                let event = self.events.recv().await.ok_or("the gatekeeper has ended")?;
                if let Some(found) = wanted(event) {
                    return Ok::<_, Box<dyn Error>>(found);
                }
            }
        };
        timeout(PATIENCE, wait).await?
    }

    async fn registered(&mut self, alias: &str) -> Tested {
        let wanted = Alias::from_text(alias);
        self.until(|event| match event {
            GatekeeperEvent::Registered(row) if row.aliases.contains(&wanted) => Some(()),
            _ => None,
        })
        .await
    }
}

/// `offhook answer` behind a gatekeeper.
fn answering(gatekeeper: &str, alias: &str, more: &[&str]) -> Result<Process, Box<dyn Error>> {
    let mut process = Process::start(
        offhook()
            .args(["answer", "--listen", "127.0.0.1:0", "--json", "--echo", "--gatekeeper", gatekeeper])
            .args(["--alias", alias])
            .args(more),
    )?;
    assert_eq!(process.json()?["event"], "listening");
    Ok(process)
}

/// `offhook call` behind a gatekeeper, to its end: exit status and report.
fn calling(gatekeeper: &str, whom: &str, more: &[&str]) -> Result<(Option<i32>, Value), Box<dyn Error>> {
    let mut command = offhook();
    command
        .args(["call", whom, "--json", "--null", "--play", ALICE, "--gatekeeper", gatekeeper])
        .args(["--alias", "100"])
        .args(more);
    let output = run(&mut command)?;
    let report = serde_json::from_slice(&output.stdout)
        .map_err(|why| format!("{why}: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((output.status.code(), report))
}

async fn by_alias(model: CallModel) -> Tested {
    let dir = tempfile::tempdir()?;
    let capture = dir.path().join("call.pcap");
    let mut gatekeeper = Gatekeeper::start(GatekeeperConfig { model, ..GatekeeperConfig::new("gk") })?;
    let at = gatekeeper.at.clone();
    let mut bob = answering(&at, "200", &["--calls", "1"])?;
    gatekeeper.registered("200").await?;
    let file = capture.to_string_lossy().into_owned();
    let (code, report) = tokio::task::spawn_blocking(move || {
        calling(&at, "200", &["--duration", "2", "--capture", &file]).map_err(|e| e.to_string())
    })
    .await??;
    assert_eq!(code, Some(0), "{report}");
    let mut sides = Vec::new();
    gatekeeper
        .until(|event| match event {
            GatekeeperEvent::Admitted(row, answering) => {
                assert_eq!(row.model, model);
                sides.push(answering);
                None
            }
            GatekeeperEvent::CallEnded(_, why) => {
                assert_eq!(why, CallEnd::Disengaged);
                Some(())
            }
            _ => None,
        })
        .await?;
    assert_eq!(sides, [false, true], "admitted for who calls, then for who answers");
    assert_eq!(bob.end(PATIENCE)?.1, Some(0));
    // Both have taken leave.
    let mut snapshot = gatekeeper.server.snapshot();
    timeout(PATIENCE, snapshot.wait_for(|known| known.endpoints.is_empty() && known.calls.is_empty()))
        .await??;
    assert!(report["received"]["packets"].as_u64() > Some(20), "{report}");
    let ladder = run(offhook().args(["pdu", "decode", "--pcap"]).arg(&capture))?;
    let ladder = String::from_utf8(ladder.stdout)?;
    let through = gatekeeper.server.signal_address().is_some_and(|at| ladder.contains(&at.to_string()));
    assert_eq!(through, model == CallModel::GatekeeperRouted, "{ladder}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_alone_is_called_straight() -> Tested {
    by_alias(CallModel::Direct).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_alone_is_called_through_the_gatekeeper() -> Tested {
    by_alias(CallModel::GatekeeperRouted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_registered_is_not_called() -> Tested {
    let gatekeeper = Gatekeeper::start(GatekeeperConfig::new("gk"))?;
    let at = gatekeeper.at.clone();
    let (code, report) =
        tokio::task::spawn_blocking(move || calling(&at, "999", &[]).map_err(|e| e.to_string())).await??;
    assert_eq!(code, Some(3), "{report}");
    assert!(report.to_string().contains("calledPartyNotRegistered"), "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_password_registers() -> Tested {
    let users = vec![("bob".to_owned(), Password::new("correct horse"))];
    let mut gatekeeper = Gatekeeper::start(GatekeeperConfig { users, ..GatekeeperConfig::new("gk") })?;
    let dir = tempfile::tempdir()?;
    let register = |password: &str| -> Result<_, Box<dyn Error>> {
        let file = dir.path().join("password");
        std::fs::write(&file, format!("{password}\n"))?;
        let mut command = offhook();
        command.args(["register", "--once", "--json", "--listen", "127.0.0.1:0", "--alias", "bob"]);
        command.args(["--gatekeeper", &gatekeeper.at, "--password-file"]).arg(&file);
        let output = run(&mut command)?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    };
    let wrong = register("incorrect horse")?;
    assert_eq!(wrong.0, Some(3), "{wrong:?}");
    assert!(wrong.1.contains("RRJ security"), "{wrong:?}");
    let right = register("correct horse")?;
    assert_eq!(right.0, Some(0), "{right:?}");
    assert!(right.1.contains("registered") && right.1.contains("unregistered"), "{right:?}");
    for said in [&wrong, &right] {
        assert!(!said.1.contains("horse") && !said.2.contains("horse"), "a password was shown: {said:?}");
    }
    gatekeeper.registered("bob").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gatekeeper_may_end_a_call_and_a_registration() -> Tested {
    let mut gatekeeper = Gatekeeper::start(GatekeeperConfig::new("gk"))?;
    let at = gatekeeper.at.clone();
    let mut bob = answering(&at, "200", &[])?;
    gatekeeper.registered("200").await?;
    let caller = tokio::task::spawn_blocking({
        let at = at.clone();
        move || calling(&at, "200", &["--duration", "60", "--repeat"]).map_err(|e| e.to_string())
    });
    let call = gatekeeper
        .until(|event| match event {
            GatekeeperEvent::Admitted(row, true) => Some(row.call_identifier),
            _ => None,
        })
        .await?;
    assert!(!gatekeeper.server.disconnect([0; 16]).await);
    // Admitted is not connected, and the gatekeeper does not hear of Connect: ended before that, the called side refuses
    // the call, and the caller hears that first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(gatekeeper.server.disconnect(call).await);
    let (_, report) = timeout(PATIENCE, caller).await???;
    // Both sides are told to end it: the caller hears the gatekeeper or the called side first.
    let why = report["why"].as_str().unwrap_or_default();
    assert!(
        why == "the gatekeeper ends the call: DRQ forcedDrop" || why.ends_with("NoBandwidth"),
        "{report}"
    );
    // Put out, it comes back by itself.
    assert!(gatekeeper.server.unregister(Alias::from_text("200")).await);
    gatekeeper.until(|event| matches!(event, GatekeeperEvent::Unregistered(..)).then_some(())).await?;
    gatekeeper.registered("200").await?;
    bob.interrupt()?;
    assert_eq!(bob.end(PATIENCE)?.1, Some(0));
    Ok(())
}

/// H.225.0 7.11.2: bandWidth is the sum of both directions. G.711 needs 128 kbit/s, GSM 26.4.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_to_the_bandwidth_that_is_granted() -> Tested {
    let config = GatekeeperConfig { call_bandwidth: Some(640), ..GatekeeperConfig::new("gk") };
    let mut gatekeeper = Gatekeeper::start(config)?;
    let mut bob = answering(&gatekeeper.at, "200", &["--codec", "pcma,gsm"])?;
    gatekeeper.registered("200").await?;
    for (ways, codecs, found) in [
        (&[][..], "pcma,gsm", Some("GSM")),
        (&["--no-fast-start"], "pcma,gsm", Some("GSM")),
        (&[], "pcma,pcmu", None),
    ] {
        let at = gatekeeper.at.clone();
        let more = [&["--duration", "1", "--codec", codecs], ways].concat();
        let (code, report) =
            tokio::task::spawn_blocking(move || calling(&at, "200", &more).map_err(|e| e.to_string()))
                .await??;
        assert_eq!(report["codec_sent"].as_str(), found, "{report}");
        assert_eq!(report["codec_received"].as_str(), found, "{report}");
        if found.is_some() {
            assert_eq!(code, Some(0), "{report}");
        } else {
            assert_eq!(code, Some(3), "{report}");
            let why = report["why"].as_str().unwrap_or_default();
            assert!(why.contains("grants 64000 bit/s"), "{report}");
        }
    }
    bob.interrupt()?;
    assert_eq!(bob.end(PATIENCE)?.1, Some(0));
    Ok(())
}

#[test]
fn the_command_is_a_gatekeeper() -> Tested {
    // Standard input stays open, as a terminal's does: it may not hold up the end.
    let mut gatekeeper = Process::start(
        offhook()
            .args(["gatekeeper", "--listen", "127.0.0.1:0", "--json", "--id", "gk"])
            .stdin(Stdio::piped()),
    )?;
    let at = gatekeeper.json()?["ras"].as_str().ok_or("no address")?.to_owned();
    let mut command = offhook();
    command.args(["register", "--once", "--listen", "127.0.0.1:0", "--alias", "bob", "--alias", "100"]);
    let output = run(command.args(["--gatekeeper", &at]))?;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains(&format!("registered with gk {at} as bob, 100")), "{text}");
    assert_eq!(gatekeeper.json()?["event"], "registered");
    assert_eq!(gatekeeper.json()?["event"], "unregistered");
    gatekeeper.interrupt()?;
    assert_eq!(gatekeeper.end(PATIENCE)?.1, Some(0));
    Ok(())
}

#[test]
fn a_gatekeeper_that_is_not_there_is_said_to_be_not_there() -> Tested {
    let mut command = offhook();
    command.args(["register", "--duration", "1", "--listen", "127.0.0.1:0", "--alias", "bob"]);
    let output = run(command.args(["--gatekeeper", "127.0.0.1:9"]))?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    Ok(())
}
