//! Owners and monitors: who comes first, who may give what up, who is told, and where the media go.

mod support;

use std::sync::Arc;

use offhook_broker::scripted::ScriptedConfig;
use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, CallInfoChange, DisconnectMode, HCall, HLine, HandoffTarget,
    LineCallState as S, LineError, MediaTypes, Privilege,
};
use support::puppet::Puppet;
use support::{CONNECTED, Client, house, opaque, to};

const BOTH: MediaTypes = MediaTypes::AUDIO.union(MediaTypes::VIDEO);

fn clients<const N: usize>(broker: &Broker, names: [&str; N]) -> [Client; N] {
    names.map(|name| Client::new(broker, name))
}

fn done(client: &Client, what: AppRequest) {
    assert_eq!(client.ask(what.clone()), Ok(AppReply::Done), "{what:?}");
}

fn priority(client: &Client, media: MediaTypes, first: bool) {
    done(client, AppRequest::SetAppPriority { media, first });
}

fn by_name(name: &str) -> HandoffTarget {
    HandoffTarget::Application(name.to_owned())
}

/// The last call that the client was shown.
fn shown(client: &Client) -> (HCall, Privilege) {
    *client.new_calls().last().expect("no call")
}

/// What a client was told of holders: owners, monitors, application.
fn holders(client: &Client) -> Vec<(u32, u32, String)> {
    let pick = |event: AppEvent| match event {
        AppEvent::CallInfo { change: CallInfoChange::Holders, info, .. } => {
            Some((info.owners, info.monitors, info.application))
        }
        _ => None,
    };
    client.events().into_iter().filter_map(pick).collect()
}

/// Who of the clients is given a call of these media as owner. The call is ended.
fn owner_of(puppet: &Puppet, clients: &[&Client], media: MediaTypes) -> Option<usize> {
    puppet.set_media(media);
    let before: Vec<_> = clients.iter().map(|client| client.new_calls().len()).collect();
    let (ht, _) = puppet.announce(0, S::Offering);
    let owner = clients.iter().zip(before).position(|(client, before)| client.new_calls().len() > before);
    puppet.state(0, ht, S::Idle);
    owner
}

#[test]
fn the_first_to_open_comes_first_until_somebody_is_put_in_front() {
    let (broker, puppet) = Puppet::house();
    let [one, two, three] = clients(&broker, ["one", "two", "three"]);
    for client in [&one, &two, &three] {
        client.open(Privilege::Owner, BOTH);
    }
    let of = |media| owner_of(&puppet, &[&one, &two, &three], media);
    assert_eq!(of(MediaTypes::AUDIO), Some(0));
    priority(&three, MediaTypes::AUDIO, true);
    assert_eq!((of(MediaTypes::AUDIO), of(MediaTypes::VIDEO)), (Some(2), Some(0)), "a list a media type");
    priority(&two, BOTH, true);
    assert_eq!((of(MediaTypes::AUDIO), of(MediaTypes::VIDEO)), (Some(1), Some(1)));
    priority(&two, MediaTypes::AUDIO, false);
    assert_eq!(of(MediaTypes::AUDIO), Some(2), "the second of the list is the first now");
    priority(&three, MediaTypes::AUDIO, false);
    priority(&three, MediaTypes::AUDIO, false);
    assert_eq!(of(MediaTypes::AUDIO), Some(0), "in no list: by opening");
    let none = AppRequest::SetAppPriority { media: MediaTypes::NONE, first: true };
    assert_eq!(one.ask(none), Err(LineError::InvalMediaMode));
}

#[test]
fn a_call_of_several_media_goes_to_the_first_for_audio_then_to_the_first_for_video() {
    let (broker, puppet) = Puppet::house();
    let [video, both, audio] = clients(&broker, ["video", "both", "audio"]);
    let line = video.open(Privilege::Owner, MediaTypes::VIDEO);
    let of = |media| owner_of(&puppet, &[&video, &both, &audio], media);
    assert_eq!(of(BOTH), Some(0), "nobody wants audio");
    let second = both.open(Privilege::Owner, BOTH);
    audio.open(Privilege::Owner, MediaTypes::AUDIO);
    assert_eq!(of(BOTH), Some(1), "the first by opening for audio");
    priority(&video, BOTH, true);
    assert_eq!(of(BOTH), Some(1), "in front for audio, but not there for it");
    priority(&audio, MediaTypes::AUDIO, true);
    assert_eq!(of(BOTH), Some(2));
    assert_eq!(of(MediaTypes::VIDEO), Some(0));
    assert_eq!(of(MediaTypes::NONE), Some(2), "media that are not known count as any");
    done(&video, AppRequest::CloseLine { line });
    assert_eq!(of(MediaTypes::VIDEO), Some(1));
    done(&both, AppRequest::CloseLine { line: second });
    assert_eq!(of(MediaTypes::VIDEO), None, "nobody wants it: dropped");
}

