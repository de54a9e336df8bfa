//! Call hubs over H.323: what the broker says belongs together, against what a foreign eye sees on the wire.
//!
//! The witness is tshark: the calls are captured, their names read from its JSON, grouped by the rules of H.323's
//! identifiers (docs/call-hubs.md) in this file, and compared with the log of hub records.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Process, Tested, errors, offhook, run, tool};
use offhook::capture::Capture;
use offhook::{
    Call, ConferenceGoal, DisconnectCode, Embedded, EmbeddedConfig, Event, EventFilter, EventStream,
    H323Config, HHub, HubEvent, HubMember, HubRecord, HubView, LineCallState, MediaTypes, MspConfig,
    Privilege,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// A telephone that answers whoever calls, and keeps the records of its hubs.
struct House {
    phone: Embedded,
    records: EventStream,
    log: Vec<HubRecord>,
    answered: Arc<Mutex<Vec<Call>>>,
}

impl House {
    async fn new(capture: Option<&Arc<Capture>>) -> Result<Self, Box<dyn Error>> {
        let mut h323 = H323Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..H323Config::default() };
        let mut msp = MspConfig::default();
        if let Some(capture) = capture {
            h323.tap = Some(capture.clone());
            msp.tap = Some(capture.clone());
        }
        let phone = Embedded::start(EmbeddedConfig { h323, msp, ..EmbeddedConfig::default() }).await?;
        let records = phone.tapi().events(EventFilter::CALL_HUB);
        let mut arriving = phone.tapi().events(EventFilter::CALL_NOTIFICATION);
        phone.tapi().set_call_hub_tracking(std::slice::from_ref(phone.address()), true).await?;
        phone.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
        let answered = Arc::new(Mutex::new(Vec::new()));
        let calls = answered.clone();
        tokio::spawn(async move {
            while let Some(event) = arriving.next().await {
                if let Event::CallNotification { call, .. } = event {
                    calls.lock().unwrap().push(call.clone());
                    tokio::spawn(async move { call.answer().await });
                }
            }
        });
        Ok(Self { phone, records, log: Vec::new(), answered })
    }

    fn at(&self) -> Result<SocketAddr, Box<dyn Error>> {
        Ok(self.phone.listening().ok_or("it listens")?)
    }

    /// Places a call and waits until it is up.
    async fn call(
        &self,
        to: SocketAddr,
        conference: Option<([u8; 16], ConferenceGoal)>,
    ) -> Result<Call, Box<dyn Error>> {
        let call = self.phone.address().create_call(&to.to_string(), MediaTypes::AUDIO)?;
        if let Some((name, goal)) = conference {
            call.edit(|params| {
                params.conference = Some(name);
                params.conference_goal = Some(goal);
            })?;
        }
        tokio::time::timeout(PATIENCE, call.connect()).await??;
        Ok(call)
    }

    /// Takes records in until the hubs are as wanted.
    async fn until(&mut self, mut wanted: impl FnMut(&HubView) -> bool) -> Result<HubView, Box<dyn Error>> {
        let mut view = HubView::default();
        for record in &self.log {
            view.apply(record)?;
        }
        while !wanted(&view) {
            match tokio::time::timeout(PATIENCE, self.records.next()).await? {
                Some(Event::CallHub { hub, event, at, .. }) => {
                    let record = HubRecord { at, hub: hub.id(), event };
                    view.apply(&record)?;
                    self.log.push(record);
                }
                Some(_) => {}
                None => return Err("the session ended".into()),
            }
        }
        Ok(view)
    }
}

fn is_up(member: &HubMember) -> bool {
    matches!(member.state, Some(LineCallState::Connected(_)))
}

fn members(view: &HubView) -> usize {
    view.hubs().map(|hub| hub.members.len()).sum()
}

/// Both ends of a call on one broker have one identity: one hub, and two calls in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_oneself_is_one_hub_with_two_calls() -> Tested {
    let mut house = House::new(None).await?;
    let placed = house.call(house.at()?, None).await?;
    let up = |view: &HubView| view.hubs().flat_map(|hub| &hub.members).all(is_up);
    let view = house.until(|view| members(view) == 2 && up(view)).await?;
    assert_eq!(view.hubs().len(), 1, "{view}");
    let hub = placed.call_hub().await?;
    let other = house.answered.lock().unwrap()[0].clone();
    assert_eq!(other.call_hub().await?, hub);
    assert_eq!(other.info().await?.call_id, placed.info().await?.call_id);
    let calls = hub.calls().await?;
    let own: Vec<_> = calls.iter().map(|call| call.call.clone()).collect();
    assert!(own.contains(&Some(placed.clone())) && own.contains(&Some(other)), "{calls:?}");
    // What is asked may be newer than what was told so far; when nothing happens any more they are the same.
    let answered = house.phone.tapi().hub_view().await?;
    house.until(|view| *view == answered).await?;
    hub.clear().await?;
    house.until(|view| view.hubs().len() == 0).await?;
    let kinds: Vec<_> =
        house.log.iter().map(|record| kind(&record.event)).filter(|k| *k != "other").collect();
    assert_eq!(kinds, ["new", "join", "join", "leave", "leave", "idle"]);
    house.phone.shutdown().await;
    Ok(())
}

