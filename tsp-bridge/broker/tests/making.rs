//! Requests that make calls, each of them in each order of what may happen: one reply, no call that nobody knows.

mod support;

use std::sync::Arc;

use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, ConnectedMode, HCall, HLine, LineCallState as S, LineError, MediaTypes,
    Privilege, RequestId, TransferMode,
};
use support::puppet::Puppet;
use support::{CONNECTED, Client, to};

/// A client with two calls, one up and one held, and what it may ask of them.
struct Scene {
    broker: Broker,
    puppet: Arc<Puppet>,
    client: Client,
    line: HLine,
    up: HCall,
    held: HCall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    MakeCall,
    SetupTransfer,
    ToConference,
    SetupConference,
    ConferenceOfNone,
    PrepareAdd,
    Unpark,
    Pickup,
}

const VERBS: [Verb; 8] = [
    Verb::MakeCall,
    Verb::SetupTransfer,
    Verb::ToConference,
    Verb::SetupConference,
    Verb::ConferenceOfNone,
    Verb::PrepareAdd,
    Verb::Unpark,
    Verb::Pickup,
];

impl Verb {
    fn calls(self) -> usize {
        if matches!(self, Verb::SetupConference | Verb::ConferenceOfNone) { 2 } else { 1 }
    }

    /// Whether it is about calls that there are already.
    fn about_calls(self) -> bool {
        !matches!(self, Verb::MakeCall | Verb::ConferenceOfNone | Verb::Unpark | Verb::Pickup)
    }
}

impl Scene {
    fn new() -> Self {
        let (broker, puppet) = Puppet::house();
        let client = Client::new(&broker, "app");
        let line = client.open(Privilege::Owner, MediaTypes::AUDIO);
        puppet.announce(0, CONNECTED);
        puppet.announce(0, S::OnHoldPendingTransfer);
        let calls = client.new_calls();
        let (up, held) = (calls[0].0, calls[1].0);
        client.clear();
        puppet.clear();
        Self { broker, puppet, client, line, up, held }
    }

    fn request(&self, verb: Verb) -> AppRequest {
        let Self { line, up, held, .. } = *self;
        let params = Some(to("bob"));
        match verb {
            Verb::MakeCall => AppRequest::MakeCall { line, params: to("bob") },
            Verb::SetupTransfer => AppRequest::SetupTransfer { call: up, params },
            Verb::ToConference => {
                AppRequest::CompleteTransfer { call: held, consult: up, mode: TransferMode::Conference }
            }
            Verb::SetupConference => AppRequest::SetupConference { line, call: Some(up), params: None },
            Verb::ConferenceOfNone => AppRequest::SetupConference { line, call: None, params },
            Verb::PrepareAdd => AppRequest::PrepareAddToConference { conference: up, params },
            Verb::Unpark => AppRequest::Unpark { line, address: "700".to_owned() },
            Verb::Pickup => AppRequest::Pickup { line, address: None, group: Some("1".to_owned()) },
        }
    }

    fn ask(&self, verb: Verb) -> RequestId {
        self.client.submit(self.request(verb)).unwrap()
    }

    /// What the provider made, without the two calls of the scene.
    fn made(&self) -> Vec<(offhook_spi::HtCall, offhook_spi::HdCall)> {
        self.puppet.made()[2..].to_vec()
    }

    fn handles(&self, id: RequestId) -> Vec<HCall> {
        match self.client.reply(id) {
            Some(Ok(AppReply::Call(call))) => vec![call],
            Some(Ok(AppReply::Conference { conference, consult })) => vec![conference, consult],
            other => panic!("{other:?}"),
        }
    }

    /// Nothing but the two calls of the scene.
    fn as_before(&self, verb: Verb, what: &str) {
        let Census { calls, requests, .. } = self.broker.census();
        assert_eq!((calls, requests), (2, 0), "{verb:?}, {what}");
    }
}

