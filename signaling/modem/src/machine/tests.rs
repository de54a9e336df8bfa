//! The machine alone: any octets in any pieces, any requests, at any times.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::{Profile, Rejecting};

/// What happens to a machine.
#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    /// Milliseconds pass.
    Pass(u32),
    Dial,
    Accept,
    Answer,
    Drop,
    Close,
    Digits(u8),
    Raw,
    Listen(bool),
    Lost,
}

/// Words of modems, whole and in pieces, and noise.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "\r\nOK\r\n",
        "OK\r\n",
        "\r\nERROR\r\n",
        "\r\nRING\r\n",
        "\r\nNO CARRIER\r\n",
        "\r\nBUSY\r\n",
        "\r\nVCON\r\n",
        "\r\nNO ANSWER\r\n",
        "\r\nNO DIALTONE\r\n",
        "\r\nCONNECT 9600\r\n",
        "\r\nRINGING\r\n",
        "0\r",
        "2\r",
        "3\r",
        "4\r",
        "ATQ0V1E0\r\r\nOK\r\n",
        "AT+VTS=1\r",
        "\r\nNMBR = 5551234\r\n",
        "\r\nMESG=04093033323131343035 50\r\n",
        "\r\n+CLIP: \"+49\",145\r\n",
        "\r\n+CLCC: 1,0,3,0,0\r\n",
        "\r\n+CLCC: 1,0,0,0,0\r\n\r\nOK\r\n",
        "\r\n^CONN:1,0\r\n",
        "\r\n^CEND:1,0,0,17\r\n",
        "\r\n^ORIG:1,0\r\n",
        "\r\n+CCWA: \"1\",129,1\r\n",
        "\x10b",
        "\x10d",
        "\x10R",
        "\x10/\x105\x10~",
        "\x10",
        "\x103",
        "\r\n+CME ERROR: 30\r\n",
        "\r\nBLACKLISTED\r\n",
        "\r\nDELAYED\r\n",
        "\r",
        "\n",
        "RI",
        "NG\r\n",
        "\r\n8\r\n",
    ]);
    prop_oneof![
        8 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 0..3000),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => bytes().prop_map(Step::Bytes),
        8 => prop_oneof![0u32..200, 0u32..3_000, 0u32..70_000].prop_map(Step::Pass),
        2 => Just(Step::Dial),
        1 => Just(Step::Accept),
        2 => Just(Step::Answer),
        2 => Just(Step::Drop),
        1 => Just(Step::Close),
        1 => (1u8..20).prop_map(Step::Digits),
        1 => Just(Step::Raw),
        1 => prop::bool::weighted(0.8).prop_map(Step::Listen),
        1 => Just(Step::Lost),
    ]
}

fn config() -> impl Strategy<Value = PortConfig> {
    let profile = prop::sample::select(vec![Profile::Voice, Profile::Data, Profile::Gsm]);
    let reject = prop::sample::select(vec![Rejecting::Ignore, Rejecting::HangUp]);
    // The last is no configuration that passes: the machine is to be right without.
    let waits = prop::sample::select(vec![(0, 8_000), (2_000, 8_000), (2_000, 2_000)]);
    (profile, reject, waits).prop_map(|(profile, reject, (caller_id_wait_ms, ring_timeout_ms))| PortConfig {
        profile,
        reject,
        caller_id_wait_ms,
        ring_timeout_ms,
        ..PortConfig::new("/dev/modem")
    })
}

/// A driver that keeps the rules' book.
struct Book {
    machine: Machine,
    now: Duration,
    /// Requests that are not complete, and whether each makes a call.
    open: BTreeMap<u32, bool>,
    raw: Vec<u64>,
    last: u32,
    /// The call's last state; none before the first.
    call: Option<Option<LineCallState>>,
}

