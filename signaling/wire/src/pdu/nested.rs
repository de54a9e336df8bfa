//! Encodings within descriptions, taken apart: what a message carries as octets and the standards say the type of.
//! In: a description. Out: the same, in which such octets are
//! `{"_encoded": hex, "OpenLogicalChannel": {…}}`, or `{"_encoded": hex, "_error": text}`. For people only: what has
//! been expanded is no description any more.
//!
//! fastStart → OpenLogicalChannel; h245Control, parallelH245Control → H.245; h4501SupplementaryService → H.450 and the
//! arguments and results of its operations; messageNotUnderstood → RAS; parameters of H.460.18 and .19.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::per::{self, Type, json};
use crate::{h225, h245, h450, h460};

/// How deep encodings are followed: a message in a message that was not understood could go on for long.
const MAX_NESTING: usize = 5;

/// The member that holds the octets.
pub const ENCODED: &str = "_encoded";

/// The member that says why the octets are no value of their type.
pub const ERROR: &str = "_error";

/// Takes encodings within `description` apart, and says how many could not be.
pub fn expand(description: &mut Value) -> usize {
    let mut expansion = Expansion { level: 0, errors: 0 };
    expansion.visit(description);
    expansion.errors
}

struct Expansion {
    level: usize,
    errors: usize,
}

impl Expansion {
    fn visit(&mut self, value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.visit(element)),
            Value::Object(members) => {
                self.visit_features(members);
                for (name, member) in members.iter_mut() {
                    match name.as_str() {
                        "fastStart" => self.each::<h245::OpenLogicalChannel>(member, "OpenLogicalChannel"),
                        "h245Control" | "parallelH245Control" => self
                            .each::<h245::MultimediaSystemControlMessage>(
                                member,
                                "MultimediaSystemControlMessage",
                            ),
                        "h4501SupplementaryService" => {
                            self.each::<h450::H4501SupplementaryService>(member, "H4501SupplementaryService")
                        }
                        // The sender did not understand it; it need not be one.
                        "messageNotUnderstood" => {
                            let before = self.errors;
                            self.one::<h225::RasMessage>(member, "RasMessage");
                            self.errors = before;
                        }
                        "invoke" => self.argument(member),
                        "returnResult" => self.result(member),
                        _ => self.visit(member),
                    }
                }
            }
            _ => {}
        }
    }

    fn each<T: Type>(&mut self, member: &mut Value, type_name: &str) {
        for element in member.as_array_mut().into_iter().flatten() {
            self.one::<T>(element, type_name);
        }
    }

    fn one<T: Type>(&mut self, slot: &mut Value, type_name: &str) {
        if !slot.is_string() || self.level == MAX_NESTING {
            return;
        }
        let Ok(octets) = json::octets(slot) else { return };
        let mut members = Map::from_iter([(ENCODED.to_owned(), slot.take())]);
        match per::decode::<T>(&Bytes::from(octets)) {
            Ok(value) => {
                let mut inner = json::describe(&value);
                self.level += 1;
                self.visit(&mut inner);
                self.level -= 1;
                members.insert(type_name.to_owned(), inner);
            }
            Err(error) => {
                self.errors += 1;
                members.insert(ERROR.to_owned(), format!("{type_name}: {error}").into());
            }
        }
        *slot = Value::Object(members);
    }

    fn argument(&mut self, invoke: &mut Value) {
        let code = invoke.pointer("/opcode/local").and_then(Value::as_i64);
        let (Some(code), Some(argument)) = (code, invoke.get_mut("argument")) else { return };
        match code {
            h450::CALLING_NAME | h450::ALERTING_NAME | h450::CONNECTED_NAME | h450::BUSY_NAME => {
                self.one::<h450::NameArg>(argument, "NameArg");
            }
            h450::CALL_TRANSFER_INITIATE => self.one::<h450::CTInitiateArg>(argument, "CTInitiateArg"),
            h450::CALL_TRANSFER_SETUP => self.one::<h450::CTSetupArg>(argument, "CTSetupArg"),
            h450::HOLD_NOTIFIC | h450::RETRIEVE_NOTIFIC | h450::REMOTE_HOLD | h450::REMOTE_RETRIEVE => {
                self.one::<h450::HoldArg>(argument, "HoldArg");
            }
            h450::CALL_WAITING => self.one::<h450::CallWaitingArg>(argument, "CallWaitingArg"),
            _ => {}
        }
    }

    fn result(&mut self, result: &mut Value) {
        let code = result.pointer("/result/opcode/local").and_then(Value::as_i64);
        if code == Some(h450::CALL_TRANSFER_IDENTIFY)
            && let Some(slot) = result.pointer_mut("/result/result")
        {
            self.one::<h450::CTIdentifyRes>(slot, "CTIdentifyRes");
        }
    }

    /// Parameters of H.460 in H.225.0 generic data and H.245 generic information.
    fn visit_features(&mut self, members: &mut Map<String, Value>) {
        let standard = |value: &Value| value.pointer("/standard").and_then(Value::as_i64);
        if members.get("id").and_then(standard) == Some(h460::SIGNALLING_TRAVERSAL) {
            for parameter in members.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let id = parameter.get("id").and_then(standard);
                let Some(raw) = parameter.pointer_mut("/content/raw") else { continue };
                match id {
                    Some(h460::INCOMING_CALL_INDICATION) => {
                        self.one::<h460::IncomingCallIndication>(raw, "IncomingCallIndication");
                    }
                    Some(h460::LRQ_KEEP_ALIVE_DATA) => {
                        self.one::<h460::LRQKeepAliveData>(raw, "LRQKeepAliveData");
                    }
                    _ => {}
                }
            }
        }
        let traversal = h460::MEDIA_TRAVERSAL_OID.to_string();
        let message = members.get("messageIdentifier").and_then(|id| id.get("standard"));
        if message.and_then(Value::as_str) == Some(traversal.as_str()) {
            let contents = members.get_mut("messageContent").and_then(Value::as_array_mut);
            for parameter in contents.into_iter().flatten() {
                let id = parameter.get("parameterIdentifier").and_then(standard);
                let slot = parameter.pointer_mut("/parameterValue/octetString");
                if let (Some(1), Some(slot)) = (id, slot) {
                    self.one::<h460::TraversalParameters>(slot, "TraversalParameters");
                }
            }
        }
    }
}
