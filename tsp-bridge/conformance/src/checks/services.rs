//! The supplementary services that the capabilities name, each with the states of its page.

use offhook_spi::{
    CallFeatures as F, Completion, CompletionMode, Forward, ForwardMode, LineCallState as S, ParkMode,
    TransferMode,
};

use crate::rules::Rule;
use crate::session::{Call, Session};

fn is_up(state: S) -> bool {
    matches!(state, S::Connected(_))
}

fn is_held(state: S) -> bool {
    matches!(state, S::OnHold | S::OnHoldPendingTransfer | S::OnHoldPendingConference)
}

/// Whether the device has the verbs of a rule.
fn has(session: &Session<'_>, rule: Rule, verbs: F) -> bool {
    let there = session.has(verbs);
    if !there {
        session.not_here(rule, "the capabilities do not name it");
    }
    there
}

/// A call that is up, to try a rule on.
fn subject(session: &mut Session<'_>, rule: Rule) -> Option<Call> {
    let call = session.talk();
    if call.is_none() {
        session.not_here(rule, "no call comes to be");
    }
    call
}

/// Holds, transfers, parks and the rest.
pub(crate) fn services(session: &mut Session<'_>) {
    hold(session);
    swap(session);
    consult(session);
    blind(session);
    park(session);
    pickup(session);
    forward(session);
    completion(session);
}

fn hold(session: &mut Session<'_>) {
    if !has(session, Rule::Hold, F::HOLD.union(F::UNHOLD)) {
        return;
    }
    let Some(call) = subject(session, Rule::Hold) else { return };
    session.fails(Rule::Hold, "Unhold of a call that is not held", |p, id| p.line_unhold(id, call.hd));
    if session.does(Rule::Hold, "Hold", |p, id| p.line_hold(id, call.hd)).is_some() {
        session.comes_to(Rule::Hold, call, "ONHOLD", |state| state == S::OnHold);
        session.fails(Rule::Hold, "Hold of a held call", |p, id| p.line_hold(id, call.hd));
    }
    if session.does(Rule::Hold, "Unhold", |p, id| p.line_unhold(id, call.hd)).is_some() {
        session.comes_to(Rule::Hold, call, "CONNECTED", is_up);
    }
    // A held call ends like any other.
    if session.does(Rule::Hold, "Hold again", |p, id| p.line_hold(id, call.hd)).is_some() {
        session.comes_to(Rule::Hold, call, "ONHOLD", |state| state == S::OnHold);
    }
    session.release(call);
}

fn swap(session: &mut Session<'_>) {
    if !has(session, Rule::Swap, F::SWAP_HOLD.union(F::HOLD)) {
        return;
    }
    let Some(first) = subject(session, Rule::Swap) else { return };
    if session.does(Rule::Swap, "Hold", |p, id| p.line_hold(id, first.hd)).is_some() {
        match session.talk_too() {
            Some(second) => {
                let swapped =
                    session.does(Rule::Swap, "SwapHold", |p, id| p.line_swap_hold(id, second.hd, first.hd));
                if swapped.is_some() {
                    session.comes_to(Rule::Swap, first, "CONNECTED", is_up);
                    session.comes_to(Rule::Swap, second, "ONHOLD", is_held);
                }
                session.release(second);
            }
            None => session.not_here(Rule::Swap, "the harness has no second destination"),
        }
    }
    session.release(first);
}

/// A consultation that is answered.
fn consultation(session: &mut Session<'_>, call: Call) -> Option<Call> {
    let destination = session.harness.second_destination()?;
    let (ht, params) = (session.fresh(), session.params(&destination));
    let made =
        session.come("SetupTransfer", &[ht], |p, id| p.line_setup_transfer(id, call.hd, ht, Some(&params)));
    match made.made() {
        Ok((hd, _)) => {
            let consult = session.made(ht, hd);
            session.comes_to(Rule::Consult, call, "ONHOLDPENDTRANSFER", |state| {
                state == S::OnHoldPendingTransfer
            });
            session.comes_to(Rule::Consult, consult, "CONNECTED", is_up);
            ids(session, call, consult);
            Some(consult)
        }
        Err(why) => {
            session.broken(Rule::Consult, format!("SetupTransfer {why}"));
            None
        }
    }
}

