//! Calls placed, calls that arrive, digits and parts of numbers, opaque buffers.

use offhook_spi::{
    CallFeatures as F, CallOrigin, CallParams, DigitMode, DisconnectMode, HdCall, HdMspLine, HtMspLine,
    HubTracking, LineCallState as S, LineError, MediaTypes, Opaque,
};

use crate::rules::Rule;
use crate::session::{Call, Session};

fn is_up(state: S) -> bool {
    matches!(state, S::Connected(_))
}

/// Placed calls.
pub(crate) fn outgoing(session: &mut Session<'_>) {
    let Some(destination) = session.harness.destination() else {
        for rule in [Rule::MakeCompletes, Rule::MakeStates, Rule::Info] {
            session.not_here(rule, "the harness has no destination");
        }
        return;
    };
    if let Some(call) = session.dial(&destination) {
        session.kept(Rule::MakeCompletes);
        // Not answered, not accepted: it was placed here.
        session.fails(Rule::AnswerState, "Answer of a placed call", |p, id| p.line_answer(id, call.hd));
        if session.has(F::ACCEPT) {
            session.fails(Rule::Accept, "Accept of a placed call", |p, id| p.line_accept(id, call.hd));
        }
        if session.answered(call) {
            let states = session.log(|log| log.calls.get(&call.ht).map(|seen| seen.states.clone()));
            let states: Vec<_> = states.into_iter().flatten().map(|(state, _)| state).collect();
            let on_its_way = states.first().is_some_and(|first| !is_up(*first));
            session.check(Rule::MakeStates, on_its_way, || format!("told {states:?}"));
            info(session, call, CallOrigin::Outbound);
            session
                .fails(Rule::AnswerState, "Answer of a connected call", |p, id| p.line_answer(id, call.hd));
        }
        session.release(call);
    }
    // In every state that a placed call has.
    for hang_up_first in [false, true] {
        let Some(destination) = session.harness.destination() else { return };
        let Some(call) = session.dial(&destination) else { return };
        if hang_up_first {
            if session.answered(call) && session.harness.far_end_hangs_up() {
                gone(session, call);
            }
        } else {
            session.reaches(call, |state| matches!(state, S::Proceeding | S::Ringback));
        }
        session.drop_call(call, DisconnectMode::Normal);
        let again = session
            .come("Drop of an idle call", &[], |p, id| p.line_drop(id, call.hd, DisconnectMode::Normal));
        let refused = again.error().is_some();
        session.check(Rule::DropStates, refused, || "an idle call is dropped".to_owned());
        session.close(call);
    }
    match session.harness.nowhere() {
        Some(nowhere) => wrong_number(session, &nowhere),
        None => session.not_here(Rule::MakeWrong, "the harness knows no destination where nobody is"),
    }
}

fn wrong_number(session: &mut Session<'_>, nowhere: &str) {
    let (ht, line, params) = (session.fresh(), session.line, session.params(nowhere));
    let made = session.come("MakeCall to nowhere", &[ht], |p, id| p.line_make_call(id, line, ht, &params));
    match made {
        crate::session::Came::Completed(hd, Ok(_)) => {
            let call = session.made(ht, hd);
            let ended = |state| matches!(state, S::Disconnected(_) | S::SpecialInfo | S::Busy | S::Idle);
            session.comes_to(Rule::MakeWrong, call, "the end of a call to nowhere", ended);
            session.release(call);
        }
        crate::session::Came::Completed(_, Err(_)) | crate::session::Came::Refused(_) => {
            session.kept(Rule::MakeWrong);
        }
        crate::session::Came::Nothing => session.broken(Rule::MakeWrong, "nothing comes of it"),
    }
}

/// The far end hung up.
fn gone(session: &mut Session<'_>, call: Call) {
    let is = |state| matches!(state, S::Disconnected(_) | S::Idle);
    if !session.comes_to(Rule::FarEnd, call, "DISCONNECTED", is) {
        return;
    }
    session.still();
    let state = session.state(call);
    session.check(Rule::FarEnd, matches!(state, Some(S::Disconnected(_))), || {
        format!("the far end hung up, nobody dropped the call, and it is {state:?}")
    });
    let info = session.provider.line_call_info(call.hd);
    session.check(Rule::Info, info.is_ok(), || format!("after DISCONNECTED: {info:?}"));
}

fn info(session: &mut Session<'_>, call: Call, origin: CallOrigin) {
    match session.provider.line_call_info(call.hd) {
        Ok(info) => {
            let right = info.origin == origin && !info.media.is_empty();
            session.check(Rule::Info, right, || format!("{origin:?} expected: {info:?}"));
            if session.caps.hub_tracking == HubTracking::None {
                session.not_here(Rule::CallId, "the device does not track call hubs");
            } else {
                session.check(Rule::CallId, info.call_id != 0, || "the call id is 0".to_owned());
            }
        }
        Err(error) => session.broken(Rule::Info, format!("of a call that is up: {error}")),
    }
}

