//! The opaque channel, every order of what two applications and a TSP do: nothing lost, doubled, out of order or at the
//! wrong place; too early fails and is not kept; late passes until the release; nobody waits for ever.
//!
//! Each actor has a program. The explorer runs every interleaving of them, operation by operation, on a fresh broker,
//! and after each operation compares answers and deliveries with a model that is written from the rules and knows
//! nothing of the broker. Two orders are one state if every actor stands at the same place, has seen the same, and the
//! model is the same: from there on one of them is followed. `--nocapture` shows how many states there are.
//! What happens within an operation, with threads, is tried by chaos.rs.

mod support;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use offhook_broker::Broker;
use offhook_broker::scripted::{Scripted, ScriptedConfig, Step, Verb};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, CallParams, DeviceId, DisconnectMode, HCall, HLine, HdCall,
    HtMspLine, LineCallState as S, LineError, Link, MediaTypes, Opaque, Privilege, RequestId,
};
use support::{CONNECTED, opaque};

/// What an application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum App {
    /// Its MSP stands behind the line from now on.
    Create,
    /// Places the call.
    Connect,
    /// A buffer for a call that it has no handle of.
    Early(u8),
    /// A buffer about a call.
    Send(usize, u8),
    /// A buffer about the address.
    Address(u8),
    /// Gives a call up.
    Release(usize),
}

/// What the TSP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tsp {
    /// The next thing on its agenda.
    Step,
    /// A buffer about the address, for everybody.
    Address(u8),
    /// A buffer about a call for one application's MSP.
    One(usize, usize, u8),
    /// A call arrives.
    Ring(usize),
}

/// Who moves next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    App(usize),
    Tsp,
}

/// A case: three programs, and what the TSP's agenda is once the call is there.
struct Case {
    name: &'static str,
    apps: [&'static [App]; 2],
    tsp: &'static [Tsp],
    agenda: fn(usize) -> Vec<Item>,
}

/// An item of the agenda.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    /// MakeCall completes.
    Complete,
    /// A completion of a request of the broker's own: nobody hears of it.
    Nothing,
    /// A state; the first brings the monitor.
    State(u8),
    /// A buffer about the call, for everybody.
    Send(u8),
}

const STATES: [S; 4] = [S::Dialing, CONNECTED, S::Disconnected(DisconnectMode::Normal), S::Idle];
const OFFERING: u8 = 9;

fn step_of(item: &Item) -> Step {
    match item {
        Item::Complete | Item::Nothing => Step::Complete,
        Item::State(n) => Step::State(STATES[usize::from(*n)]),
        Item::Send(n) => Step::Send(opaque(&[*n])),
    }
}

// --- the model -------------------------------------------------------------------------------------------------

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Model {
    at: [usize; 3],
    /// Which applications have an MSP.
    msp: [bool; 2],
    calls: [Known; 2],
    agenda: VecDeque<(usize, Item)>,
    /// What each application was handed, and what the TSP was: about which call, if about one.
    delivered: [Vec<(Option<usize>, u8)>; 2],
    received: Vec<(Option<usize>, u8)>,
}

/// A call in the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// Which applications hold it.
    holds: [bool; 2],
    /// It is known to provider and broker.
    valid: bool,
    gone: bool,
    /// A state was told.
    told: bool,
    /// To whose MSP the TSP has spoken on it.
    spoke: [bool; 2],
}

/// What an operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    NoMsp,
    NoCall,
    NotOwner,
    TspFirst,
    Nobody,
}

impl Model {
    /// Whether the actor has something to do that makes sense now.
    fn enabled(&self, case: &Case, actor: Actor) -> bool {
        match actor {
            Actor::App(n) => match case.apps[n].get(self.at[n]) {
                None => false,
                Some(App::Send(call, _) | App::Release(call)) => self.calls[*call].holds[n],
                Some(_) => true,
            },
            Actor::Tsp => match case.tsp.get(self.at[2]) {
                None => false,
                Some(Tsp::Step) => !self.agenda.is_empty(),
                Some(Tsp::One(n, call, _)) => {
                    let call = &self.calls[*call];
                    call.valid && !call.gone && self.msp[*n]
                }
                Some(_) => true,
            },
        }
    }

