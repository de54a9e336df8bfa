//! A client that asks at random, remembers what it asked, and judges what it was told.

use std::collections::{BTreeMap, BTreeSet};

use offhook_broker::Broker;
use offhook_spi::{
    AppEvent, AppReply, AppRequest, HCall, HHub, HLine, HPhone, LineCallState as S, Privilege, RequestId,
};

use crate::support::Client;
use crate::{Rng, asks};

/// A client with all that it asked.
pub(crate) struct Player {
    pub(crate) client: Client,
    asked: Vec<(RequestId, AppRequest)>,
}

/// What a client knows of what it has, as far as it was told.
#[derive(Default)]
pub(crate) struct Sight {
    pub(crate) lines: Vec<HLine>,
    pub(crate) phones: Vec<HPhone>,
    /// With the last state of each.
    pub(crate) calls: BTreeMap<HCall, Option<S>>,
    /// Those that are conferences.
    pub(crate) conferences: Vec<HCall>,
    /// What it does not have any more.
    pub(crate) gone: Vec<HCall>,
    /// Hubs that it was told of.
    pub(crate) hubs: Vec<HHub>,
    /// Completions that it asked for.
    pub(crate) completions: Vec<u32>,
    /// Openings and phones that selected a version of their extension.
    pub(crate) speaking: (Vec<HLine>, Vec<HPhone>),
}

impl Player {
    pub(crate) fn new(broker: &Broker, n: usize) -> Self {
        Self { client: Client::new(broker, &format!("client {n}")), asked: Vec::new() }
    }

    pub(crate) fn ask(&mut self, what: AppRequest) {
        let id = self.client.submit(what.clone()).expect("the broker is there");
        self.asked.push((id, what));
    }

    fn sight(&self) -> Sight {
        let asked: BTreeMap<_, _> = self.asked.iter().map(|(id, what)| (*id, what)).collect();
        let mut sight = Sight::default();
        for event in self.client.events() {
            match event {
                AppEvent::Reply { result: Ok(AppReply::Line(line)), .. } => sight.lines.push(line),
                AppEvent::Reply { result: Ok(AppReply::Phone(phone)), .. } => sight.phones.push(phone),
                AppEvent::Reply { result: Ok(AppReply::Call(call)), .. } | AppEvent::NewCall { call, .. } => {
                    sight.calls.insert(call, None);
                }
                AppEvent::Reply { result: Ok(AppReply::Conference { conference, consult }), .. } => {
                    sight.calls.extend([(conference, None), (consult, None)]);
                    sight.conferences.push(conference);
                }
                AppEvent::Reply { request, result: Ok(AppReply::Done) } => match asked.get(&request) {
                    Some(AppRequest::CloseLine { line }) => sight.lines.retain(|known| known != line),
                    Some(AppRequest::ClosePhone { phone }) => sight.phones.retain(|known| known != phone),
                    Some(AppRequest::Deallocate { call }) => {
                        sight.calls.remove(call);
                        sight.gone.push(*call);
                    }
                    Some(AppRequest::SelectExtVersion { line, version }) if version.0 != 0 => {
                        sight.speaking.0.push(*line);
                    }
                    Some(AppRequest::SelectPhoneExtVersion { phone, version }) if version.0 != 0 => {
                        sight.speaking.1.push(*phone);
                    }
                    _ => {}
                },
                AppEvent::Reply { result: Ok(AppReply::CompletionId(id)), .. } => sight.completions.push(id),
                AppEvent::Hub(record) => sight.hubs.push(record.hub),
                AppEvent::LineClosed { line, .. } => sight.lines.retain(|known| *known != line),
                AppEvent::PhoneClosed { phone, .. } => sight.phones.retain(|known| *known != phone),
                AppEvent::CallState { call, state, .. } => {
                    sight.calls.insert(call, Some(state));
                }
                _ => {}
            }
        }
        sight.speaking.0.retain(|line| sight.lines.contains(line));
        sight.speaking.1.retain(|phone| sight.phones.contains(phone));
        sight.conferences.retain(|call| sight.calls.contains_key(call));
        sight
    }

    /// Asks something, sensible or not, about handles that it has or had.
    pub(crate) fn play(&mut self, rng: &mut Rng) {
        let sight = self.sight();
        let asked = match sight.lines.as_slice() {
            [] => vec![asks::open(rng)],
            _ => asks::some(rng, &sight),
        };
        for what in asked {
            self.ask(what);
        }
    }

    /// Closes everything that it has.
    pub(crate) fn close(&mut self) {
        let sight = self.sight();
        for line in sight.lines {
            self.ask(AppRequest::CloseLine { line });
        }
        for phone in sight.phones {
            self.ask(AppRequest::ClosePhone { phone });
        }
    }