#[test]
fn a_place_is_kept_over_a_restart_of_the_application() {
    let (broker, puppet) = Puppet::house();
    let [mut one, two] = clients(&broker, ["one", "two"]);
    one.open(Privilege::Owner, MediaTypes::AUDIO);
    two.open(Privilege::Owner, MediaTypes::AUDIO);
    priority(&one, MediaTypes::AUDIO, true);
    one.link = None;
    assert_eq!(owner_of(&puppet, &[&two], MediaTypes::AUDIO), Some(0));
    let again = Client::new(&broker, "one");
    again.open(Privilege::Owner, MediaTypes::AUDIO);
    assert_eq!(owner_of(&puppet, &[&two, &again], MediaTypes::AUDIO), Some(1));
}

#[test]
fn the_sole_owner_may_not_give_up_a_call_that_is_not_idle() {
    let (broker, puppet) = Puppet::house();
    let [owner, monitor] = clients(&broker, ["owner", "monitor"]);
    owner.open(Privilege::Owner, MediaTypes::AUDIO);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    let (ht, _) = puppet.announce(0, CONNECTED);
    let (call, seen) = (shown(&owner).0, shown(&monitor).0);
    let set = |client: &Client, call, privilege| client.ask(AppRequest::SetCallPrivilege { call, privilege });
    assert_eq!(set(&owner, call, Privilege::Monitor), Err(LineError::InvalCallState));
    assert!(matches!(set(&owner, call, Privilege::None), Err(LineError::InvalParam(_))));
    assert_eq!(set(&owner, seen, Privilege::Owner), Err(LineError::InvalCallHandle));
    assert_eq!(set(&owner, call, Privilege::Owner), Ok(AppReply::Done), "it is");
    assert_eq!(holders(&monitor), []);

    monitor.clear();
    assert_eq!(set(&monitor, seen, Privilege::Owner), Ok(AppReply::Done));
    let told = AppEvent::CallPrivilege { call: seen, privilege: Privilege::Owner };
    assert_eq!(
        (monitor.events().first(), monitor.events().len()),
        (Some(&told), 2),
        "the change, then the reply"
    );
    assert_eq!(holders(&owner), [(2, 0, String::new())]);
    assert_eq!(set(&owner, call, Privilege::Monitor), Ok(AppReply::Done));
    assert_eq!(holders(&monitor), [(1, 1, String::new())], "who does it has the reply");
    assert_eq!(owner.ask(AppRequest::Drop { call, mode: DisconnectMode::Normal }), Err(LineError::NotOwner));
    assert_eq!(set(&monitor, seen, Privilege::Monitor), Err(LineError::InvalCallState));
    puppet.state(0, ht, S::Idle);
    assert_eq!(set(&monitor, seen, Privilege::Monitor), Ok(AppReply::Done), "idle");
}

#[test]
fn who_answers_is_the_application_of_the_call() {
    let (broker, puppet) = Puppet::house();
    let [owner, monitor] = clients(&broker, ["owner", "monitor"]);
    owner.open(Privilege::Owner, MediaTypes::AUDIO);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    puppet.announce(0, S::Offering);
    let AppEvent::NewCall { info, .. } = &monitor.events()[1] else { panic!("not announced") };
    assert_eq!((info.owners, info.monitors, info.application.as_str()), (1, 1, ""));
    let call = shown(&owner).0;
    owner.submit(AppRequest::Answer { call }).unwrap();
    puppet.complete(Err(LineError::failed("gone")));
    let read = |client: &Client, call| match client.ask(AppRequest::CallInfo { call }) {
        Ok(AppReply::CallInfo(info)) => info.application,
        other => panic!("{other:?}"),
    };
    let seen = shown(&monitor).0;
    assert_eq!(read(&monitor, seen), "", "it did not");
    owner.submit(AppRequest::Answer { call }).unwrap();
    puppet.complete(Ok(()));
    assert_eq!((read(&monitor, seen), read(&owner, call)), ("owner".to_owned(), "owner".to_owned()));
    assert_eq!((holders(&monitor), holders(&owner)), (vec![], vec![]), "there are as many as before");
}