    fn hand_out(&mut self, about: Option<usize>, data: u8, to: impl Fn(usize) -> bool) -> Answer {
        let targets: Vec<_> = (0..2).filter(|n| self.msp[*n] && to(*n)).collect();
        for n in &targets {
            self.delivered[*n].push((about, data));
        }
        if targets.is_empty() { Answer::Nobody } else { Answer::Taken }
    }

    fn about_call(&mut self, of: usize, data: u8, only: Option<usize>) -> Answer {
        let call = self.calls[of];
        let unannounced = !call.told && call.holds == [false; 2];
        if !call.valid || call.gone || unannounced {
            return Answer::NoCall;
        }
        let hears = |n: usize| call.holds[n] && only.is_none_or(|only| only == n);
        for n in 0..2 {
            self.calls[of].spoke[n] |= self.msp[n] && hears(n);
        }
        self.hand_out(Some(of), data, hears)
    }

    fn step(&mut self, case: &Case, actor: Actor) -> Answer {
        match actor {
            Actor::App(n) => {
                let what = case.apps[n][self.at[n]];
                self.at[n] += 1;
                self.app(case, n, what)
            }
            Actor::Tsp => {
                let what = case.tsp[self.at[2]];
                self.at[2] += 1;
                match what {
                    Tsp::Address(data) => self.hand_out(None, data, |_| true),
                    Tsp::One(n, call, data) => self.about_call(call, data, Some(n)),
                    Tsp::Ring(call) => {
                        self.calls[call].valid = true;
                        self.agenda.push_back((call, Item::State(OFFERING)));
                        self.agenda.extend((case.agenda)(call).into_iter().map(|item| (call, item)));
                        Answer::Taken
                    }
                    Tsp::Step => self.agenda_step(),
                }
            }
        }
    }

    fn agenda_step(&mut self) -> Answer {
        let Some((of, item)) = self.agenda.pop_front() else { return Answer::Taken };
        let call = &mut self.calls[of];
        match item {
            Item::Complete => (call.valid, call.holds[0]) = (true, true),
            // An owner and a monitor are there, whoever placed the call.
            Item::State(_) if !call.told => (call.told, call.holds) = (true, [true; 2]),
            Item::Send(data) => {
                // The TSP is told of a failure, and nobody else.
                self.about_call(of, data, None);
            }
            Item::State(_) | Item::Nothing => {}
        }
        Answer::Taken
    }

    fn app(&mut self, case: &Case, n: usize, what: App) -> Answer {
        match what {
            App::Create => self.msp[n] = true,
            App::Connect => self.agenda.extend((case.agenda)(0).into_iter().map(|item| (0, item))),
            App::Early(_) if !self.msp[n] => return Answer::NoMsp,
            App::Early(_) => return Answer::NoCall,
            App::Send(..) | App::Address(_) if !self.msp[n] => return Answer::NoMsp,
            App::Send(..) if n == 1 => return Answer::NotOwner,
            App::Send(call, _) if !self.calls[call].spoke[n] => return Answer::TspFirst,
            App::Send(call, data) => self.received.push((Some(call), data)),
            App::Address(data) => self.received.push((None, data)),
            App::Release(of) => {
                let call = &mut self.calls[of];
                call.holds[n] = false;
                let last = call.holds == [false; 2];
                call.gone = last;
                // The last owner's going drops the call; so does the last holder's, who closes it.
                if n == 0 || last {
                    self.agenda.push_back((of, Item::Nothing));
                }
                if last {
                    let completes = |item: &Item| matches!(item, Item::Complete | Item::Nothing);
                    self.agenda.retain(|(call, item)| *call != of || completes(item));
                    for (_, item) in self.agenda.iter_mut().filter(|(call, _)| *call == of) {
                        *item = Item::Nothing;
                    }
                }
            }
        }
        Answer::Taken
    }
}