    /// Which requests had success.
    pub(crate) fn reached(&self) -> BTreeSet<String> {
        let asked: BTreeMap<_, _> = self.asked.iter().map(|(id, what)| (*id, what)).collect();
        let name = |what: &AppRequest| {
            let text = format!("{what:?}");
            text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
        };
        let succeeded = |event| match event {
            AppEvent::Reply { request, result: Ok(_) } => Some(name(asked[&request])),
            _ => None,
        };
        self.client.events().into_iter().filter_map(succeeded).collect()
    }

    /// What must be true of everything that the client saw.
    pub(crate) fn check(&self, seed: u64) {
        let asked: BTreeMap<_, _> = self.asked.iter().map(|(id, what)| (*id, what)).collect();
        let (mut replied, mut calls, mut gone, mut idle) =
            (BTreeSet::new(), BTreeMap::<HCall, Option<S>>::new(), BTreeSet::new(), BTreeSet::new());
        let (mut phones, mut given) = (BTreeSet::new(), BTreeSet::new());
        for event in self.client.events() {
            let named = match &event {
                AppEvent::Reply { request, result } => {
                    assert!(asked.contains_key(request), "seed {seed}: a reply to nothing");
                    assert!(replied.insert(*request), "seed {seed}: two replies to {:?}", asked[request]);
                    match (asked[request], result) {
                        (_, Ok(AppReply::Call(call))) => assert!(calls.insert(*call, None).is_none()),
                        (_, Ok(AppReply::Conference { conference, consult })) => {
                            assert!(calls.insert(*conference, None).is_none());
                            assert!(calls.insert(*consult, None).is_none());
                        }
                        (_, Ok(AppReply::Phone(phone))) => assert!(phones.insert(*phone)),
                        (AppRequest::ClosePhone { phone }, Ok(_)) => assert!(phones.remove(phone)),
                        (AppRequest::Deallocate { call }, Ok(_)) => assert!(gone.insert(*call)),
                        _ => {}
                    }
                    None
                }
                AppEvent::NewCall { call, .. } => {
                    assert!(calls.insert(*call, None).is_none(), "seed {seed}: announced twice");
                    None
                }
                AppEvent::CallState { call, state, .. } => {
                    let now = calls.get_mut(call).unwrap_or_else(|| panic!("seed {seed}: state before call"));
                    // Who is given a call that it holds is told its state once more.
                    let again = given.remove(call) && *now == Some(*state);
                    assert!(
                        again || offhook_broker::legal::may_follow(*now, *state),
                        "seed {seed}: {now:?} to {state:?}"
                    );
                    *now = Some(*state);
                    if *state == S::Idle {
                        assert!(idle.insert(*call) || again, "seed {seed}: idle twice");
                    }
                    Some(*call)
                }
                AppEvent::CallInfo { call, .. } | AppEvent::Digit { call, .. } => {
                    assert!(!idle.contains(call), "seed {seed}: {event:?} after idle");
                    Some(*call)
                }
                AppEvent::MspData { call, .. } => *call,
                AppEvent::CallPrivilege { call, privilege } => {
                    // Nobody is demoted by others.
                    let itself = |what: &AppRequest| match what {
                        AppRequest::SetCallPrivilege { call: of, .. } => of == call,
                        _ => false,
                    };
                    let by_itself = self.asked.iter().any(|(_, what)| itself(what));
                    assert!(*privilege == Privilege::Owner || by_itself, "seed {seed}: {event:?}");
                    given.insert(*call);
                    Some(*call)
                }
                AppEvent::DevSpecific { call, .. } => *call,
                AppEvent::Phone { phone, .. } => {
                    assert!(phones.contains(phone), "seed {seed}: {event:?} of a phone that is not open");
                    None
                }
                AppEvent::PhoneClosed { phone, .. } => {
                    assert!(phones.remove(phone), "seed {seed}: {event:?} of a phone that is not open");
                    None
                }
                AppEvent::LineClosed { .. } | AppEvent::LineDevState { .. } | AppEvent::Hub(_) => None,
            };
            if let Some(call) = named {
                assert!(calls.contains_key(&call), "seed {seed}: {event:?} before its call");
                assert!(!gone.contains(&call), "seed {seed}: {event:?} after deallocation");
            }
        }
        let unanswered: Vec<_> = asked.iter().filter(|(id, _)| !replied.contains(id)).collect();
        assert!(unanswered.is_empty(), "seed {seed}: completions != requests: {unanswered:?}");
    }
}