/// A consultation has a call id of its own, related to the call's.
fn ids(session: &Session<'_>, call: Call, consult: Call) {
    let info = |call: Call| session.provider.line_call_info(call.hd).ok();
    if let (Some(first), Some(second)) = (info(call), info(consult))
        && first.call_id != 0
    {
        let own = second.call_id != first.call_id && second.related_call_id == first.call_id;
        session.check(Rule::CallId, own, || {
            let (id, related) = (second.call_id, second.related_call_id);
            format!("a consultation has id {id} related to {related}, its call has {}", first.call_id)
        });
    }
}

fn consult(session: &mut Session<'_>) {
    if !has(session, Rule::Consult, F::SETUP_TRANSFER) {
        session.not_here(Rule::Transfer, "there is no consultation");
        session.not_here(Rule::TransferConference, "there is no consultation");
        return;
    }
    if session.harness.second_destination().is_none() {
        for rule in [Rule::Consult, Rule::Transfer, Rule::TransferConference] {
            session.not_here(rule, "the harness has no second destination");
        }
        return;
    }
    // Consulted, and given up.
    let Some(call) = subject(session, Rule::Consult) else { return };
    if let Some(consulted) = consultation(session, call) {
        session.release(consulted);
        if session.has(F::UNHOLD)
            && session.does(Rule::Consult, "Unhold", |p, id| p.line_unhold(id, call.hd)).is_some()
        {
            session.comes_to(Rule::Consult, call, "CONNECTED", is_up);
        }
    }
    session.release(call);
    if has(session, Rule::Transfer, F::COMPLETE_TRANSFER)
        && let Some(call) = subject(session, Rule::Transfer)
    {
        if let Some(consulted) = consultation(session, call) {
            let ht = session.fresh();
            let done = session.come("CompleteTransfer", &[], |p, id| {
                p.line_complete_transfer(id, call.hd, consulted.hd, TransferMode::Transfer, ht)
            });
            match done.made() {
                Ok((made, _)) => {
                    let none = made.is_none();
                    session.check(Rule::Transfer, none, || "a transfer makes no call".to_owned());
                    for one in [call, consulted] {
                        session.comes_to(Rule::Transfer, one, "IDLE", |state| state == S::Idle);
                    }
                }
                Err(why) => session.broken(Rule::Transfer, format!("CompleteTransfer {why}")),
            }
            session.release(consulted);
        }
        session.release(call);
    }
    if has(session, Rule::TransferConference, F::TRANSFER_TO_CONFERENCE)
        && let Some(call) = subject(session, Rule::TransferConference)
    {
        if let Some(consulted) = consultation(session, call) {
            three(session, call, consulted);
            session.release(consulted);
        }
        session.release(call);
    }
}

fn three(session: &mut Session<'_>, call: Call, consulted: Call) {
    let ht = session.fresh();
    let done = session.come("CompleteTransfer as a conference", &[ht], |p, id| {
        p.line_complete_transfer(id, call.hd, consulted.hd, TransferMode::Conference, ht)
    });
    match done.made() {
        Ok((Some(hd), _)) => {
            let conference = session.made(ht, hd);
            for member in [call, consulted] {
                let is = |state| state == S::Conferenced;
                session.comes_to(Rule::TransferConference, member, "CONFERENCED", is);
            }
            session.comes_to(Rule::TransferConference, conference, "CONNECTED", is_up);
            session.release(conference);
        }
        Ok((None, _)) => session.broken(Rule::TransferConference, "no call of the conference is named"),
        Err(why) => session.broken(Rule::TransferConference, format!("CompleteTransfer {why}")),
    }
}

fn blind(session: &mut Session<'_>) {
    if !has(session, Rule::Blind, F::BLIND_TRANSFER) {
        return;
    }
    let Some(destination) = session.harness.second_destination() else {
        return session.not_here(Rule::Blind, "the harness has no second destination");
    };
    let Some(call) = subject(session, Rule::Blind) else { return };
    if let Some(nowhere) = session.harness.nowhere() {
        session.fails(Rule::Blind, "BlindTransfer to nowhere", |p, id| {
            p.line_blind_transfer(id, call.hd, &nowhere)
        });
        let state = session.state(call);
        session.check(Rule::Blind, state.is_some_and(is_up), || {
            format!("a transfer that failed leaves the call {state:?}")
        });
    }
    let go =
        session.does(Rule::Blind, "BlindTransfer", |p, id| p.line_blind_transfer(id, call.hd, &destination));
    if go.is_some() {
        session.comes_to(Rule::Blind, call, "IDLE", |state| state == S::Idle);
    }
    session.release(call);
}

