//! Call hubs over H.323: what the broker says belongs together, against what a foreign eye sees on the wire.
//!
//! The witness is tshark: the calls are captured, their names read from its JSON, grouped by the rules of H.323's
//! identifiers (docs/call-hubs.md) in this file, and compared with the log of hub records.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Tested, tool};
use offhook::capture::Capture;
use offhook::{
    Call, ConferenceGoal, DisconnectCode, Embedded, EmbeddedConfig, Event, EventFilter, EventStream,
    H323Config, HHub, HubEvent, HubRecord, HubView, MediaTypes, MspConfig, Privilege,
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

fn members(view: &HubView) -> usize {
    view.hubs().map(|hub| hub.members.len()).sum()
}

/// Both ends of a call on one broker have one identity: one hub, and two calls in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_oneself_is_one_hub_with_two_calls() -> Tested {
    let mut house = House::new(None).await?;
    let placed = house.call(house.at()?, None).await?;
    let view = house.until(|view| members(view) == 2).await?;
    assert_eq!(view.hubs().len(), 1, "{view}");
    let hub = placed.call_hub().await?;
    let other = house.answered.lock().unwrap()[0].clone();
    assert_eq!(other.call_hub().await?, hub);
    assert_eq!(other.info().await?.call_id, placed.info().await?.call_id);
    let calls = hub.calls().await?;
    let own: Vec<_> = calls.iter().map(|call| call.call.clone()).collect();
    assert!(own.contains(&Some(placed.clone())) && own.contains(&Some(other)), "{calls:?}");
    assert_eq!(house.phone.tapi().hub_view().await?, view, "told is answered");
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

/// Setups of a capture: conferenceID, callIdentifier, whether the goal is create. One a leg: what is sent to oneself is
/// captured twice.
fn setups(pcap: &Path) -> Result<Vec<(String, String, bool)>, Box<dyn Error>> {
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

fn collect(value: &Value, found: &mut Vec<(String, String, bool)>) -> Result<(), Box<dyn Error>> {
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
                found.push((digits(conference), digits(call), goal == "0"));
                return Ok(());
            }
            collect(value, found)
        }),
        _ => Ok(()),
    }
}

/// Who belongs together: calls of one conference; but a conference that is created a second time, by another call, is
/// no conference, and that call is on its own.
fn grouped(setups: &[(String, String, bool)]) -> Groups {
    let mut creators: BTreeMap<&str, &str> = BTreeMap::new();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (conference, call, creates) in setups {
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