// --- the broker ------------------------------------------------------------------------------------------------

/// What is wrong between the actors and the broker: the explorer has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Loses,
    Doubles,
    Swaps,
    Misdelivers,
    WrongCall,
    Alters,
    KeepsEarly,
    RefusesLate,
    LetsMonitorsSpeak,
    Hangs,
}

struct Seat {
    link: Arc<dyn Link>,
    seen: Arc<Seen>,
    line: HLine,
    next: AtomicU32,
}

#[derive(Default)]
struct Seen {
    events: Mutex<Vec<AppEvent>>,
}

impl AppSink for Seen {
    fn deliver(&self, event: AppEvent) {
        self.events.lock().unwrap().push(event);
    }
}

impl Seat {
    fn new(broker: &Broker, name: &str, privilege: Privilege) -> Self {
        let seen = Arc::new(Seen::default());
        let link = broker.connect(name, seen.clone());
        let mut seat = Self { link, seen, line: HLine(0), next: AtomicU32::new(1) };
        match seat.ask(AppRequest::OpenLine { device: DeviceId(0), privilege, media: MediaTypes::AUDIO }) {
            Some(Ok(AppReply::Line(line))) => seat.line = line,
            other => panic!("no line: {other:?}"),
        }
        seat
    }

    fn ask(&self, what: AppRequest) -> Option<Result<AppReply, LineError>> {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        self.link.submit(id, what).unwrap();
        self.seen.events.lock().unwrap().iter().find_map(|event| match event {
            AppEvent::Reply { request, result } if *request == id => Some(result.clone()),
            _ => None,
        })
    }

    /// Its handles of calls, in the order in which they came.
    fn calls(&self) -> Vec<HCall> {
        let pick = |event: &AppEvent| match event {
            AppEvent::Reply { result: Ok(AppReply::Call(call)), .. } | AppEvent::NewCall { call, .. } => {
                Some(*call)
            }
            _ => None,
        };
        self.seen.events.lock().unwrap().iter().filter_map(pick).collect()
    }

    fn delivered(&self) -> Vec<(Option<usize>, u8)> {
        let calls = self.calls();
        let which = |call: HCall| calls.iter().position(|known| *known == call).expect("a call that it has");
        let pick = |event: &AppEvent| match event {
            AppEvent::MspData { call, data, .. } => Some((call.map(which), first(data))),
            _ => None,
        };
        self.seen.events.lock().unwrap().iter().filter_map(pick).collect()
    }
}

fn first(data: &Opaque) -> u8 {
    data.as_bytes().first().copied().unwrap_or_default()
}

struct World {
    broker: Broker,
    switch: Arc<Scripted>,
    seats: [Seat; 2],
    msps: [Option<HtMspLine>; 2],
    at: [usize; 3],
    calls: [Option<HdCall>; 2],
    fault: Fault,
    kept: Vec<(usize, u8)>,
}

impl World {
    fn new(case: &Case, fault: Fault) -> Self {
        let switch = Scripted::new(ScriptedConfig::default());
        let steps: Vec<_> = (case.agenda)(0).iter().map(step_of).collect();
        switch.script_dial("bob", steps);
        switch.script(Verb::Drop, [Step::Complete]);
        let broker = Broker::new();
        broker.add_provider(switch.clone()).unwrap();
        let seats = [
            Seat::new(&broker, "owner", Privilege::Owner),
            Seat::new(&broker, "monitor", Privilege::Monitor),
        ];
        Self { broker, switch, seats, msps: [None; 2], at: [0; 3], calls: [None; 2], fault, kept: Vec::new() }
    }

    fn answer(result: Result<(), LineError>) -> Answer {
        match result {
            Ok(()) => Answer::Taken,
            Err(LineError::OperationUnavail) => Answer::NoMsp,
            Err(LineError::InvalCallHandle | LineError::InvalCallState) => Answer::NoCall,
            Err(LineError::NotOwner) => Answer::NotOwner,
            Err(LineError::OperationFailed(why)) if why.contains("speaks first") => Answer::TspFirst,
            Err(LineError::OperationFailed(why)) if why.contains("no MSP") => Answer::Nobody,
            Err(other) => panic!("an answer that no rule has: {other}"),
        }
    }

