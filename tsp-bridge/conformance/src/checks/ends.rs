//! How things end: a call that is closed, a line that is closed, a provider that is shut down.

use offhook_spi::{DisconnectMode, LineCallState as S};

use crate::rules::Rule;
use crate::session::{Session, UNDER_WAY};

/// Calls that are closed.
pub(crate) fn ends(session: &mut Session<'_>) {
    let Some(destination) = session.harness.destination() else {
        session.not_here(Rule::CloseOutstanding, "the harness has no destination");
        session.not_here(Rule::CloseSilent, "the harness has no destination");
        return;
    };
    // Closed at once: MakeCall has completed, or it fails.
    let (ht, line, params) = (session.fresh(), session.line, session.params(&destination));
    let (id, taken) = session.ask("MakeCall", &[ht], |p, id| p.line_make_call(id, line, ht, &params));
    if let Some(Ok(hd)) = taken {
        let call = session.made(ht, hd);
        let before =
            session.log(|log| log.requests.get(&id).is_some_and(|asked| !asked.completions.is_empty()));
        session.close(call);
        session.log(|log| log.closed = true);
        outstanding(session, id, before, "MakeCall");
        session.log(|log| log.closed = false);
    }
    // Dropped and closed, as by the last owner who leaves.
    if let Some(call) = session.talk() {
        let (id, taken) = session.ask("Drop", &[], |p, id| p.line_drop(id, call.hd, DisconnectMode::Normal));
        let before =
            session.log(|log| log.requests.get(&id).is_some_and(|asked| !asked.completions.is_empty()));
        session.close(call);
        session.log(|log| log.closed = true);
        if let Some(Ok(())) = taken {
            outstanding(session, id, before, "Drop");
        }
        session.log(|log| log.closed = false);
        let info = session.provider.line_call_info(call.hd);
        session.check(Rule::CloseSilent, info.is_err(), || "GetCallInfo of a closed call".to_owned());
        let again = session.safely("CloseCall again", |p| p.line_close_call(call.hd));
        session.check(Rule::CloseSilent, matches!(again, Some(Err(_))), || "CloseCall twice".to_owned());
        session.fails(Rule::CloseSilent, "Drop of a closed call", |p, id| {
            p.line_drop(id, call.hd, DisconnectMode::Normal)
        });
    }
    // Closed without a drop: whoever is there is released.
    if let Some(call) = session.talk() {
        session.close(call);
        session.still();
        released(session, Rule::CloseSilent, "a call that is up is closed");
    }
    session.kept(Rule::CloseSilent);
}

/// A request that was outstanding when its call was closed.
fn outstanding(session: &mut Session<'_>, id: offhook_spi::RequestId, before: bool, what: &str) {
    let Some(completion) = session.completion(id) else {
        session.broken(Rule::CloseOutstanding, format!("{what} does not complete after CloseCall"));
        return;
    };
    if before {
        session.not_here(Rule::CloseOutstanding, "requests complete before they return");
        return;
    }
    // While CloseCall ran it may still have succeeded.
    let after = session.log(|log| log.requests.get(&id).is_some_and(|asked| asked.after_close));
    session.check(Rule::CloseOutstanding, completion.is_err() || !after, || {
        format!("{what} succeeds after CloseCall")
    });
}

fn released(session: &mut Session<'_>, rule: Rule, what: &str) {
    let (began, patience) = (std::time::Instant::now(), session.harness.patience());
    while began.elapsed() < patience {
        match session.harness.all_released() {
            Some(true) => return session.kept(rule),
            Some(false) => session.still(),
            None => return,
        }
    }
    session.broken(rule, format!("{what}, and the far end is not released"));
}

/// A line that is closed with a call up.
pub(crate) fn line_close(session: &mut Session<'_>) {
    let call = session.talk();
    let (provider, line, ht) = (session.provider.clone(), session.line, session.ht_line);
    let closed = session.safely("Close", |p| p.line_close(line));
    std::thread::sleep(UNDER_WAY);
    session.log(|log| {
        log.lines.remove(&ht);
        if let Some(call) = call {
            log.close(call.ht);
        }
    });
    session.check(Rule::LineClose, matches!(closed, Some(Ok(()))), || format!("Close: {closed:?}"));
    if call.is_some() {
        released(session, Rule::LineClose, "a line with a call is closed");
    }
    session.still();
    let again = provider.line_close(line);
    session.check(Rule::LineClose, again.is_err(), || "a line closes twice".to_owned());
    let params = session.params("1");
    let ht = session.fresh();
    let made =
        session.come("MakeCall on a closed line", &[], |p, id| p.line_make_call(id, line, ht, &params));
    let refused = made.error().is_some();
    session.check(Rule::LineClose, refused, || "a call is placed on a closed line".to_owned());
    let opened = session.open();
    session.check(Rule::LineOpen, opened.is_ok(), || format!("it does not open again: {opened:?}"));
}

/// The end of the provider, with a call up.
pub(crate) fn shutdown(session: &mut Session<'_>) {
    let call = session.talk();
    if session.safely("provider_shutdown", |p| p.provider_shutdown()).is_none() {
        return;
    }
    released(session, Rule::Shutdown, "a provider with a call is shut down");
    session.still();
    session.log(|log| log.over = true);
    session.still();
    if let Some(call) = call {
        let up = session.state(call).is_some_and(|state| matches!(state, S::Connected(_)));
        let dropped = session.safely("Drop after the shutdown", |p| {
            p.line_drop(offhook_spi::RequestId(u32::MAX), call.hd, DisconnectMode::Normal)
        });
        let gone = matches!(dropped, Some(Err(_)));
        session
            .check(Rule::Shutdown, gone, || format!("a call (up: {up}) can be dropped after the shutdown"));
    }
    session.kept(Rule::Shutdown);
    // Whatever was taken has completed by now, or never does.
    session.log(|log| {
        let taken =
            |asked: &&crate::recorder::Asked| asked.taken == Some(true) && asked.completions.is_empty();
        let open: Vec<_> = log.requests.values().filter(taken).map(|asked| asked.what.clone()).collect();
        for what in open {
            log.findings.broken(Rule::CompletionOnce, format!("{what} never completes"));
        }
    });
}
