//! What the broker tells an application, replies among it.

use std::time::Duration;

use offhook_spi::{
    ApiVersion, AppEvent, AppReply, CallInfo, CallInfoChange, DigitMode, ExtensionId, ExtensionVersion,
    HCall, HLine, HPhone, HubRecord, HubSnapshot, LineDevState, LineError, Opaque, PhoneEvent, PhoneStatus,
    Privilege, RequestId, Timestamp,
};

use super::{Unreadable, Word, all, needed, say_all};
use crate::proto as p;
use crate::proto::event::What;
use crate::proto::reply::Result as Answer;

impl Word for AppEvent {
    type Message = p::Event;

    fn say(self) -> p::Event {
        let what = match self {
            Self::Reply { request, result } => {
                let result = result.map_or_else(|error| Answer::Error(error.say()), answer);
                What::Reply(p::Reply { request: request.0, result: Some(result) })
            }
            Self::NewCall { line, call, privilege, info } => What::NewCall(p::NewCall {
                line: line.0,
                call: call.0,
                privilege: privilege.say(),
                info: Some(info.say()),
            }),
            Self::CallState { call, state, at } => {
                What::CallState(p::CallStateEvent { call: call.0, state: Some(state.say()), at: at.0 })
            }
            Self::CallInfo { call, change, info } => What::CallInfo(p::CallInfoEvent {
                call: call.0,
                change: change.say(),
                info: Some(info.say()),
            }),
            Self::Digit { call, digit, mode, duration } => What::Digit(p::Digit {
                call: call.0,
                digit: digit.to_string(),
                mode: mode.say(),
                duration_ns: duration.map(|held| u64::try_from(held.as_nanos()).unwrap_or(u64::MAX)),
            }),
            Self::MspData { line, call, data } => {
                What::MspData(p::MspData { line: line.0, call: call.map(|call| call.0), data: data.say() })
            }
            Self::CallPrivilege { call, privilege } => {
                What::CallPrivilege(p::CallPrivilegeEvent { call: call.0, privilege: privilege.say() })
            }
            Self::Hub(record) => What::Hub(record.say()),
            Self::DevSpecific { line, call, data } => What::DevSpecific(p::DevSpecific {
                line: line.0,
                call: call.map(|call| call.0),
                data: data.say(),
            }),
            Self::Phone { phone, event } => {
                use p::phone_event::{Button, Event};
                let event = match event {
                    PhoneEvent::Changed(setting) => Event::Changed(setting.say()),
                    PhoneEvent::Button { button, down } => Event::Button(Button { button, down }),
                    PhoneEvent::DevSpecific(data) => Event::DevSpecific(data.say()),
                };
                What::Phone(p::PhoneEvent { phone: phone.0, event: Some(event) })
            }
            Self::PhoneClosed { phone, why } => {
                What::PhoneClosed(p::PhoneClosed { phone: phone.0, why: Some(why.say()) })
            }
            Self::LineDevState { line, state } => {
                use p::line_dev_state_event::State;
                let state = match state {
                    LineDevState::InService { with } => State::InService(with),
                    LineDevState::OutOfService { why } => State::OutOfService(why),
                };
                What::LineDevState(p::LineDevStateEvent { line: line.0, state: Some(state) })
            }
            Self::LineClosed { line, why } => {
                What::LineClosed(p::LineClosed { line: line.0, why: Some(why.say()) })
            }
        };
        p::Event { what: Some(what) }
    }

    /// A reply whose result cannot be read is a reply all the same, with an error: somebody waits for it.
    fn read(message: p::Event) -> Result<Self, Unreadable> {
        Ok(match message.what.ok_or_else(|| Unreadable::absent("the event"))? {
            What::Reply(m) => {
                let result = match m.result {
                    Some(Answer::Error(error)) => LineError::read(error).map(Err),
                    Some(other) => read_answer(other).map(Ok),
                    None => Err(Unreadable::absent("the reply")),
                };
                let result = result.unwrap_or_else(|why| {
                    Err(LineError::failed(format!("the broker's reply cannot be read: {why}")))
                });
                Self::Reply { request: RequestId(m.request), result }
            }
            What::NewCall(m) => Self::NewCall {
                line: HLine(m.line),
                call: HCall(m.call),
                privilege: Privilege::read(m.privilege)?,
                info: info(m.info)?,
            },
            What::CallState(m) => Self::CallState {
                call: HCall(m.call),
                state: needed(m.state, "a call's state")?,
                at: Timestamp(m.at),
            },
            What::CallInfo(m) => Self::CallInfo {
                call: HCall(m.call),
                change: CallInfoChange::read(m.change)?,
                info: info(m.info)?,
            },
            What::Digit(m) => Self::Digit {
                call: HCall(m.call),
                digit: one(&m.digit)?,
                mode: DigitMode::read(m.mode)?,
                duration: m.duration_ns.map(Duration::from_nanos),
            },
            What::MspData(m) => {
                Self::MspData { line: HLine(m.line), call: m.call.map(HCall), data: Opaque::read(m.data)? }
            }
            What::CallPrivilege(m) => {
                Self::CallPrivilege { call: HCall(m.call), privilege: Privilege::read(m.privilege)? }
            }
            What::Hub(m) => Self::Hub(HubRecord::read(m)?),
            What::DevSpecific(m) => Self::DevSpecific {
                line: HLine(m.line),
                call: m.call.map(HCall),
                data: Opaque::read(m.data)?,
            },
            What::Phone(m) => {
                use p::phone_event::Event;
                let event = match m.event.ok_or_else(|| Unreadable::absent("a phone's event"))? {
                    Event::Changed(setting) => PhoneEvent::Changed(Word::read(setting)?),
                    Event::Button(m) => PhoneEvent::Button { button: m.button, down: m.down },
                    Event::DevSpecific(data) => PhoneEvent::DevSpecific(Opaque::read(data)?),
                };
                Self::Phone { phone: HPhone(m.phone), event }
            }
            What::PhoneClosed(m) => {
                Self::PhoneClosed { phone: HPhone(m.phone), why: needed(m.why, "why a phone has gone")? }
            }
            What::LineDevState(m) => {
                use p::line_dev_state_event::State;
                let state = match m.state.ok_or_else(|| Unreadable::absent("a line's state"))? {
                    State::InService(with) => LineDevState::InService { with },
                    State::OutOfService(why) => LineDevState::OutOfService { why },
                };
                Self::LineDevState { line: HLine(m.line), state }
            }
            What::LineClosed(m) => {
                Self::LineClosed { line: HLine(m.line), why: needed(m.why, "why a line has gone")? }
            }
        })
    }
}