fn park(session: &mut Session<'_>) {
    if !has(session, Rule::Park, F::PARK_NONDIRECTED.union(F::UNPARK)) {
        return;
    }
    let Some(call) = subject(session, Rule::Park) else { return };
    let parked = session.does(Rule::Park, "Park", |p, id| p.line_park(id, call.hd, &ParkMode::NonDirected));
    match parked {
        Some(Completion::Address(at)) => {
            session.comes_to(Rule::Park, call, "IDLE", |state| state == S::Idle);
            session.release(call);
            let (ht, line) = (session.fresh(), session.line);
            let fetched = session.come("Unpark", &[ht], |p, id| p.line_unpark(id, line, ht, &at));
            match fetched.made() {
                Ok((hd, _)) => {
                    let back = session.made(ht, hd);
                    session.comes_to(Rule::Park, back, "CONNECTED", is_up);
                    session.release(back);
                }
                Err(why) => session.broken(Rule::Park, format!("Unpark {why}")),
            }
            let ht = session.fresh();
            session.fails(Rule::Park, "Unpark again", |p, id| p.line_unpark(id, line, ht, &at).map(drop));
        }
        Some(other) => {
            session.broken(Rule::Park, format!("Park answers {other:?}, not where"));
            session.release(call);
        }
        None => session.release(call),
    }
}

fn pickup(session: &mut Session<'_>) {
    if !has(session, Rule::Pickup, F::PICKUP) {
        return;
    }
    if session.with_neighbour(pick).is_none() {
        session.not_here(Rule::Pickup, "there is no second device to ring at");
    }
}

fn pick(session: &mut Session<'_>) {
    let Some(address) = session.harness.rings_elsewhere() else {
        return session.not_here(Rule::Pickup, "the harness has nothing ring elsewhere");
    };
    session.still();
    let (ht, line) = (session.fresh(), session.line);
    let picked = session.come("Pickup", &[ht], |p, id| p.line_pickup(id, line, ht, Some(&address), None));
    match picked.made() {
        Ok((hd, _)) => {
            let call = session.made(ht, hd);
            session.comes_to(Rule::Pickup, call, "CONNECTED", is_up);
            session.release(call);
        }
        Err(why) => session.broken(Rule::Pickup, format!("Pickup {why}")),
    }
    let ht = session.fresh();
    session.fails(Rule::Pickup, "Pickup where nothing rings", |p, id| {
        p.line_pickup(id, line, ht, Some(&address), None).map(drop)
    });
}

fn forward(session: &mut Session<'_>) {
    if !has(session, Rule::Forward, F::FORWARD) {
        return;
    }
    let Some(destination) = session.harness.second_destination() else {
        return session.not_here(Rule::Forward, "the harness has no second destination");
    };
    let line = session.line;
    let all = [Forward { mode: ForwardMode::Unconditional, caller: None, destination }];
    session.does(Rule::Forward, "Forward", |p, id| p.line_forward(id, line, &all, None));
    let before = session.log(|log| log.announced.len());
    if session.harness.calls_in() {
        session.still();
        let after = session.log(|log| log.announced.len());
        session.check(Rule::Forward, before == after, || "a call that is forwarded rings here".to_owned());
    }
    session.does(Rule::Forward, "Forward to nobody", |p, id| p.line_forward(id, line, &[], None));
    match session.offered() {
        Some(call) => {
            session.kept(Rule::Forward);
            session.release(call);
        }
        None => session.broken(Rule::Forward, "forwarding was ended and no call comes"),
    }
}

fn completion(session: &mut Session<'_>) {
    if !has(session, Rule::CompleteCall, F::COMPLETE_CALL) {
        return;
    }
    if session.with_neighbour(complete).is_none() {
        session.not_here(Rule::CompleteCall, "there is no second device to be busy");
    }
}