fn kind(event: &HubEvent) -> &'static str {
    match event {
        HubEvent::New { .. } => "new",
        HubEvent::Join { .. } => "join",
        HubEvent::Leave { .. } => "leave",
        HubEvent::Idle => "idle",
        _ => "other",
    }
}

/// The names of the calls in each hub, each as often as it has a leg here.
type Groups = BTreeSet<Vec<String>>;

fn logged(log: &[HubRecord]) -> Groups {
    let mut hubs: BTreeMap<HHub, Vec<String>> = BTreeMap::new();
    for record in log {
        if let HubEvent::Join { member } = &record.event {
            let name = member.info.provider_ids.iter().find(|(key, _)| key == "callIdentifier");
            let name = name.map(|(_, value)| digits(value)).unwrap_or_default();
            hubs.entry(record.hub).or_default().push(name);
        }
    }
    hubs.into_values().map(sorted).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Hexadecimal digits alone, however they are set apart.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect()
}

/// The names in a Setup.
#[derive(Debug)]
struct Setup {
    conference: String,
    call: String,
    /// Its goal is to create the conference.
    creates: bool,
}

/// The Setups of a capture, one a leg: what is sent to oneself is captured twice.
fn setups(pcap: &Path) -> Result<Vec<Setup>, Box<dyn Error>> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(pcap)
        .args(["-Y", "h225.setup_element", "-T", "json", "--no-duplicate-keys"])
        .stderr(Stdio::null())
        .output()?;
    let mut found = Vec::new();
    collect(&serde_json::from_slice(&output.stdout)?, &mut found)?;
    Ok(found)
}

fn collect(value: &Value, found: &mut Vec<Setup>) -> Result<(), Box<dyn Error>> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| collect(value, found)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            if key == "h225.setup_element" {
                let text = |path: &[&str]| {
                    let at = path.iter().try_fold(value, |value, key| value.get(key));
                    at.and_then(Value::as_str).ok_or_else(|| format!("no {path:?} in {value:#}"))
                };
                let conference = text(&["h225.conferenceID"])?;
                let call = text(&["h225.callIdentifier_element", "h225.guid"])?;
                let goal = text(&["h225.conferenceGoal"])?;
                found.push(Setup {
                    conference: digits(conference),
                    call: digits(call),
                    creates: goal == "0",
                });
                return Ok(());
            }
            collect(value, found)
        }),
        _ => Ok(()),
    }
}