impl Book {
    fn new(config: PortConfig) -> Self {
        let mut machine = Machine::new(config);
        machine.handle_opened(Duration::ZERO);
        machine.listen(true);
        let (open, raw) = (BTreeMap::new(), Vec::new());
        let mut book = Self { machine, now: Duration::ZERO, open, raw, last: 0, call: None };
        book.drain();
        book
    }

    fn request(&mut self, makes: bool) -> RequestId {
        self.last += 1;
        self.open.insert(self.last, makes);
        RequestId(self.last)
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.machine.poll_output() {
            outputs += 1;
            assert!(outputs < 20_000, "it does not come to rest");
            match output {
                Output::Transmit(octets) => assert!(octets.len() < 256, "{octets:?}"),
                Output::Open => self.machine.handle_opened(self.now),
                Output::Event(event) => self.happened(event),
                Output::Dtr(_) | Output::Close => {}
            }
        }
        assert!(self.machine.jobs.len() <= MAX_JOBS + 160, "commands pile up");
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Complete(request, result) => {
                let makes = self.open.remove(&request.0);
                let makes = makes.unwrap_or_else(|| panic!("{request:?} completed twice, or never asked"));
                if makes {
                    self.call = result.is_ok().then_some(None);
                }
            }
            Event::Answer(token, _) => {
                let at = self.raw.iter().position(|raw| *raw == token).expect("answered once");
                self.raw.swap_remove(at);
            }
            Event::Arrived(_) => {
                // As the provider has it: while a call is being made or is there, none arrives.
                let taken = self.call.is_none() && !self.open.values().any(|makes| *makes);
                if taken {
                    self.call = Some(None);
                }
                self.machine.announced(taken);
            }
            Event::State(state) => {
                let Some(before) = self.call.take() else { panic!("{state:?} of no call") };
                assert!(offhook_broker::legal::may_follow(before, state), "{before:?} to {state:?}");
                self.call = (state != LineCallState::Idle).then_some(Some(state));
            }
            Event::Caller(_) | Event::Note(..) | Event::Digit(..) => {
                assert!(self.call.is_some(), "{event:?} of no call");
            }
            Event::Service(_) => {}
        }
    }

    fn pass(&mut self, until: Duration) {
        for _ in 0..20_000 {
            match self.machine.poll_timeout() {
                Some(at) if at <= until => {
                    self.now = self.now.max(at);
                    self.machine.handle_timeout(self.now);
                    self.drain();
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("time does not pass: {:?}", self.machine);
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Bytes(octets) => self.machine.handle_bytes(self.now, &octets),
            Step::Pass(ms) => self.pass(self.now + Duration::from_millis(u64::from(ms))),
            // The provider lets no second one through.
            Step::Dial if self.call.is_some() || self.open.values().any(|makes| *makes) => {}
            Step::Dial => {
                let request = self.request(true);
                self.machine.dial(self.now, request, "5551234", false);
            }
            Step::Accept => {
                let request = self.request(false);
                self.machine.accept(request);
            }
            Step::Answer => {
                let request = self.request(false);
                self.machine.answer(self.now, request);
            }
            Step::Drop => {
                let request = self.request(false);
                self.machine.drop_call(self.now, request);
            }
            Step::Close => {
                self.machine.close_call(self.now);
                self.drain();
                self.call = None;
            }
            Step::Digits(n) => {
                let request = self.request(false);
                self.machine.send_digits(self.now, request, &"1".repeat(usize::from(n)));
            }
            Step::Raw => {
                self.last += 1;
                self.raw.push(u64::from(self.last));
                self.machine.raw(self.now, u64::from(self.last), "ATI");
            }
            Step::Listen(listens) => self.machine.listen(listens),
            Step::Lost => {
                self.machine.handle_lost(self.now, "unplugged");
            }
        }
        self.drain();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No panic, no heap without bound, states that may follow, one completion a request; and when the modem has been
    /// silent for long enough, nothing is left.
    #[test]
    fn whatever_the_modem_says_every_request_is_completed_once(
        config in config(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut book = Book::new(config);
        for step in steps {
            book.apply(step);
        }
        // Answers and drops, digits and commands, all have an end without a word of the modem.
        book.pass(book.now + Duration::from_secs(1_200));
        let stuck: Vec<_> = book.open.keys().collect();
        prop_assert!(stuck.is_empty(), "{stuck:?} not complete: {:?}", book.machine);
        prop_assert!(book.raw.is_empty(), "{:?}", book.raw);
        let offered = matches!(book.call, Some(Some(LineCallState::Offering | LineCallState::Accepted)));
        prop_assert!(!offered, "a call rings that nobody rings");
        prop_assert!(book.call != Some(None), "a call that never got a state: {:?}", book.machine);
    }
}

/// A machine that a modem has made ready.
fn ready(config: PortConfig) -> Machine {
    let mut machine = Machine::new(config);
    machine.listen(true);
    machine.handle_opened(Duration::ZERO);
    for ms in 0..20 {
        let now = Duration::from_millis(ms * 100);
        machine.handle_bytes(now, b"\r\nOK\r\n");
        machine.handle_timeout(now + Duration::from_millis(50));
    }
    assert_eq!(machine.phase, Phase::Ready);
    while machine.poll_output().is_some() {}
    machine
}

fn outputs(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

const AT: Duration = Duration::from_secs(10);

#[test]
fn a_second_call_waits_for_the_hook_of_the_first() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    machine.dial(AT, RequestId(1), "111", false);
    machine.handle_bytes(AT, b"\r\nVCON\r\n");
    machine.close_call(AT);
    machine.dial(AT, RequestId(2), "222", false);
    let ms = |ms| AT + Duration::from_millis(ms);
    machine.handle_timeout(ms(100));
    let said = outputs(&mut machine);
    assert!(said.contains(&Output::Transmit(b"ATH\r".to_vec())), "{said:?}");
    assert!(!said.iter().any(|output| matches!(output, Output::Event(Event::Complete(RequestId(2), _)))));
    for step in 2..6 {
        machine.handle_bytes(ms(step * 100), b"\r\nOK\r\n");
        machine.handle_timeout(ms(step * 100 + 50));
    }
    let said = outputs(&mut machine);
    assert!(said.contains(&Output::Event(Event::Complete(RequestId(2), Ok(())))), "{said:?}");
    assert!(said.contains(&Output::Transmit(b"ATDT222\r".to_vec())), "{said:?}");
}

#[test]
fn codes_between_a_command_and_its_answer_are_about_the_call() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    machine.dial(AT, RequestId(1), "111", false);
    machine.handle_bytes(AT, b"\r\nVCON\r\n");
    machine.handle_timeout(AT + Duration::from_millis(50));
    machine.send_digits(AT + Duration::from_millis(50), RequestId(2), "12");
    outputs(&mut machine);
    machine.handle_bytes(AT + Duration::from_millis(60), b"\r\nNO CARRIER\r\n");
    let said = outputs(&mut machine);
    let gone = Output::Event(Event::State(LineCallState::Disconnected(DisconnectMode::Normal)));
    assert!(said.contains(&gone), "{said:?}");
    assert!(
        said.iter().any(|o| matches!(o, Output::Event(Event::Complete(RequestId(2), Err(_))))),
        "{said:?}"
    );
}

#[test]
fn a_modem_that_has_forgotten_its_settings_is_told_again() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    let later = AT + Duration::from_secs(60);
    machine.handle_timeout(later);
    assert_eq!(outputs(&mut machine), [Output::Transmit(b"AT\r".to_vec())]);
    machine.handle_bytes(later, b"AT\r\r\nOK\r\n");
    machine.handle_timeout(later + Duration::from_millis(50));
    assert_eq!(outputs(&mut machine), [Output::Transmit(b"ATQ0V1E0\r".to_vec())]);
}

#[test]
fn a_modem_in_numbers_is_understood() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    machine.dial(AT, RequestId(1), "111", false);
    outputs(&mut machine);
    machine.handle_bytes(AT, b"7\r");
    machine.handle_timeout(AT + Duration::from_millis(100));
    let busy = Output::Event(Event::State(LineCallState::Disconnected(DisconnectMode::Busy)));
    assert!(outputs(&mut machine).contains(&busy));
}

