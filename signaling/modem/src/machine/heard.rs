//! What the modem says, taken apart: answers to the command that is out, and everything that comes by itself.
//!
//! In: tokens of the lexer. Out: the end of commands; what is about the call goes to `call.rs`.
//! Which code ends which command is decided here, in [`Machine::code`].

use std::time::Duration;

use offhook_spi::LineError;

use super::call::Stage;
use super::{Event, Job, MAX_INFO, Machine, Phase, Purpose, Running};
use crate::code::{self, Code, Listed, Said};
use crate::line::Token;
use crate::profile;

impl Machine {
    pub(super) fn heard(&mut self, now: Duration, token: Token) {
        match token {
            Token::Numeric(number) => {
                if let Some(code) = code::of_number(number) {
                    self.code(now, code);
                }
                self.echoed();
            }
            Token::Shielded(event) => self.shielded(now, event),
            Token::Line(line) => self.line(now, line),
        }
    }

    fn line(&mut self, now: Duration, line: String) {
        if self.is_echo(&line) {
            self.echoed();
            return;
        }
        if self.is_asked_for(&line) {
            self.informed(line);
            return;
        }
        match code::of_line(&line) {
            Said::Code(code) => self.code(now, code),
            Said::Caller(part) => self.caller(now, part),
            Said::Waiting(number) => {
                if self.is_known() {
                    let number = number.unwrap_or_else(|| "unknown".to_owned());
                    self.event(Event::Note("callWaiting", number));
                }
            }
            Said::Originated => self.proceeding(),
            Said::Alerting => self.rings_there(),
            Said::Answered => self.answered_there(now),
            Said::Over(cause) => self.over(now, cause),
            Said::Digit(digit) => self.key(digit, None),
            Said::Listed(_) | Said::Text => self.informed(line),
        }
    }

    /// A command that comes back is echo; before echo is off, so is one that was sent before it.
    fn is_echo(&self, line: &str) -> bool {
        let ours = |text: &str| line.eq_ignore_ascii_case(text.trim());
        self.running.as_ref().is_some_and(|running| ours(&running.job.text))
            || (self.phase != Phase::Ready && line.starts_with("AT"))
    }

    /// `+CLIP: …` in answer to an application's AT+CLIP? is no call, whatever else it asks in the same line.
    fn is_asked_for(&self, line: &str) -> bool {
        let Some(Running { job, .. }) = &self.running else { return false };
        let name =
            |text: &str| text.split([':', '=', '?']).next().unwrap_or_default().trim().to_ascii_uppercase();
        let said = name(line);
        let asked = job.text.to_ascii_uppercase();
        matches!(job.purpose, Purpose::Raw(_))
            && line.contains(':')
            && !said.is_empty()
            && asked.strip_prefix("AT").is_some_and(|all| all.split(';').any(|one| name(one) == said))
    }

    fn informed(&mut self, line: String) {
        if let Some(running) = &mut self.running
            && running.info.len() < MAX_INFO
        {
            running.info.push(line);
        }
    }

    // --- result codes ------------------------------------------------------------------------------------------

    fn code(&mut self, now: Duration, code: Code) {
        match code {
            Code::Ring => {
                self.rang(now);
                return;
            }
            Code::Ringing => {
                self.rings_there();
                return;
            }
            _ => {}
        }
        let ends = self.running.as_ref().is_some_and(|running| ends(&running.job.purpose, code));
        match self.running.take_if(|_| ends) {
            Some(running) => {
                self.after(now, self.gap());
                self.silent = 0;
                self.finished(now, running, code);
            }
            None => self.call_code(now, code),
        }
    }