fn complete(session: &mut Session<'_>) {
    let Some(busy) = session.harness.busy() else {
        return session.not_here(Rule::CompleteCall, "the harness has nobody who is busy");
    };
    let Some(call) = session.dial(&busy) else { return };
    session.comes_to(Rule::CompleteCall, call, "BUSY", |state| state == S::Busy);
    let asked = session.does(Rule::CompleteCall, "CompleteCall", |p, id| {
        p.line_complete_call(id, call.hd, CompletionMode::CallBack)
    });
    let line = session.line;
    match asked {
        Some(Completion::CompletionId(name)) => {
            session
                .does(Rule::CompleteCall, "UncompleteCall", |p, id| p.line_uncomplete_call(id, line, name));
            session.fails(Rule::CompleteCall, "UncompleteCall again", |p, id| {
                p.line_uncomplete_call(id, line, name)
            });
        }
        Some(other) => session.broken(Rule::CompleteCall, format!("it answers {other:?}, not a name")),
        None => {}
    }
    session.release(call);
}

/// Conferences from beginning to end.
pub(crate) fn conferences(session: &mut Session<'_>) {
    let verbs = F::SETUP_CONFERENCE.union(F::ADD_TO_CONFERENCE);
    if !has(session, Rule::Conference, verbs) {
        return;
    }
    let Some(destination) = session.harness.second_destination() else {
        return session.not_here(Rule::Conference, "the harness has no second destination");
    };
    let Some(call) = subject(session, Rule::Conference) else { return };
    let (conference, consult) = (session.fresh(), session.fresh());
    let (line, params) = (session.line, session.params(&destination));
    let made = session.come("SetupConference", &[conference, consult], |p, id| {
        p.line_setup_conference(id, line, Some(call.hd), conference, consult, Some(&params))
    });
    let (made, _) = match made.made() {
        Ok(made) => made,
        Err(why) => {
            session.broken(Rule::Conference, format!("SetupConference {why}"));
            return session.release(call);
        }
    };
    let conference = session.made(conference, made.conference);
    let consult = session.made(consult, made.consult);
    session.comes_to(Rule::Conference, conference, "ONHOLDPENDCONF", |s| s == S::OnHoldPendingConference);
    let waits = |state| matches!(state, S::Conferenced | S::OnHoldPendingConference);
    session.comes_to(Rule::Conference, call, "CONFERENCED", waits);
    session.comes_to(Rule::Conference, consult, "CONNECTED", is_up);
    let added = session.does(Rule::Conference, "AddToConference", |p, id| {
        p.line_add_to_conference(id, conference.hd, consult.hd)
    });
    if added.is_some() {
        for member in [call, consult] {
            session.comes_to(Rule::Conference, member, "CONFERENCED", |state| state == S::Conferenced);
        }
        session.comes_to(Rule::Conference, conference, "CONNECTED", is_up);
    }
    let more = F::PREPARE_ADD_TO_CONFERENCE.union(F::REMOVE_FROM_CONFERENCE);
    let mut third = None;
    if session.has(more) {
        third = grow(session, conference, &destination);
    }
    // Who made it drops it: everybody is released.
    session.drop_call(conference, offhook_spi::DisconnectMode::Normal);
    for member in [Some(call), Some(consult)].into_iter().flatten() {
        session.comes_to(Rule::Conference, member, "its end", |s| matches!(s, S::Idle | S::Disconnected(_)));
    }
    for one in [Some(conference), Some(consult), Some(call), third].into_iter().flatten() {
        session.release(one);
    }
}

/// One more, who is taken out again.
fn grow(session: &mut Session<'_>, conference: Call, destination: &str) -> Option<Call> {
    let (ht, params) = (session.fresh(), session.params(destination));
    let made = session.come("PrepareAddToConference", &[ht], |p, id| {
        p.line_prepare_add_to_conference(id, conference.hd, ht, Some(&params))
    });
    let hd = match made.made() {
        Ok((hd, _)) => hd,
        Err(why) => {
            session.broken(Rule::Conference, format!("PrepareAddToConference {why}"));
            return None;
        }
    };
    let third = session.made(ht, hd);
    session.comes_to(Rule::Conference, third, "CONNECTED", is_up);
    let added = session.does(Rule::Conference, "AddToConference", |p, id| {
        p.line_add_to_conference(id, conference.hd, third.hd)
    });
    if added.is_some() {
        session.comes_to(Rule::Conference, third, "CONFERENCED", |state| state == S::Conferenced);
    }
    let removed = session
        .does(Rule::Conference, "RemoveFromConference", |p, id| p.line_remove_from_conference(id, third.hd));
    if removed.is_some() {
        session.comes_to(Rule::Conference, third, "a state outside", |state| state != S::Conferenced);
    }
    Some(third)
}