    fn buffer(&mut self, n: usize, call: Option<HCall>, data: u8) -> Answer {
        let line = self.seats[n].line;
        let data = if self.fault == Fault::Alters && data == 3 { 4 } else { data };
        let what = AppRequest::MspData { line, call, data: opaque(&[data]) };
        let answer = Self::answer(self.seats[n].ask(what).expect("answered at once").map(drop));
        match (self.fault, answer) {
            (Fault::KeepsEarly, Answer::TspFirst) => {
                self.kept.push((n, data));
                Answer::Taken
            }
            (Fault::LetsMonitorsSpeak, Answer::NotOwner) => Answer::Taken,
            (_, answer) => answer,
        }
    }

    fn step(&mut self, case: &Case, actor: Actor) -> Answer {
        match actor {
            Actor::App(n) => {
                let what = case.apps[n][self.at[n]];
                self.at[n] += 1;
                self.app(n, what)
            }
            Actor::Tsp => {
                let what = case.tsp[self.at[2]];
                self.at[2] += 1;
                match what {
                    Tsp::Address(data) => Self::answer(self.switch.send(0, None, None, opaque(&[data]))),
                    Tsp::One(n, call, data) => {
                        Self::answer(self.switch.send(0, self.calls[call], self.msps[n], opaque(&[data])))
                    }
                    Tsp::Ring(call) => {
                        let hd = self.switch.ring(0, "alice").expect("somebody listens");
                        self.switch.then(hd, (case.agenda)(call).iter().map(step_of));
                        self.calls[call] = Some(hd);
                        Answer::Taken
                    }
                    Tsp::Step => {
                        self.switch.step();
                        for (n, data) in std::mem::take(&mut self.kept) {
                            let call = self.seats[n].calls().first().copied();
                            if self.buffer(n, call, data) == Answer::TspFirst {
                                self.kept.push((n, data));
                            }
                        }
                        Answer::Taken
                    }
                }
            }
        }
    }

    fn app(&mut self, n: usize, what: App) -> Answer {
        let line = self.seats[n].line;
        match what {
            App::Create => {
                let before = self.switch.msp_instances(0);
                let made = self.seats[n].ask(AppRequest::CreateMspInstance { line });
                self.msps[n] = self.switch.msp_instances(0).into_iter().find(|msp| !before.contains(msp));
                Self::answer(made.expect("answered at once").map(drop))
            }
            App::Connect => {
                let destination = "bob".to_owned();
                let params = CallParams { destination, media: MediaTypes::AUDIO, ..CallParams::default() };
                let made = self.seats[n].ask(AppRequest::MakeCall { line, params });
                assert_eq!(made, None, "the switch moves when told");
                self.calls[0] = self.switch.calls().first().copied();
                Answer::Taken
            }
            App::Early(data) => self.buffer(n, Some(HCall(4_711)), data),
            App::Send(call, data) => {
                let call = self.seats[n].calls().get(call).copied();
                self.buffer(n, call, data)
            }
            App::Address(data) => self.buffer(n, None, data),
            App::Release(call) => {
                if self.fault == Fault::Hangs {
                    std::thread::park();
                }
                let call = self.seats[n].calls()[call];
                Self::answer(self.seats[n].ask(AppRequest::Deallocate { call }).expect("answered").map(drop))
            }
        }
    }