    fn finished(&mut self, now: Duration, running: Running, code: Code) {
        let Running { job, info, aborted, .. } = running;
        let is_ok = code == Code::Ok;
        let refused = || LineError::failed(format!("the modem refuses {}: {}", job.text, words(code)));
        match job.purpose {
            Purpose::Wake if is_ok => self.woken(),
            // What it refuses may be the rest of a line that was begun before; but not for ever.
            Purpose::Wake => self.still_asleep(now, job),
            Purpose::SetUp { optional: false } if !is_ok => {
                let hint = if job.text.contains("+FCLASS=8") { "; it has no voice mode" } else { "" };
                let why = format!("the modem refuses {}: {}{hint}", job.text, words(code));
                self.fall_out(now, &why);
            }
            Purpose::SetUp { .. } if is_ok => {}
            Purpose::SetUp { .. } => {
                tracing::info!(port = self.config.port, command = job.text, "the modem does not have this");
            }
            Purpose::Name => {
                self.name = info.iter().filter(|_| is_ok).find_map(|line| name(line));
                self.ready(now);
            }
            Purpose::Dial(_) if aborted => {}
            Purpose::Dial(_) => self.dialled(now, code),
            Purpose::Answer if aborted => {}
            Purpose::Answer => self.taken(now, code),
            // A module that does not have +CHUP.
            Purpose::HangUp(_) if !is_ok && job.text != profile::HOOK => {
                self.jobs.push_front(Job { text: profile::HOOK.to_owned(), ..job });
            }
            // Whatever it says to ATH, it is on hook: ERROR comes of modems that are already.
            Purpose::HangUp(request) => self.hung_up(request, Ok(())),
            Purpose::Digit { request, last: true } if is_ok => self.complete(request, Ok(())),
            Purpose::Digit { .. } if is_ok => {}
            Purpose::Digit { request, .. } => self.digits_failed(request, refused()),
            Purpose::List => {
                let calls: Vec<Listed> = info
                    .iter()
                    .filter_map(|line| match code::of_line(line) {
                        Said::Listed(call) => Some(call),
                        _ => None,
                    })
                    .collect();
                self.listed(now, &calls, is_ok);
            }
            Purpose::Raw(token) => {
                self.event(Event::Answer(token, if is_ok { Ok(info) } else { Err(refused()) }));
            }
            Purpose::Check | Purpose::Aside => {}
        }
        if self.phase == Phase::Ready {
            self.plan_check(now);
        }
    }

    // --- voice mode's events -----------------------------------------------------------------------------------

    /// An event that came shielded by DLE (V.253 table 17, and what modems had before it).
    fn shielded(&mut self, now: Duration, event: char) {
        match event {
            'R' => self.rang(now),
            'r' => self.rings_there(),
            // A key goes down, a key comes up; the digit stands between, as often as the modem likes.
            '/' => {
                if let Some(call) = &mut self.call {
                    call.key = Some((None, now));
                }
            }
            '~' => {
                let held = self.call.as_mut().and_then(|call| call.key.take());
                if let Some((Some(key), since)) = held {
                    self.key(key, Some(now.saturating_sub(since)));
                }
            }
            '0'..='9' | 'A'..='D' | '*' | '#' => {
                match self.call.as_mut().and_then(|call| call.key.as_mut()) {
                    Some((key, _)) => *key = Some(event),
                    None => self.key(event, None),
                }
            }
            // Busy tone: the far end is engaged, or it has hung up.
            'b' => {
                if self.is_dialling() {
                    self.dial_broken_off(now, Code::Busy);
                } else {
                    self.call_code(now, Code::Busy);
                }
            }
            // Dial tone, no loop current: the far end has hung up. While dialling both are part of it.
            'd' | 'l' if !self.is_dialling() => self.call_code(now, Code::NoCarrier),
            'a' => self.tone("answer tone of a modem or facsimile machine"),
            'c' => self.tone("calling tone of a facsimile machine"),
            'e' => self.tone("calling tone of a modem"),
            // Silence, extension off hook or on hook, over- and underruns of sound that we do not have.
            _ => {}
        }
    }

    /// Whether there is a call that may be spoken of.
    fn is_known(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.state.is_some())
    }

    fn is_dialling(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.stage == Stage::Dialling)
    }

    /// ATD is out, and there is nothing left to wait for.
    fn dial_broken_off(&mut self, now: Duration, code: Code) {
        self.abort(now);
        self.dialled(now, code);
    }

    fn tone(&mut self, what: &str) {
        if self.is_known() {
            self.event(Event::Note("tone", what.to_owned()));
        }
    }

    fn key(&mut self, digit: char, held: Option<Duration>) {
        if self.call.as_ref().is_some_and(|call| call.stage == Stage::Connected) {
            self.event(Event::Digit(digit, held));
        }
    }
}

/// Whether `code` is the end of a command.
fn ends(purpose: &Purpose, code: Code) -> bool {
    match code {
        Code::Ok | Code::Error | Code::Cme(_) => true,
        Code::Ring | Code::Ringing => false,
        Code::NoCarrier => matches!(purpose, Purpose::Dial(_) | Purpose::Answer | Purpose::HangUp(_)),
        _ => matches!(purpose, Purpose::Dial(_) | Purpose::Answer),
    }
}

/// A code in the modem's words.
fn words(code: Code) -> String {
    match code {
        Code::Cme(Some(number)) => format!("+CME ERROR: {number}"),
        Code::Cme(None) => "+CME ERROR".to_owned(),
        _ => "ERROR".to_owned(),
    }
}

/// The name in `+GMM: "MODEL"` or `MODEL`.
fn name(line: &str) -> Option<String> {
    let text = line.strip_prefix("+GMM:").unwrap_or(line).trim().trim_matches('"').trim();
    // A report that came between.
    if text.starts_with(['+', '^', '*', '%']) {
        return None;
    }
    let text: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    (!text.is_empty()).then_some(text)
}
