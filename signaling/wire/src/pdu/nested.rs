//! Encodings within descriptions, taken apart: what a message carries as octets and the standards say the type of.
//! In: a description. Out: the same, in which such octets are
//! `{"_encoded": hex, "OpenLogicalChannel": {…}}`, or `{"_encoded": hex, "_error": text}`. For people only: what has
//! been expanded is no description any more.
//!
//! fastStart → OpenLogicalChannel; h245Control, parallelH245Control → H.245; h4501SupplementaryService → H.450 and the
//! arguments, results and errors of its operations ([`h450::argument_type`] …); messageNotUnderstood → RAS; parameters
//! of H.460 ([`h460::raw_type`], [`h460::octet_string_type`]).

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::per::Oid;
use crate::per::json::{self, OpenType};
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
                        "fastStart" => {
                            self.each(member, OpenType::of::<h245::OpenLogicalChannel>("OpenLogicalChannel"))
                        }
                        "h245Control" | "parallelH245Control" => self.each(
                            member,
                            OpenType::of::<h245::MultimediaSystemControlMessage>(
                                "MultimediaSystemControlMessage",
                            ),
                        ),
                        "h4501SupplementaryService" => self.each(
                            member,
                            OpenType::of::<h450::H4501SupplementaryService>("H4501SupplementaryService"),
                        ),
                        // The sender did not understand it; it need not be one.
                        "messageNotUnderstood" => {
                            let before = self.errors;
                            self.one(Some(member), Some(OpenType::of::<h225::RasMessage>("RasMessage")));
                            self.errors = before;
                        }
                        "invoke" => {
                            let open_type = local(member, "/opcode/local").and_then(h450::argument_type);
                            self.one(member.get_mut("argument"), open_type);
                        }
                        "returnResult" => {
                            let open_type = local(member, "/result/opcode/local").and_then(h450::result_type);
                            self.one(member.pointer_mut("/result/result"), open_type);
                        }
                        "returnError" => {
                            let open_type = local(member, "/errorCode/local").and_then(h450::parameter_type);
                            self.one(member.get_mut("parameter"), open_type);
                        }
                        _ => self.visit(member),
                    }
                }
            }
            _ => {}
        }
    }

    fn each(&mut self, member: &mut Value, open_type: OpenType) {
        for element in member.as_array_mut().into_iter().flatten() {
            self.one(Some(element), Some(open_type));
        }
    }

    /// Takes the octets in `slot` apart, if there are any, and a type for them.
    fn one(&mut self, slot: Option<&mut Value>, open_type: Option<OpenType>) {
        let (Some(slot), Some(open_type)) = (slot, open_type) else { return };
        if !slot.is_string() || self.level == MAX_NESTING {
            return;
        }
        let Ok(octets) = json::octets(slot) else { return };
        let mut members = Map::from_iter([(ENCODED.to_owned(), slot.take())]);
        match open_type.describe(&Bytes::from(octets)) {
            Ok(mut inner) => {
                self.level += 1;
                self.visit(&mut inner);
                self.level -= 1;
                members.insert(open_type.name.to_owned(), inner);
            }
            Err(error) => {
                self.errors += 1;
                members.insert(ERROR.to_owned(), format!("{}: {error}", open_type.name).into());
            }
        }
        *slot = Value::Object(members);
    }

    /// Parameters of H.460: of a feature in H.225.0 generic data, of an H.245 generic message or information.
    fn visit_features(&mut self, members: &mut Map<String, Value>) {
        if let Some(feature) = members.get("id").and_then(|id| local(id, "/standard")) {
            let parameters = members.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let id = local(parameter, "/id/standard");
                self.one(
                    parameter.pointer_mut("/content/raw"),
                    id.and_then(|id| h460::raw_type(feature, id)),
                );
            }
        }
        let message = members.get("messageIdentifier").and_then(|id| id.get("standard")?.as_str());
        if let Some(message) = message.and_then(|message| message.parse::<Oid>().ok()) {
            let parameters = members.get_mut("messageContent").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let id =
                    local(parameter, "/parameterIdentifier/standard").and_then(|id| u8::try_from(id).ok());
                self.one(
                    parameter.pointer_mut("/parameterValue/octetString"),
                    id.and_then(|id| h460::octet_string_type(&message, id)),
                );
            }
        }
    }
}

/// The number at `pointer`.
fn local(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}