    fn delivered(&self) -> [Vec<(Option<usize>, u8)>; 2] {
        let mut delivered = [self.seats[0].delivered(), self.seats[1].delivered()];
        match self.fault {
            Fault::Loses => delivered[0].retain(|(_, data)| *data != 12),
            Fault::Doubles => {
                if let Some(at) = delivered[1].iter().position(|(_, data)| *data == 12) {
                    let again = delivered[1][at];
                    delivered[1].insert(at, again);
                }
            }
            Fault::Swaps => {
                if let Some(at) = delivered[0].iter().position(|(_, data)| *data == 12).filter(|at| *at > 0) {
                    delivered[0].swap(at, at - 1);
                }
            }
            Fault::Misdelivers => {
                if let Some(at) = delivered[0].iter().position(|(_, data)| *data == 21) {
                    let stray = delivered[0].remove(at);
                    delivered[1].push(stray);
                }
            }
            Fault::WrongCall => {
                for (about, _) in delivered[0].iter_mut().filter(|(_, data)| *data == 32) {
                    *about = Some(0);
                }
            }
            Fault::RefusesLate => delivered[0].retain(|(_, data)| *data != 14),
            _ => {}
        }
        delivered
    }

    fn received(&self) -> Vec<(Option<usize>, u8)> {
        let which = |call: HdCall| self.calls.iter().position(|known| *known == Some(call));
        let received = self.switch.received();
        received.iter().map(|word| (word.call.and_then(which), first(&word.data))).collect()
    }
}

// --- the explorer ----------------------------------------------------------------------------------------------

#[derive(Default)]
struct Explored {
    states: BTreeSet<Model>,
    operations: u64,
    paths: u64,
}

const ACTORS: [Actor; 3] = [Actor::App(0), Actor::App(1), Actor::Tsp];

/// Runs a path from the beginning; compares after each operation.
fn replay(case: &Case, fault: Fault, path: &[Actor]) -> Result<Model, String> {
    let (mut world, mut model) = (World::new(case, fault), Model::default());
    for actor in path {
        let expected = model.step(case, *actor);
        let answered = world.step(case, *actor);
        let (delivered, received) = (world.delivered(), world.received());
        if answered != expected || delivered != model.delivered || received != model.received {
            return Err(format!(
                "{}: after {path:?}\nanswered {answered:?}, the rules say {expected:?}\ndelivered {delivered:?}\n\
                 the rules say {:?}\nreceived {received:?}\nthe rules say {:?}",
                case.name, model.delivered, model.received
            ));
        }
    }
    if ACTORS.iter().all(|actor| !model.enabled(case, *actor))
        && model.calls.iter().all(|call| call.gone || !call.valid)
    {
        // Nothing of the call survives its release.
        let left = world.broker.census();
        if left.calls != 0 {
            return Err(format!("{}: after {path:?}\n{left:?}", case.name));
        }
    }
    Ok(model)
}

/// Every interleaving, depth first.
fn explore(case: &Case, fault: Fault, progress: &mpsc::Sender<()>) -> Result<Explored, String> {
    let mut explored = Explored::default();
    let mut open: Vec<(Vec<Actor>, Model)> = vec![(Vec::new(), Model::default())];
    while let Some((path, model)) = open.pop() {
        let enabled: Vec<_> = ACTORS.iter().filter(|actor| model.enabled(case, **actor)).collect();
        if enabled.is_empty() {
            explored.paths += 1;
        }
        for actor in enabled {
            let mut longer = path.clone();
            longer.push(*actor);
            let next = replay(case, fault, &longer)?;
            explored.operations += 1;
            // The test may have given up waiting.
            let _ = progress.send(());
            if explored.states.insert(next.clone()) {
                open.push((longer, next));
            }
        }
    }
    Ok(explored)
}

/// The same, and who waits for ever is found.
fn watched(case: &'static Case, fault: Fault, patience: Duration) -> Result<Explored, String> {
    let (progress, steps) = mpsc::channel();
    let explorer = std::thread::spawn(move || explore(case, fault, &progress));
    while !explorer.is_finished() {
        match steps.recv_timeout(patience) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => return Err("an operation does not return".to_owned()),
        }
    }
    explorer.join().unwrap()
}

fn outgoing_agenda(_: usize) -> Vec<Item> {
    vec![
        Item::Complete,
        Item::Send(11),
        Item::State(0),
        Item::Send(12),
        Item::State(2),
        Item::Send(13),
        Item::State(3),
        Item::Send(14),
    ]
}