fn answer(reply: AppReply) -> Answer {
    match reply {
        AppReply::Done => Answer::Done(p::Empty {}),
        AppReply::Lines(lines) => Answer::Lines(p::Lines { lines: say_all(lines) }),
        AppReply::Line(line) => Answer::Line(line.0),
        AppReply::Call(call) => Answer::Call(call.0),
        AppReply::CallInfo(info) => Answer::CallInfo(info.say()),
        AppReply::ApiVersion(version) => Answer::ApiVersion(version.0),
        AppReply::Conference { conference, consult } => {
            Answer::Conference(p::Conference { conference: conference.0, consult: consult.0 })
        }
        AppReply::Address(address) => Answer::Address(address),
        AppReply::CompletionId(id) => Answer::CompletionId(id),
        AppReply::Hubs(hubs) => Answer::Hubs(p::Hubs { hubs: say_all(hubs) }),
        AppReply::Hub(hub) => Answer::Hub(hub.say()),
        AppReply::Extension { id, version } => {
            Answer::Extension(p::Extension { id: id.say(), version: version.0 })
        }
        AppReply::DevSpecific(data) => Answer::DevSpecific(data.say()),
        AppReply::Phones(phones) => Answer::Phones(p::Phones { phones: say_all(phones) }),
        AppReply::Phone(phone) => Answer::Phone(phone.0),
        AppReply::PhoneStatus(status) => Answer::PhoneStatus(status.say()),
    }
}

fn read_answer(answer: Answer) -> Result<AppReply, Unreadable> {
    Ok(match answer {
        // Read by the caller.
        Answer::Error(error) => return Err(Unreadable::new(error.text)),
        Answer::Done(_) => AppReply::Done,
        Answer::Lines(m) => AppReply::Lines(all(m.lines)?),
        Answer::Line(line) => AppReply::Line(HLine(line)),
        Answer::Call(call) => AppReply::Call(HCall(call)),
        Answer::CallInfo(m) => AppReply::CallInfo(Box::new(CallInfo::read(m)?)),
        Answer::ApiVersion(version) => AppReply::ApiVersion(ApiVersion(version)),
        Answer::Conference(m) => {
            AppReply::Conference { conference: HCall(m.conference), consult: HCall(m.consult) }
        }
        Answer::Address(address) => AppReply::Address(address),
        Answer::CompletionId(id) => AppReply::CompletionId(id),
        Answer::Hubs(m) => AppReply::Hubs(all(m.hubs)?),
        Answer::Hub(m) => AppReply::Hub(Box::new(HubSnapshot::read(m)?)),
        Answer::Extension(m) => {
            AppReply::Extension { id: ExtensionId::read(m.id)?, version: ExtensionVersion(m.version) }
        }
        Answer::DevSpecific(data) => AppReply::DevSpecific(Opaque::read(data)?),
        Answer::Phones(m) => AppReply::Phones(all(m.phones)?),
        Answer::Phone(phone) => AppReply::Phone(HPhone(phone)),
        Answer::PhoneStatus(m) => AppReply::PhoneStatus(Box::new(PhoneStatus::read(m)?)),
    })
}

fn info(message: Option<p::CallInfo>) -> Result<Box<CallInfo>, Unreadable> {
    needed(message, "what is known of a call").map(Box::new)
}

fn one(digit: &str) -> Result<char, Unreadable> {
    let mut characters = digit.chars();
    match (characters.next(), characters.next()) {
        (Some(digit), None) => Ok(digit),
        _ => Err(Unreadable::new("a digit that is not one character")),
    }
}