#[test]
fn a_call_is_valid_after_its_completion_and_its_events_follow_the_reply() {
    for verb in VERBS {
        let scene = Scene::new();
        let id = scene.ask(verb);
        let made = scene.made();
        assert_eq!(made.len(), verb.calls(), "{verb:?}");
        for (ht, _) in &made {
            scene.puppet.state(0, *ht, S::Dialtone);
        }
        assert_eq!(scene.client.events(), [], "{verb:?}: nothing before the completion");
        assert_eq!(scene.broker.diagnostics().early_events, verb.calls() as u64);
        scene.puppet.complete(Ok(()));
        let handles = scene.handles(id);
        assert_eq!(scene.client.events().len(), 1, "{verb:?}: the reply is the first");
        for ((ht, _), handle) in made.iter().zip(handles) {
            scene.puppet.state(0, *ht, S::Dialing);
            let last = scene.client.events().pop();
            assert!(
                matches!(last, Some(AppEvent::CallState { call, state: S::Dialing, .. }) if call == handle)
            );
        }
    }
}

#[test]
fn what_comes_inside_the_request_after_its_completion_follows_the_reply() {
    for verb in VERBS {
        let scene = Scene::new();
        scene.puppet.next(|puppet, id| {
            puppet.events().async_completion(id, Ok(()));
            for (ht, _) in &puppet.made()[2..] {
                puppet.state(0, *ht, S::Dialing);
            }
            Ok(())
        });
        let id = scene.ask(verb);
        let handles = scene.handles(id);
        let events = scene.client.events();
        assert!(matches!(&events[0], AppEvent::Reply { request, .. } if *request == id), "{verb:?}");
        let told: Vec<_> = events[1..]
            .iter()
            .map(|event| match event {
                AppEvent::CallState { call, state: S::Dialing, .. } => *call,
                other => panic!("{verb:?}: {other:?}"),
            })
            .collect();
        assert_eq!(told, handles, "{verb:?}");
    }
}

#[test]
fn failure_leaves_nothing_and_closes_nothing_whenever_it_comes() {
    let why = || LineError::failed("no trunk");
    for verb in VERBS {
        let scene = Scene::new();
        scene.puppet.next(move |_, _| Err(why()));
        let id = scene.ask(verb);
        assert_eq!(scene.client.reply(id), Some(Err(why())));
        scene.as_before(verb, "refused");

        let id = scene.ask(verb);
        scene.puppet.complete(Err(why()));
        assert_eq!(scene.client.reply(id), Some(Err(why())));
        scene.as_before(verb, "failed after the return");

        scene.puppet.next(move |puppet, id| {
            puppet.events().async_completion(id, Err(why()));
            Ok(())
        });
        let id = scene.ask(verb);
        assert_eq!(scene.client.reply(id), Some(Err(why())));
        scene.as_before(verb, "failed before the return");

        for first in [Ok(()), Err(why())] {
            let refused = LineError::OperationUnavail;
            let expected = first.clone().err().unwrap_or_else(|| refused.clone());
            scene.puppet.next(move |puppet, id| {
                puppet.events().async_completion(id, first);
                Err(refused)
            });
            let id = scene.ask(verb);
            assert_eq!(scene.client.reply(id), Some(Err(expected)), "{verb:?}: completed, then refused");
            scene.as_before(verb, "completed and refused");
        }
        assert!(!scene.puppet.log().iter().any(|line| line.starts_with("close_call")), "{verb:?}");
    }
}

#[test]
fn a_line_that_is_closed_meanwhile_leaves_no_call_behind() {
    for verb in VERBS {
        // Between return and completion.
        let scene = Scene::new();
        let id = scene.ask(verb);
        let made = scene.made();
        scene.client.ask(AppRequest::CloseLine { line: scene.line }).unwrap();
        assert!(matches!(scene.client.reply(id), Some(Err(LineError::OperationFailed(_)))), "{verb:?}");
        for (_, hd) in made {
            assert!(scene.puppet.log().contains(&format!("close_call {}", hd.0)), "{verb:?}");
        }
        scene.puppet.complete(Ok(()));
        assert_eq!(scene.client.replies(id).len(), 1);
        assert_eq!(scene.broker.census(), Census { clients: 1, ..Census::default() }, "{verb:?}");

        // Inside the request, with a completion before, after, or none.
        for (before, after) in
            [(None, None), (Some(Ok(())), None), (None, Some(Ok(()))), (None, Some(Err(())))]
        {
            let scene = Scene::new();
            let (link, line) = (scene.client.link.clone().unwrap(), scene.line);
            scene.puppet.next(move |puppet, id| {
                let complete = |result: Option<Result<(), ()>>| {
                    if let Some(result) = result {
                        puppet.events().async_completion(id, result.map_err(|()| LineError::failed("no")));
                    }
                };
                complete(before);
                link.submit(RequestId(77), AppRequest::CloseLine { line }).unwrap();
                complete(after);
                Ok(())
            });
            let id = scene.ask(verb);
            assert!(matches!(scene.client.reply(id), Some(Err(LineError::OperationFailed(_)))), "{verb:?}");
            let closed =
                |hd: offhook_spi::HdCall| scene.puppet.log().contains(&format!("close_call {}", hd.0));
            // A call whose making failed is not closed; every other that was named is.
            let all = scene.made().iter().all(|(_, hd)| closed(*hd) == (after != Some(Err(()))));
            assert!(all, "{verb:?} {before:?} {after:?}: {:?}", scene.puppet.log());
            if after.is_none() && before.is_none() {
                scene.puppet.complete(Ok(()));
            }
            assert_eq!(scene.client.replies(id).len(), 1);
            assert_eq!(scene.broker.census(), Census { clients: 1, ..Census::default() }, "{verb:?}");
        }
    }
}

