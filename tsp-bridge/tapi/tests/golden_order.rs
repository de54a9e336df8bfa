//! The golden traces of calls against the order that TAPI gives, read as text: nothing here is shared with what writes
//! them. A trace that was written anew and breaks the order fails here, whoever looked at the difference.

use std::path::PathBuf;

/// Traces of one application with one call.
const TRACES: [&str; 8] = [
    "incoming_answered_remote_teardown",
    "incoming_cancelled_by_caller",
    "incoming_rejected",
    "outgoing_busy",
    "outgoing_cancelled_here",
    "outgoing_local_teardown",
    "outgoing_refused",
    "owner_dies_monitor_watches",
];

fn read(name: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Where lines that contain all of `words` stand.
fn at(trace: &[String], words: &[&str]) -> Vec<usize> {
    let has = |line: &String| words.iter().all(|word| line.contains(word));
    trace.iter().enumerate().filter(|(_, line)| has(line)).map(|(number, _)| number).collect()
}

/// Whether every line of the second kind has one of the first kind before it.
fn after(trace: &[String], first: &[&str], then: &[&str]) -> bool {
    let begins = at(trace, first).first().copied();
    at(trace, then).into_iter().all(|line| begins.is_some_and(|begins| begins < line))
}

type Rule = fn(&[String]) -> bool;

/// The rules, with where TAPI says so (sections of the public pages on incoming and outgoing calls, teardown, MSPI).
const RULES: [(&str, Rule); 10] = [
    ("ITMSPAddress::CreateMSPCall comes before TE_CALLNOTIFICATION", |trace| {
        after(trace, &["create_msp_call"], &["event", "CallNotification Owner"])
    }),
    ("LINE_CALLSTATE(OFFERING) is the next thing told of a call that arrived", |trace| {
        at(trace, &["CallNotification"]).into_iter().all(|told| {
            let who = trace[told].split("CallNotification").next().unwrap_or_default();
            let next = trace[told + 1..].iter().find(|line| line.starts_with(who.trim_end()));
            next.is_some_and(|line| line.contains("CallState Offering"))
        })
    }),
    ("no state is told of a call before its notification", |trace| {
        at(trace, &["wire Setup"]).is_empty() || after(trace, &["CallNotification"], &["event", "CallState"])
    }),
    ("the TSP opens the exchange of buffers", |trace| {
        after(trace, &["receive_tsp_data call-level"], &["line_receive_msp_data call-level"])
    }),
    ("CALL_STREAM_ACTIVE follows the TSP's START", |trace| {
        after(trace, &["receive_tsp_data call-level START"], &["StreamActive"])
    }),
    ("CS_DISCONNECTED is told once and is the last state", |trace| {
        let who = |line: &str| line.split("CallState").next().map(str::to_owned);
        let ends = at(trace, &["CallState Disconnected"]);
        ends.iter().all(|end| {
            trace[end + 1..].iter().all(|line| !line.contains("CallState") || who(line) != who(&trace[*end]))
        })
    }),
    ("CS_IDLE is never told", |trace| at(trace, &["event", "CallState Idle"]).is_empty()),
    ("ITMSPAddress::ShutdownMSPCall comes with the release and not before, once a call", |trace| {
        let (made, shut) = (at(trace, &["create_msp_call"]), at(trace, &["shutdown_msp_call"]));
        let given_up = at(trace, &["app  release"]).len() + at(trace, &["dies"]).len();
        made.len() == shut.len() && (given_up > 0 && after(trace, &["app  "], &["shutdown_msp_call"])) && {
            let last_verb = at(trace, &["app  release"]).into_iter().chain(at(trace, &["dies"])).min();
            shut.iter().all(|shut| last_verb.is_some_and(|verb| verb < *shut))
        }
    }),
    ("an outgoing call goes forward only: DIALING, PROCEEDING, RINGBACK, CONNECTED", |trace| {
        let order = ["(line Dialing)", "(line Proceeding)", "(line Ringback)", "(line Connected"];
        let steps = trace.iter().filter_map(|line| order.iter().position(|state| line.contains(state)));
        steps.collect::<Vec<_>>().is_sorted()
    }),
    ("every request of the application is answered once, after it was made", |trace| {
        ["connect", "accept", "answer", "disconnect"].iter().all(|verb| {
            let of = |line: &&String| line.starts_with(&format!("app  {verb}"));
            let (mut open, mut fits) = (0_i32, true);
            for line in trace.iter().filter(of) {
                open += if line.contains(" is ") { -1 } else { 1 };
                fits &= (0..=1).contains(&open);
            }
            fits && open == 0
        })
    }),
];

#[test]
fn every_trace_keeps_the_order_that_tapi_gives() {
    for name in TRACES {
        let trace = read(name);
        assert!(trace.len() > 5, "{name}");
        for (rule, holds) in RULES {
            assert!(holds(&trace), "{name}: {rule}");
        }
    }
}

/// Each rule is broken by some trace with a line moved, doubled or left out: none of them is empty words.
#[test]
fn every_rule_can_fail() {
    let traces: Vec<_> = TRACES.iter().map(|name| read(name)).collect();
    for (rule, holds) in RULES {
        let is_broken_by = |trace: &Vec<String>| {
            (0..trace.len()).any(|line| {
                let mut without = trace.clone();
                let taken = without.remove(line);
                let mut first = without.clone();
                first.insert(0, taken.clone());
                let mut twice = trace.clone();
                twice.push(taken.clone());
                let mut other = trace.clone();
                other[line] = taken.replace("CallState Offering", "CallState Idle");
                [without, first, twice, other].iter().any(|mutant| !holds(mutant))
            })
        };
        assert!(traces.iter().any(is_broken_by), "{rule}: nothing breaks it");
    }
}