#[test]
fn a_modem_that_does_not_hang_up_is_made_to() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    machine.dial(AT, RequestId(1), "111", false);
    machine.handle_bytes(AT, b"\r\nCONNECT 9600\r\n");
    let mut said = outputs(&mut machine);
    machine.drop_call(AT, RequestId(2));
    let mut now = AT;
    while now < AT + Duration::from_secs(8) {
        now = machine.poll_timeout().unwrap();
        machine.handle_timeout(now);
        said.extend(outputs(&mut machine));
    }
    let incompatible = Output::Event(Event::State(LineCallState::Disconnected(DisconnectMode::Incompatible)));
    for expected in [incompatible, Output::Transmit(b"ATH\r".to_vec()), Output::Dtr(false), Output::Dtr(true)]
    {
        assert!(said.contains(&expected), "no {expected:?} in {said:?}");
    }
}

#[test]
fn a_call_that_waits_is_not_dialled_into_a_line_that_rings() {
    let mut machine = Machine::new(PortConfig::new("/dev/modem"));
    machine.listen(true);
    machine.handle_opened(Duration::ZERO);
    machine.dial(Duration::ZERO, RequestId(1), "111", false);
    machine.handle_bytes(Duration::ZERO, b"\r\nRING\r\n");
    let said = outputs(&mut machine);
    let refused = |output: &Output| matches!(output, Output::Event(Event::Complete(RequestId(1), Err(_))));
    assert!(said.iter().any(refused), "{said:?}");
    let mut now = Duration::ZERO;
    for _ in 0..40 {
        now += Duration::from_millis(100);
        machine.handle_bytes(now, b"\r\nOK\r\n");
        machine.handle_timeout(now);
    }
    let said = outputs(&mut machine);
    assert!(!said.contains(&Output::Transmit(b"ATDT111\r".to_vec())), "{said:?}");
}