#[test]
fn a_client_that_is_killed_meanwhile_leaves_no_call_behind() {
    for verb in VERBS {
        let mut scene = Scene::new();
        // Somebody else keeps the line open.
        let other = Client::new(&scene.broker, "other");
        other.open(Privilege::None, MediaTypes::NONE);
        scene.ask(verb);
        scene.client.link = None;
        for (_, hd) in scene.made() {
            assert!(scene.puppet.log().contains(&format!("close_call {}", hd.0)), "{verb:?}");
        }
        scene.puppet.complete(Ok(()));
        let expected = Census { clients: 1, lines: 1, ..Census::default() };
        assert_eq!(scene.broker.census(), expected, "{verb:?}");
    }
}

#[test]
fn a_line_that_its_provider_closes_meanwhile_fails_the_request() {
    for verb in VERBS {
        for inside in [false, true] {
            let scene = Scene::new();
            let line = scene.puppet.line(0);
            let why = LineError::ResourceUnavail("unplugged".to_owned());
            if inside {
                let why = why.clone();
                scene.puppet.next(move |puppet, _| {
                    puppet.events().line_closed(line, why);
                    Ok(())
                });
            }
            let id = scene.ask(verb);
            if !inside {
                scene.puppet.events().line_closed(line, why);
            }
            assert!(matches!(scene.client.reply(id), Some(Err(LineError::OperationFailed(_)))), "{verb:?}");
            scene.puppet.complete(Ok(()));
            assert_eq!(scene.client.replies(id).len(), 1);
            assert_eq!(scene.broker.census(), Census { clients: 1, ..Census::default() }, "{verb:?}");
        }
    }
}

#[test]
fn the_call_that_a_request_is_about_takes_the_request_with_it() {
    for verb in VERBS.into_iter().filter(|verb| verb.about_calls()) {
        let scene = Scene::new();
        let id = scene.ask(verb);
        scene.client.ask(AppRequest::Deallocate { call: scene.up }).unwrap();
        assert!(matches!(scene.client.reply(id), Some(Err(LineError::OperationFailed(_)))), "{verb:?}");
        for (_, hd) in scene.made() {
            assert!(scene.puppet.log().contains(&format!("close_call {}", hd.0)), "{verb:?}");
        }
        scene.puppet.complete(Ok(()));
        assert_eq!(scene.client.replies(id).len(), 1);
        assert_eq!((scene.broker.census().calls, scene.broker.census().requests), (1, 0), "{verb:?}");
    }
}

#[test]
fn made_calls_are_the_clients_own_and_are_shown_to_monitors() {
    for verb in VERBS {
        let scene = Scene::new();
        let monitor = Client::new(&scene.broker, "monitor");
        monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
        let id = scene.ask(verb);
        scene.puppet.complete(Ok(()));
        for (handle, (ht, _)) in scene.handles(id).into_iter().zip(scene.made()) {
            scene.puppet.state(0, ht, S::Connected(ConnectedMode::Active));
            let Ok(AppReply::CallInfo(info)) = scene.client.ask(AppRequest::CallInfo { call: handle }) else {
                panic!("{verb:?}: no information");
            };
            assert_eq!((info.owners, info.monitors, info.application.as_str()), (1, 1, "app"), "{verb:?}");
        }
        assert_eq!(monitor.new_calls().len(), verb.calls(), "{verb:?}");
    }
}