#[test]
fn a_handoff_by_name_gives_the_call_and_its_state() {
    let (broker, puppet) = Puppet::house();
    let [from, to, monitor] = clients(&broker, ["from", "to", "monitor"]);
    from.open(Privilege::Owner, MediaTypes::AUDIO);
    let line = to.open(Privilege::Owner, MediaTypes::VIDEO);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    let (ht, _) = puppet.announce(0, CONNECTED);
    let call = shown(&from).0;
    to.clear();
    done(&from, AppRequest::Handoff { call, to: by_name("to") });
    let given = match to.events().as_slice() {
        [
            AppEvent::NewCall { line: on, call, privilege: Privilege::Owner, info },
            AppEvent::CallState { call: same, state: CONNECTED, .. },
        ] if call == same && *on == line => {
            assert_eq!((info.owners, info.monitors), (2, 1));
            *call
        }
        other => panic!("{other:?}"),
    };
    for told in [&from, &monitor] {
        assert_eq!(holders(told), [(2, 1, String::new())]);
    }
    puppet.state(0, ht, S::OnHold);
    assert_eq!((to.states().last(), from.states().last()), (Some(&S::OnHold), Some(&S::OnHold)));
    // The one who gave it on is an owner still; when it goes the call stays.
    puppet.clear();
    done(&from, AppRequest::Deallocate { call });
    assert_eq!(puppet.log(), [] as [&str; 0], "nothing is dropped");
    assert_eq!(to.ask(AppRequest::Hold { call: given }), Err(LineError::InvalCallState));
    assert!(to.submit(AppRequest::Unhold { call: given }).is_ok());
    assert_eq!(puppet.log(), ["unhold"]);
}