#[test]
fn an_answer_that_comes_to_nothing_says_why() {
    let table = [
        ("\r\nNO CARRIER\r\n", DisconnectMode::Cancelled),
        ("\r\nCONNECT 9600\r\n", DisconnectMode::Incompatible),
        ("\r\nERROR\r\n", DisconnectMode::Unavail),
    ];
    for (word, mode) in table {
        let mut machine = ready(PortConfig::new("/dev/modem"));
        machine.handle_bytes(AT, b"\r\nRING\r\n");
        machine.announced(true);
        machine.answer(AT, RequestId(1));
        machine.handle_bytes(AT + Duration::from_millis(10), word.as_bytes());
        let said = outputs(&mut machine);
        assert!(
            said.iter().any(|o| matches!(o, Output::Event(Event::Complete(RequestId(1), Err(_))))),
            "{said:?}"
        );
        assert!(said.contains(&Output::Event(Event::State(LineCallState::Disconnected(mode)))), "{said:?}");
    }
}

#[test]
fn a_device_that_refuses_everything_is_given_up() {
    let mut machine = Machine::new(PortConfig::new("/dev/modem"));
    let mut now = Duration::ZERO;
    machine.handle_opened(now);
    let mut woken = 0;
    let mut given_up_after = None;
    while now < Duration::from_secs(9) {
        for output in outputs(&mut machine) {
            match output {
                Output::Transmit(octets) => {
                    assert!(octets.ends_with(b"ATQ0V1E0\r"), "{octets:?}");
                    woken += 1;
                    machine.handle_bytes(now, b"\r\nERROR\r\n");
                }
                Output::Open => machine.handle_opened(now),
                Output::Event(Event::Service(LineDevState::OutOfService { why })) => {
                    assert_eq!(why, "nothing there answers like a modem");
                    given_up_after = given_up_after.or(Some(woken));
                }
                _ => {}
            }
        }
        now = now.max(machine.poll_timeout().unwrap());
        machine.handle_timeout(now);
    }
    assert_eq!(given_up_after, Some(usize::from(WAKE_TRIES)));
    // After one second, after two more, after four more.
    assert!(woken <= 4 * usize::from(WAKE_TRIES), "woken {woken} times in nine seconds");
}