/// Calls that arrive.
pub(crate) fn incoming(session: &mut Session<'_>) {
    let Some(call) = session.offered() else {
        for rule in [Rule::Offering, Rule::NewCallOrder, Rule::NewCallRefused, Rule::Unwanted, Rule::Accept] {
            session.not_here(rule, "the harness places no calls");
        }
        return;
    };
    let first = session.log(|log| log.calls.get(&call.ht).and_then(|seen| seen.states.first().copied()));
    session.check(Rule::Offering, matches!(first, Some((S::Offering, _))), || format!("first {first:?}"));
    info(session, call, CallOrigin::Inbound);
    if session.has(F::ACCEPT) {
        if session.does(Rule::Accept, "Accept", |p, id| p.line_accept(id, call.hd)).is_some() {
            session.comes_to(Rule::Accept, call, "ACCEPTED", |state| state == S::Accepted);
        }
    } else {
        session.not_here(Rule::Accept, "the device does not accept without answering");
    }
    if session.does(Rule::AnswerConnects, "Answer", |p, id| p.line_answer(id, call.hd)).is_some() {
        session.comes_to(Rule::AnswerConnects, call, "CONNECTED", is_up);
        session.fails(Rule::AnswerState, "Answer once more", |p, id| p.line_answer(id, call.hd));
    }
    session.release(call);

    // Offered, and rejected.
    if let Some(call) = session.offered() {
        session.drop_call(call, DisconnectMode::Reject);
        session.fails(Rule::AnswerState, "Answer of an idle call", |p, id| p.line_answer(id, call.hd));
        session.close(call);
    }
    // Offered, and its caller gives up.
    if let Some(call) = session.offered() {
        if session.harness.far_end_hangs_up() {
            gone(session, call);
        }
        session.release(call);
    }
    turned_away(session);
    unwanted(session);
}

fn turned_away(session: &mut Session<'_>) {
    let (before, told) = session.log(|log| {
        log.willing = false;
        (log.turned_away, log.calls.len())
    });
    if session.harness.calls_in() {
        let asked = session.wait(|log| (log.turned_away > before).then_some(())).is_some();
        session.check(Rule::NewCallRefused, asked, || "the call is not announced at all".to_owned());
        session.still();
        let silent = session.log(|log| log.calls.len()) == told;
        session.check(Rule::NewCallRefused, silent, || "it is named all the same".to_owned());
    }
    session.log(|log| log.willing = true);
    if let Some(call) = session.offered() {
        session.kept(Rule::NewCallRefused);
        session.release(call);
    } else {
        session.broken(Rule::NewCallRefused, "no call comes any more");
    }
}

fn unwanted(session: &mut Session<'_>) {
    let (provider, line, media) = (session.provider.clone(), session.line, session.media());
    if let Err(error) = provider.line_set_default_media_detection(line, MediaTypes::NONE) {
        session.broken(Rule::Unwanted, format!("listening does not end: {error}"));
        return;
    }
    let before = session.log(|log| log.announced.len());
    if session.harness.calls_in() {
        session.still();
        let after = session.log(|log| log.announced.len());
        session.check(Rule::Unwanted, before == after, || {
            "a call is announced that nobody asked for".to_owned()
        });
    } else {
        // Nobody can even call.
        session.kept(Rule::Unwanted);
    }
    if let Err(error) = provider.line_set_default_media_detection(line, media) {
        session.broken(Rule::Unwanted, format!("listening does not begin again: {error}"));
    }
}

/// Digits of a call that is up, and numbers in parts.
pub(crate) fn numbers(session: &mut Session<'_>) {
    if !session.has(F::GENERATE_DIGITS) {
        session.not_here(Rule::Digits, "the device sends no digits");
    } else if let Some(call) = session.talk() {
        let good =
            |p: &dyn offhook_spi::Tspi, id| p.line_generate_digits(id, call.hd, DigitMode::Dtmf, "159#");
        // What the far end cannot hear fails; it completes all the same.
        let came = session.come("GenerateDigits", &[], good);
        let refused = matches!(came, crate::session::Came::Refused(_));
        session.check(Rule::Digits, !refused, || "digits are refused".to_owned());
        for wrong in ["", "x", "1 2"] {
            session.fails(Rule::Digits, &format!("GenerateDigits {wrong:?}"), |p, id| {
                p.line_generate_digits(id, call.hd, DigitMode::Dtmf, wrong)
            });
        }
        session.release(call);
    }
    if !session.has(F::DIAL) {
        session.not_here(Rule::Dial, "the device dials whole numbers only");
        return;
    }
    let Some(destination) = session.harness.destination() else { return };
    if !destination.chars().all(|c| c.is_ascii_digit()) || destination.len() < 2 {
        session.not_here(Rule::Dial, "the harness has no number to dial in parts");
        return;
    }
    let (first, rest) = destination.split_at(destination.len() / 2);
    let (ht, line) = (session.fresh(), session.line);
    let params = CallParams { partial: true, ..session.params(first) };
    let made = session.come("MakeCall in parts", &[ht], |p, id| p.line_make_call(id, line, ht, &params));
    match made.made() {
        Ok((hd, _)) => {
            let call = session.made(ht, hd);
            let waits = |state| matches!(state, S::Dialtone | S::Dialing);
            session.comes_to(Rule::Dial, call, "DIALTONE or DIALING", waits);
            let rest = rest.to_owned();
            if session.does(Rule::Dial, "Dial", |p, id| p.line_dial(id, call.hd, &rest, true)).is_some() {
                let goes = |state| matches!(state, S::Proceeding | S::Ringback | S::Connected(_));
                session.comes_to(Rule::Dial, call, "a call on its way", goes);
            }
            session.release(call);
        }
        Err(why) => session.broken(Rule::Dial, format!("MakeCall in parts {why}")),
    }
}