#[test]
fn a_monitor_that_receives_the_call_is_told_that_it_owns_it() {
    let (broker, puppet) = Puppet::house();
    let [from, to] = clients(&broker, ["from", "to"]);
    from.open(Privilege::Owner, MediaTypes::AUDIO);
    to.open(Privilege::Monitor, MediaTypes::AUDIO);
    to.open(Privilege::Owner, MediaTypes::AUDIO);
    puppet.announce(0, CONNECTED);
    let (call, seen) = (shown(&from).0, shown(&to));
    assert_eq!(seen.1, Privilege::Monitor);
    to.clear();
    done(&from, AppRequest::Handoff { call, to: by_name("to") });
    let privilege = Privilege::Owner;
    match to.events().as_slice() {
        [first, AppEvent::CallState { call, state: CONNECTED, .. }] if *call == seen.0 => {
            assert_eq!(*first, AppEvent::CallPrivilege { call: seen.0, privilege });
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(holders(&from), [(2, 0, String::new())]);
}

#[test]
fn a_handoff_by_media_goes_to_the_first_of_the_others() {
    let (broker, puppet) = Puppet::house();
    let [one, two, three] = clients(&broker, ["one", "two", "three"]);
    one.open(Privilege::Owner, BOTH);
    puppet.announce(0, CONNECTED);
    let call = shown(&one).0;
    let hand = |media| one.ask(AppRequest::Handoff { call, to: HandoffTarget::Media(media) });
    assert_eq!(hand(MediaTypes::AUDIO), Err(LineError::TargetSelf), "it is the only one");
    let monitor = two.open(Privilege::Monitor, BOTH);
    assert_eq!(hand(MediaTypes::AUDIO), Err(LineError::TargetSelf), "a monitor is no target");
    done(&two, AppRequest::CloseLine { line: monitor });
    two.open(Privilege::Owner, MediaTypes::AUDIO);
    three.open(Privilege::Owner, BOTH);
    for media in [MediaTypes::NONE, BOTH] {
        assert_eq!(hand(media), Err(LineError::InvalMediaMode), "one type at a time");
    }
    assert_eq!(hand(MediaTypes::VIDEO), Ok(AppReply::Done));
    assert_eq!((two.new_calls().len(), three.new_calls().len()), (0, 1));
    assert_eq!(hand(MediaTypes::AUDIO), Ok(AppReply::Done));
    assert_eq!((two.new_calls().len(), three.new_calls().len()), (1, 1));
}

#[test]
fn a_handoff_to_nobody_fails() {
    let (broker, puppet) = Puppet::house();
    let [one, two, monitor] = clients(&broker, ["one", "two", "monitor"]);
    let line = one.open(Privilege::Owner, MediaTypes::AUDIO);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    puppet.announce(0, CONNECTED);
    let call = shown(&one).0;
    let hand = |client: &Client, call, to| client.ask(AppRequest::Handoff { call, to });
    assert_eq!(hand(&one, call, by_name("two")), Err(LineError::TargetNotFound), "has not opened the line");
    two.open(Privilege::None, MediaTypes::NONE);
    assert_eq!(hand(&one, call, by_name("two")), Err(LineError::TargetNotFound), "not as owner");
    assert_eq!(hand(&one, call, by_name("one")), Err(LineError::TargetSelf));
    let video = HandoffTarget::Media(MediaTypes::VIDEO);
    assert_eq!(hand(&one, call, video), Err(LineError::TargetNotFound));
    assert_eq!(hand(&monitor, shown(&monitor).0, by_name("one")), Err(LineError::NotOwner));
    let namesake = Client::new(&broker, "one");
    namesake.open(Privilege::Owner, MediaTypes::AUDIO);
    assert_eq!(hand(&one, call, by_name("one")), Ok(AppReply::Done), "another of the same name");
    assert_eq!(namesake.new_calls().len(), 1);
    // A call that has no state yet can be shown to nobody.
    let id = one.submit(AppRequest::MakeCall { line, params: to("bob") }).unwrap();
    puppet.complete(Ok(()));
    let placed = support::call_of(one.reply(id));
    assert_eq!(hand(&one, placed, by_name("one")), Err(LineError::InvalCallState));
}

/// Two owners and a monitor with an MSP instance each behind a line, and a call that the first one owns.
struct Media {
    _broker: Broker,
    puppet: Arc<Puppet>,
    clients: [Client; 3],
    lines: [HLine; 3],
    ht: offhook_spi::HtCall,
    hd: offhook_spi::HdCall,
    calls: [Option<HCall>; 3],
}

impl Media {
    fn new() -> Self {
        let (broker, puppet) = Puppet::house();
        let clients = clients(&broker, ["a", "b", "m"]);
        let lines = [
            clients[0].open_with_msp(Privilege::Owner),
            clients[1].open_with_msp(Privilege::Owner),
            clients[2].open_with_msp(Privilege::Monitor),
        ];
        let (ht, hd) = puppet.announce(0, CONNECTED);
        let calls = [Some(shown(&clients[0]).0), None, Some(shown(&clients[2]).0)];
        puppet.clear();
        Self { _broker: broker, puppet, clients, lines, ht, hd, calls }
    }

    /// The TSP speaks on the call: to all, or to one's instance.
    fn tsp(&self, to: Option<usize>) -> Result<(), LineError> {
        let msp = to.map(|n| self.puppet.msps()[n]);
        self.puppet.events().send_msp_data(self.puppet.line(0), Some(self.ht), msp, opaque(b"tsp"))
    }

    /// One's MSP speaks on the call.
    fn msp(&self, n: usize) -> Result<(), LineError> {
        let (line, call, data) = (self.lines[n], self.calls[n], opaque(&[n as u8]));
        self.clients[n].ask(AppRequest::MspData { line, call, data }).map(drop)
    }

    fn hand_to_b(&mut self) {
        let call = self.calls[0].unwrap();
        done(&self.clients[0], AppRequest::Handoff { call, to: by_name("b") });
        self.calls[1] = Some(shown(&self.clients[1]).0);
    }

    /// "The provider was asked to move the media to one's instance."
    fn moved(&self, n: usize) -> String {
        format!("move_media {} {}", self.hd.0, self.puppet.hd_msp(self.puppet.msps()[n]).0)
    }

    fn heard(&self) -> Vec<u8> {
        self.puppet.received.lock().unwrap().iter().map(|(_, data)| data.as_bytes()[0]).collect()
    }
}

fn first() -> Result<(), LineError> {
    Err(LineError::failed("the TSP speaks first"))
}

fn elsewhere() -> Result<(), LineError> {
    Err(LineError::failed("another MSP instance has the call's media"))
}

#[test]
fn a_handoff_moves_the_media_and_the_tsp_speaks_first_to_the_new_instance() {
    let mut media = Media::new();
    media.tsp(None).unwrap();
    media.msp(0).unwrap();
    assert_eq!(media.msp(2), Err(LineError::NotOwner));
    media.hand_to_b();
    assert_eq!(media.puppet.log(), [media.moved(1)]);
    assert_eq!(
        media.msp(1),
        first(),
        "early at the new instance, though the TSP spoke to all before it was one's"
    );
    media.msp(0).unwrap();
    // STOP to the old one, PREPARE to the new one: each goes where it is sent.
    let before = media.clients.each_ref().map(|client| client.buffers().len());
    media.tsp(Some(0)).unwrap();
    media.tsp(Some(1)).unwrap();
    let after = media.clients.each_ref().map(|client| client.buffers().len());
    assert_eq!([after[0] - before[0], after[1] - before[1], after[2] - before[2]], [1, 1, 0]);
    media.msp(1).unwrap();
    // The provider may have given the move up, or not be through: it hears the old instance, and which one speaks.
    media.msp(0).unwrap();
    assert_eq!(media.heard(), [0, 0, 1, 0]);
    let heard = media.puppet.received.lock().unwrap().iter().map(|(msp, _)| *msp).collect::<Vec<_>>();
    let [old, new] = [0, 1].map(|n| media.puppet.hd_msp(media.puppet.msps()[n]));
    assert_eq!(heard, [old, old, new, old]);
    // Until its client does not own the call any more.
    let (call, privilege) = (media.calls[0].unwrap(), Privilege::Monitor);
    done(&media.clients[0], AppRequest::SetCallPrivilege { call, privilege });
    assert_eq!(media.msp(0), Err(LineError::NotOwner));
}

#[test]
fn media_that_cannot_be_moved_stay_and_the_handoff_stands() {
    let mut media = Media::new();
    media.tsp(None).unwrap();
    media.msp(0).unwrap();
    *media.puppet.refusal.lock().unwrap() = Some(LineError::OperationUnavail);
    media.hand_to_b();
    media.msp(0).unwrap();
    media.tsp(None).unwrap();
    assert_eq!(media.msp(1), elsewhere());
}

#[test]
fn an_owner_that_goes_leaves_its_media_to_the_next() {
    for going in 0..4 {
        let mut media = Media::new();
        media.tsp(None).unwrap();
        media.msp(0).unwrap();
        media.hand_to_b();
        media.tsp(Some(1)).unwrap();
        media.msp(1).unwrap();
        media.puppet.clear();
        let (call, line) = (media.calls[1].unwrap(), media.lines[1]);
        let privilege = Privilege::Monitor;
        match going {
            0 => done(&media.clients[1], AppRequest::Deallocate { call }),
            1 => done(&media.clients[1], AppRequest::CloseLine { line }),
            2 => done(&media.clients[1], AppRequest::SetCallPrivilege { call, privilege }),
            _ => media.clients[1].link = None,
        }
        assert_eq!(media.puppet.log()[0], media.moved(0), "{going}");
        assert!(!media.puppet.log().iter().any(|line| line.starts_with("drop")), "{going}: undisturbed");
        media.msp(0).unwrap();
        assert_eq!(media.heard(), [0, 1, 0], "{going}: it knows the TSP");
    }
}

#[test]
fn an_owner_without_the_media_goes_unnoticed_by_the_provider() {
    let mut media = Media::new();
    media.tsp(None).unwrap();
    media.hand_to_b();
    media.tsp(Some(1)).unwrap();
    media.msp(1).unwrap();
    media.puppet.clear();
    media.clients[0].link = None;
    assert!(!media.puppet.log().iter().any(|line| line.starts_with("move") || line.starts_with("drop")));
    media.msp(1).unwrap();
}

#[test]
fn of_two_owners_the_one_that_answers_first_has_the_media() {
    let media = Media::new();
    let (call, privilege) = (media.calls[2].unwrap(), Privilege::Owner);
    done(&media.clients[2], AppRequest::SetCallPrivilege { call, privilege });
    assert_eq!(media.puppet.log(), [] as [&str; 0], "there is an owner: nothing moves");
    media.tsp(None).unwrap();
    media.msp(2).unwrap();
    assert_eq!(media.msp(0), elsewhere());
    // An owner that was spoken to gives the call up before anybody answered.
    let media = Media::new();
    let (call, privilege) = (media.calls[2].unwrap(), Privilege::Owner);
    done(&media.clients[2], AppRequest::SetCallPrivilege { call, privilege });
    media.tsp(None).unwrap();
    done(&media.clients[0], AppRequest::Deallocate { call: media.calls[0].unwrap() });
    assert_eq!(media.puppet.log(), [media.moved(2)]);
}

#[test]
fn a_monitor_that_makes_itself_the_only_owner_gets_the_media() {
    let (broker, puppet) = Puppet::house();
    let monitor = Client::new(&broker, "monitor");
    monitor.open_with_msp(Privilege::Monitor);
    let (_, hd) = puppet.announce(0, S::Offering);
    puppet.clear();
    let call = shown(&monitor).0;
    done(&monitor, AppRequest::SetCallPrivilege { call, privilege: Privilege::Owner });
    assert_eq!(puppet.log(), [format!("move_media {} {}", hd.0, puppet.hd_msp(puppet.msps()[0]).0)]);
    assert!(monitor.submit(AppRequest::Answer { call }).is_ok());
    assert_eq!(puppet.log().last().map(String::as_str), Some("answer"));
}

#[test]
fn one_instance_stands_behind_each_opening_and_media_are_moved_between_them() {
    let (broker, puppet) = Puppet::house();
    let remote = Client::new(&broker, "remote");
    let plain = remote.open(Privilege::Owner, MediaTypes::AUDIO);
    let lines = [(); 2].map(|()| remote.open_with_msp(Privilege::None));
    let again = remote.ask(AppRequest::CreateMspInstance { line: lines[0] });
    assert!(matches!(again, Err(LineError::OperationFailed(_))));
    let (ht, hd) = puppet.announce(0, CONNECTED);
    let call = shown(&remote).0;
    remote.clear();
    puppet.clear();
    let tsp = |msp| puppet.events().send_msp_data(puppet.line(0), Some(ht), msp, opaque(b"x"));
    let named = |client: &Client| {
        let pick = |event: AppEvent| match event {
            AppEvent::MspData { line, call: Some(_), .. } => Some(line),
            _ => None,
        };
        client.events().into_iter().filter_map(pick).collect::<Vec<_>>()
    };
    tsp(Some(puppet.msps()[1])).unwrap();
    assert_eq!(named(&remote), [lines[1]], "the opening is named");
    tsp(None).unwrap();
    assert_eq!(named(&remote), [lines[1], lines[0], lines[1]]);
    let say = |line| remote.ask(AppRequest::MspData { line, call: Some(call), data: opaque(b"y") }).map(drop);
    say(lines[1]).unwrap();
    assert_eq!(say(lines[0]), elsewhere());
    let heard = |n: usize| puppet.received.lock().unwrap()[n].0;
    assert_eq!(heard(0), puppet.hd_msp(puppet.msps()[1]));

    let move_to = |line| remote.ask(AppRequest::MoveMedia { call, line }).map(drop);
    assert_eq!(move_to(plain), Err(LineError::OperationUnavail), "no instance there");
    move_to(lines[0]).unwrap();
    assert_eq!(puppet.log(), [format!("move_media {} {}", hd.0, puppet.hd_msp(puppet.msps()[0]).0)]);
    move_to(lines[0]).unwrap();
    assert_eq!(puppet.log().len(), 1, "they are there");
    assert_eq!((say(lines[0]), say(lines[1])), (first(), Ok(())));
    tsp(Some(puppet.msps()[0])).unwrap();
    say(lines[0]).unwrap();
    *puppet.refusal.lock().unwrap() = Some(LineError::OperationUnavail);
    assert_eq!(move_to(lines[1]), Err(LineError::OperationUnavail));
    say(lines[0]).unwrap();
    *puppet.refusal.lock().unwrap() = None;
    assert_eq!(
        remote.ask(AppRequest::MoveMedia { call: HCall(4711), line: lines[0] }),
        Err(LineError::InvalCallHandle)
    );
    assert_eq!(move_to(HLine(4711)), Err(LineError::InvalLineHandle));
    // The opening with the media is closed: the call, held through another one, goes on at the other instance.
    puppet.clear();
    done(&remote, AppRequest::CloseLine { line: lines[0] });
    assert_eq!(puppet.log()[0], format!("move_media {} {}", hd.0, puppet.hd_msp(puppet.msps()[1]).0));
    assert_eq!(
        broker.census(),
        Census { clients: 1, lines: 1, calls: 1, msp_instances: 1, ..Census::default() }
    );
}

/// With a switch that says its words from inside `line_move_media`.
#[test]
fn a_switch_stops_the_old_instance_and_starts_the_new_one() {
    let (broker, switch) = house(ScriptedConfig::switch(1));
    let [mut from, to] = clients(&broker, ["from", "to"]);
    from.open_with_msp(Privilege::Owner);
    let line = to.open_with_msp(Privilege::Owner);
    switch.ring(0, "5551234").unwrap();
    let call = shown(&from).0;
    done(&from, AppRequest::Answer { call });
    let words = |client: &Client| client.buffers().into_iter().map(|(_, data)| data).collect::<Vec<_>>();
    let (start, stop) = (opaque(b"start"), opaque(b"stop"));
    assert_eq!((words(&from), words(&to)), (vec![start.clone()], vec![]));
    done(&from, AppRequest::Handoff { call, to: by_name("to") });
    assert_eq!((words(&from), words(&to)), (vec![start.clone(), stop], vec![start.clone()]));
    let given = shown(&to).0;
    done(&to, AppRequest::MspData { line, call: Some(given), data: opaque(b"here") });
    assert_eq!(switch.received().last().map(|received| received.data.clone()), Some(opaque(b"here")));
    from.link = None;
    assert_eq!(words(&to), [start], "nothing more happens to it");
    assert_eq!(to.states().last(), Some(&CONNECTED));
    done(&to, AppRequest::Drop { call: given, mode: DisconnectMode::Normal });
    assert_eq!(to.states().last(), Some(&S::Idle));
}

#[test]
fn a_client_that_is_killed_disturbs_nobody() {
    let (broker, puppet) = Puppet::house();
    let mut victim = Client::new(&broker, "victim");
    let [owner, monitor, bystander] = clients(&broker, ["owner", "monitor", "bystander"]);
    let line = victim.open_with_msp(Privilege::Owner);
    owner.open_with_msp(Privilege::Owner);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    bystander.open(Privilege::None, MediaTypes::NONE);
    let (shared, shared_hd) = puppet.announce(0, CONNECTED);
    done(&victim, AppRequest::Handoff { call: shown(&victim).0, to: by_name("owner") });
    let (own, own_hd) = puppet.announce(0, CONNECTED);
    victim.submit(AppRequest::MakeCall { line, params: to("bob") }).unwrap();
    victim.submit(AppRequest::Hold { call: shown(&victim).0 }).unwrap();
    let before = [&owner, &monitor, &bystander].map(Client::events);
    puppet.clear();
    victim.link = None;
    let log = puppet.log();
    assert!(log.contains(&format!("drop {} Normal", own_hd.0)));
    assert!(!log.iter().any(|line| line.contains(&format!(" {}", shared_hd.0))), "{log:?}");
    // Who holds the shared call is told that there is an owner less; nobody is told anything else.
    let news = |client: &Client, before: &[AppEvent]| client.events()[before.len()..].to_vec();
    assert_eq!(news(&bystander, &before[2]), []);
    for (client, before) in [(&owner, &before[0]), (&monitor, &before[1])] {
        let news = news(client, before);
        assert!(
            matches!(news.as_slice(), [AppEvent::CallInfo { change: CallInfoChange::Holders, info, .. }]
                if info.owners == 1),
            "{news:?}"
        );
    }
    // The monitors see both calls to their end.
    puppet.state(0, own, S::Idle);
    puppet.state(0, shared, S::OnHold);
    assert_eq!(monitor.states()[2..], [S::Idle, S::OnHold]);
    assert_eq!(owner.states().last(), Some(&S::OnHold));
}