#[test]
fn a_modem_that_refuses_what_was_begun_before_is_woken_again() {
    let mut machine = Machine::new(PortConfig::new("/dev/modem"));
    machine.handle_opened(Duration::ZERO);
    machine.handle_bytes(Duration::ZERO, b"\r\nERROR\r\n");
    machine.handle_timeout(Duration::from_millis(50));
    let wake = || Output::Transmit(b"ATQ0V1E0\r".to_vec());
    assert_eq!(outputs(&mut machine), [wake(), wake()]);
    machine.handle_bytes(Duration::from_millis(60), b"\r\nOK\r\n");
    assert_eq!(machine.phase, Phase::SettingUp);
}

#[test]
fn a_call_that_is_over_when_it_is_due_is_not_announced() {
    let waits = |caller_id_wait_ms, ring_timeout_ms| PortConfig {
        caller_id_wait_ms,
        ring_timeout_ms,
        ..PortConfig::new("/dev/modem")
    };
    // Both at once; and a clock that comes too late for both.
    for (config, late) in [(waits(2_000, 2_000), 2), (waits(2_000, 8_000), 9)] {
        let mut machine = ready(config);
        machine.handle_bytes(AT, b"\r\nRING\r\n");
        machine.handle_timeout(AT + Duration::from_secs(late));
        let said = outputs(&mut machine);
        assert!(!said.iter().any(|output| matches!(output, Output::Event(Event::Arrived(_)))), "{said:?}");
        // The next is.
        machine.handle_bytes(AT + Duration::from_secs(20), b"\r\nNMBR=1\r\n\r\nRING\r\n");
        let said = outputs(&mut machine);
        assert!(said.iter().any(|output| matches!(output, Output::Event(Event::Arrived(_)))), "{said:?}");
    }
}

#[test]
fn a_call_taken_after_it_stopped_ringing_has_an_end() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    machine.handle_bytes(AT, b"\r\nRING\r\n");
    machine.handle_lost(AT, "unplugged");
    machine.announced(true);
    let said = outputs(&mut machine);
    let states: Vec<_> = said.into_iter().filter(|o| matches!(o, Output::Event(Event::State(_)))).collect();
    let state = |state| Output::Event(Event::State(state));
    let lost = state(LineCallState::Disconnected(DisconnectMode::TempFailure));
    assert_eq!(states, [state(LineCallState::Offering), lost]);
    machine.drop_call(AT, RequestId(1));
    let said = outputs(&mut machine);
    assert!(said.contains(&Output::Event(Event::Complete(RequestId(1), Ok(())))), "{said:?}");
    assert!(said.contains(&state(LineCallState::Idle)), "{said:?}");
}

#[test]
fn an_answer_to_one_of_several_questions_is_no_caller() {
    let mut machine = ready(PortConfig::new("/dev/modem"));
    machine.raw(AT, 7, "at+csq;+clip?");
    outputs(&mut machine);
    machine.handle_bytes(AT, b"\r\n+CSQ: 19,99\r\n\r\n+CLIP: 1,1\r\n\r\nOK\r\n");
    let answer = Ok(vec!["+CSQ: 19,99".to_owned(), "+CLIP: 1,1".to_owned()]);
    assert_eq!(outputs(&mut machine), [Output::Event(Event::Answer(7, answer))]);
    assert_eq!(machine.early_caller, None);
}