/// Opaque buffers and MSP instances.
pub(crate) fn opaque(session: &mut Session<'_>) {
    let (provider, line) = (session.provider.clone(), session.line);
    let made = provider.line_create_msp_instance(line, 0, HtMspLine(7));
    if !session.caps.has_msp {
        let unavailable = made == Err(LineError::OperationUnavail);
        session.check(Rule::MspIdentity, unavailable, || format!("without an MSP, {made:?}"));
        for rule in [Rule::OpaqueUnknown, Rule::OpaqueStart, Rule::OpaqueStop, Rule::MoveMedia] {
            session.not_here(rule, "the device has no MSP");
        }
        return;
    }
    let Some((second, own)) = made.clone().ok().zip(session.msp) else {
        session.broken(Rule::MspIdentity, format!("the capabilities say MSP, and {made:?}"));
        return;
    };
    session.kept(Rule::MspIdentity);
    let Ok(word) = Opaque::new(&b"conformance"[..]) else { return };
    let unknown = |what: &str, line, call, msp| {
        let answer = session.safely(what, |p| p.line_receive_msp_data(line, call, msp, word.clone()));
        session.check(Rule::OpaqueUnknown, !matches!(answer, Some(Ok(()))), || format!("{what} is taken"));
    };
    unknown("a buffer for an unknown call", line, Some(HdCall(u64::MAX)), own);
    unknown("a buffer of an unknown MSP instance", line, None, HdMspLine(u64::MAX));
    unknown("a buffer for an unknown line", offhook_spi::HdLine(u64::MAX), None, own);
    if let Some(call) = session.talk() {
        let spoke = session
            .wait(|log| log.calls.get(&call.ht).is_some_and(|seen| !seen.buffers.is_empty()).then_some(()))
            .is_some();
        session.check(Rule::OpaqueStart, spoke, || "a call is up, and its MSP heard nothing".to_owned());
        move_media(session, call, second);
        session.still();
        let before = session.log(|log| log.calls.get(&call.ht).map_or(0, |seen| seen.buffers.len()));
        session.drop_call(call, DisconnectMode::Normal);
        let told = session
            .wait(|log| (log.calls.get(&call.ht).map_or(0, |seen| seen.buffers.len()) > before).then_some(()))
            .is_some();
        session.check(Rule::OpaqueStop, told, || "a call has ended, and its MSP heard nothing".to_owned());
        session.close(call);
        let late = session
            .safely("a late buffer", |p| p.line_receive_msp_data(line, Some(call.hd), own, word.clone()));
        session.check(Rule::OpaqueUnknown, matches!(late, Some(Err(_))), || {
            "a buffer for a closed call is taken".to_owned()
        });
    }
    let closed = provider.line_close_msp_instance(second);
    session.check(Rule::MspIdentity, closed.is_ok(), || format!("an instance does not close: {closed:?}"));
    let again = provider.line_close_msp_instance(second);
    session.check(Rule::MspIdentity, again.is_err(), || "an instance closes twice".to_owned());
}

fn move_media(session: &mut Session<'_>, call: Call, second: HdMspLine) {
    let before = session.log(|log| log.calls.get(&call.ht).map_or(0, |seen| seen.buffers.len()));
    match session.safely("MoveMedia", |p| p.line_move_media(call.hd, second)) {
        Some(Ok(())) => {
            let heard = session.wait(|log| {
                let buffers = &log.calls.get(&call.ht)?.buffers;
                buffers.iter().skip(before).any(|to| *to == Some(HtMspLine(7))).then_some(())
            });
            session.check(Rule::MoveMedia, heard.is_some(), || "the new instance hears nothing".to_owned());
        }
        Some(Err(LineError::OperationUnavail)) => {
            session.not_here(Rule::MoveMedia, "the provider does not move media");
        }
        Some(Err(error)) => session.broken(Rule::MoveMedia, format!("MoveMedia: {error}")),
        None => {}
    }
}