fn incoming_agenda(_: usize) -> Vec<Item> {
    vec![Item::Send(11), Item::State(1), Item::Send(12), Item::State(2), Item::State(3), Item::Send(14)]
}

use Tsp::Step as T;

static OUTGOING: Case = Case {
    name: "a call placed",
    apps: [
        &[
            App::Early(1),
            App::Create,
            App::Connect,
            App::Send(0, 2),
            App::Address(6),
            App::Send(0, 3),
            App::Release(0),
        ],
        &[App::Create, App::Send(0, 5), App::Address(7), App::Release(0)],
    ],
    tsp: &[T, T, Tsp::Address(20), T, Tsp::One(0, 0, 21), T, T, T, T, T, T, T],
    agenda: outgoing_agenda,
};

static INCOMING: Case = Case {
    name: "a call that arrives",
    apps: [
        &[App::Create, App::Send(0, 2), App::Address(3), App::Send(0, 4), App::Release(0)],
        &[App::Create, App::Send(0, 6), App::Address(5), App::Release(0)],
    ],
    tsp: &[Tsp::Ring(0), T, T, T, Tsp::One(0, 0, 21), T, T, T, T],
    agenda: incoming_agenda,
};

static LEVELS: Case = Case {
    name: "levels and instances",
    apps: [
        &[App::Create, App::Send(0, 2), App::Release(0)],
        &[App::Create, App::Address(5), App::Release(0)],
    ],
    tsp: &[
        Tsp::Address(20),
        Tsp::Ring(0),
        T,
        T,
        Tsp::One(0, 0, 21),
        Tsp::One(1, 0, 22),
        T,
        T,
        T,
        Tsp::Address(23),
    ],
    agenda: incoming_agenda,
};

/// Each call has its own words.
fn two_agendas(call: usize) -> Vec<Item> {
    match call {
        0 => vec![Item::Send(11), Item::State(1), Item::Send(12), Item::State(3), Item::Send(14)],
        _ => vec![Item::Send(31), Item::State(1), Item::Send(32)],
    }
}

static TWO_CALLS: Case = Case {
    name: "two calls at once",
    apps: [
        &[App::Create, App::Send(0, 2), App::Send(1, 3), App::Release(0), App::Send(1, 4), App::Release(1)],
        &[App::Create, App::Release(1), App::Release(0)],
    ],
    tsp: &[Tsp::Ring(0), Tsp::Ring(1), T, T, T, T, Tsp::One(0, 1, 41), T, T, T, T, T, T, T, T],
    agenda: two_agendas,
};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn every_interleaving_keeps_the_rules_of_the_opaque_channel() {
    for case in [&OUTGOING, &INCOMING, &LEVELS, &TWO_CALLS] {
        let explored = watched(case, Fault::None, PATIENCE).unwrap_or_else(|why| panic!("{why}"));
        let (states, operations, paths) = (explored.states.len(), explored.operations, explored.paths);
        println!("{}: {states} states, {operations} operations, {paths} ends", case.name);
        assert!(states > 1_000 && paths > 10, "the case explores next to nothing");
    }
}

#[test]
fn the_explorer_finds_a_channel_that_breaks_a_rule() {
    for (case, fault) in [
        (&OUTGOING, Fault::Loses),
        (&OUTGOING, Fault::Doubles),
        (&OUTGOING, Fault::Swaps),
        (&LEVELS, Fault::Misdelivers),
        (&TWO_CALLS, Fault::WrongCall),
        (&OUTGOING, Fault::Alters),
        (&OUTGOING, Fault::KeepsEarly),
        (&OUTGOING, Fault::RefusesLate),
        (&OUTGOING, Fault::LetsMonitorsSpeak),
    ] {
        let found = watched(case, fault, PATIENCE).map(|explored| explored.states.len());
        assert!(found.is_err(), "{fault:?} goes unseen in {found:?} states");
    }
    let hangs = watched(&OUTGOING, Fault::Hangs, Duration::from_secs(5)).map(|explored| explored.paths);
    assert_eq!(hangs, Err("an operation does not return".to_owned()));
}