/// Who belongs together: calls of one conference; but a conference that is created a second time, by another call, is
/// no conference, and that call is on its own.
fn grouped(setups: &[Setup]) -> Groups {
    let mut creators: BTreeMap<&str, &str> = BTreeMap::new();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Setup { conference, call, creates } in setups {
        let creator = *creators.entry(conference).or_insert(call);
        let key = if *creates && creator != call { call } else { conference };
        groups.entry(key.clone()).or_default().push(call.clone());
    }
    groups.into_values().map(sorted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_are_those_that_tshark_sees_in_the_capture() -> Tested {
    let Some(_) = tool("tshark", "--version") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let pcap = dir.path().join("hubs.pcap");
    let capture = Arc::new(Capture::create(&pcap)?);
    let mut house = House::new(Some(&capture)).await?;
    let outside = House::new(None).await?;
    let (here, there) = (house.at()?, outside.at()?);
    let shared = [0x5A; 16];
    let mut calls = vec![
        outside.call(here, None).await?,
        outside.call(here, None).await?,
        house.call(there, None).await?,
        house.call(here, None).await?,
        // A conference, who joins it, and a stranger that calls its own conference the same.
        outside.call(here, Some((shared, ConferenceGoal::Create))).await?,
        outside.call(here, Some((shared, ConferenceGoal::Join))).await?,
        outside.call(here, Some((shared, ConferenceGoal::Create))).await?,
    ];
    let view = house.until(|view| members(view) == 8).await?;
    assert_eq!(view.hubs().len(), 6, "{view}");
    for call in calls.drain(..) {
        call.disconnect(DisconnectCode::Normal).await?;
    }
    house.until(|view| view.hubs().len() == 0).await?;
    outside.phone.shutdown().await;
    house.phone.shutdown().await;
    capture.finish()?;
    let setups = setups(&pcap)?;
    assert_eq!(setups.len(), 8, "a Setup a leg: {setups:#?}");
    let seen = grouped(&setups);
    assert_eq!(logged(&house.log), seen);
    assert_eq!(seen.iter().filter(|hub| hub.len() == 2).count(), 2, "oneself, and the conference: {seen:#?}");
    // The log, written and read again, says the same.
    let written: Vec<_> = house.log.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let read: Vec<HubRecord> =
        written.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
    assert_eq!(read, house.log);
    Ok(())
}

/// The broker in its own process, two applications in a call, and the command that watches: live, logged, replayed.
#[test]
fn the_command_shows_calls_of_other_applications_and_their_log_shows_them_again() -> Tested {
    let dir = tempfile::tempdir()?;
    let (socket, log) = (dir.path().join("tapisrv.sock"), dir.path().join("hubs.jsonl"));
    let line = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let mut broker =
        Process::start(offhook().args(["tapisrv", "--json", "--listen", &line, "--socket"]).arg(&socket))?;
    while broker.json()?["event"] != "listening" {}
    let empty = run(offhook().args(["hubs", "--socket"]).arg(&socket))?;
    assert_eq!(
        (stdout(&empty), empty.status.code()),
        ("no call hubs\n".to_owned(), Some(0)),
        "{}",
        errors(&empty)
    );
    let mut watch = Process::start(
        offhook().args(["hubs", "--watch", "--json", "--log"]).arg(&log).arg("--socket").arg(&socket),
    )?;
    let mut answer = Process::start(
        offhook().args(["answer", "--null", "--calls", "1", "--json", "--socket"]).arg(&socket),
    )?;
    while answer.json()?["event"] != "listening" {}
    let call = Process::start(
        offhook().args(["call", &line, "--null", "--duration", "600", "--json", "--socket"]).arg(&socket),
    )?;
    let (mut view, mut records) = (HubView::default(), Vec::new());
    let mut hear = |view: &mut HubView| -> Result<HubRecord, Box<dyn Error>> {
        let record: HubRecord = serde_json::from_str(&watch.line()?)?;
        view.apply(&record)?;
        records.push(record.clone());
        Ok(record)
    };
    while members(&view) < 2 || !view.hubs().flat_map(|hub| &hub.members).all(is_up) {
        hear(&mut view)?;
    }
    assert_eq!(view.hubs().len(), 1, "{view}");
    let applications: BTreeSet<_> =
        view.hubs().flat_map(|hub| &hub.members).map(|member| member.info.application.clone()).collect();
    assert_eq!(applications, BTreeSet::from(["offhook answer".to_owned(), "offhook call".to_owned()]));
    assert!(view.hubs().flat_map(|hub| &hub.members).all(|member| member.call.is_none()), "held by others");
    // Another look, of who comes now, is the same but for what has no end: times.
    let look = run(offhook().args(["hubs", "--json", "--socket"]).arg(&socket))?;
    let hub: Value = serde_json::from_slice(&look.stdout)?;
    assert_eq!(hub["members"].as_array().map(Vec::len), Some(2), "{hub:#}");
    assert_eq!(hub["call_id"], view.hubs().next().map_or(0, |hub| hub.call_id));
    let coarse = run(offhook().args(["hubs", "--without-calls", "--socket"]).arg(&socket))?;
    assert_eq!(stdout(&coarse).lines().count(), 1, "{}", stdout(&coarse));
    call.interrupt()?;
    while view.hubs().len() > 0 {
        hear(&mut view)?;
    }
    // What the log replays to at each moment of its records is what was seen then.
    let first = records.first().ok_or("records")?.at;
    for n in [records.len() / 3, records.len() / 2, records.len() - 1] {
        let at = records[n].at;
        let mut then = HubView::default();
        for record in records.iter().take_while(|record| record.at <= at) {
            then.apply(record)?;
        }
        let seconds = format!("{:.9}", at.since(first).as_secs_f64());
        let again = run(offhook().args(["hubs", "--at", &seconds, "--replay"]).arg(&log))?;
        assert_eq!((stdout(&again), again.status.code()), (then.to_string(), Some(0)), "{}", errors(&again));
    }
    // The broker goes: the watcher says so.
    broker.interrupt()?;
    let (_, code) = watch.end(PATIENCE)?;
    assert_eq!(code, Some(1), "the broker is gone");
    // A log that lacks its beginning, one that is no log, none at all, and a line that is not there.
    let text = std::fs::read_to_string(&log)?;
    let damaged = dir.path().join("damaged.jsonl");
    std::fs::write(&damaged, text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>())?;
    let refused = run(offhook().args(["hubs", "--replay"]).arg(&damaged))?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("damaged.jsonl: line 1: hub "), "{}", errors(&refused));
    std::fs::write(&damaged, "no JSON\n")?;
    let refused = run(offhook().args(["hubs", "--replay"]).arg(&damaged))?;
    assert!(errors(&refused).contains("damaged.jsonl: line 1: "), "{}", errors(&refused));
    let refused = run(offhook().args(["hubs", "--replay", "/no/such/log"]))?;
    assert!(errors(&refused).contains("/no/such/log: "), "{}", errors(&refused));
    let refused = run(offhook().args(["hubs", "--at", "1"]))?;
    assert_eq!(refused.status.code(), Some(2), "--at is about a log");
    let refused = run(offhook().args(["hubs", "--socket", "/no/such/socket"]))?;
    assert!(errors(&refused).contains("/no/such/socket"), "{}", errors(&refused));
    Ok(())
}

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
