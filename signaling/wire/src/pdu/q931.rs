//! Descriptions of Q.931 messages.
//! In: a [`CallSignal`]. Out: JSON, from which the same message can be built. Contents of elements are hex; what they
//! mean is told beside it and not read back.
//! Not here: the descriptions of ASN.1 (`per::json`).

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Kind, PduError};
use crate::h225::H323UserInformation;
use crate::h225_message::CallSignal;
use crate::per;
use crate::q931::{
    CallReference, CallReferenceLength, CallState, CalledPartyNumber, CallingPartyNumber, CauseElement,
    Codeset, ConnectedNumber, Display, Element, ElementId, InformationElement, KeypadFacility, Message,
    MessageType, ProgressIndicator, RedirectingNumber, UserUser,
};

const UUIE: &str = "H323-UserInformation";

pub(super) fn describe(signal: &CallSignal) -> Value {
    let message = &signal.q931;
    let reference = message.call_reference;
    let mut uuie = signal.uuie.as_ref();
    let elements = message.elements_with_codesets().map(|(codeset, element)| {
        let known = element.id().name().filter(|_| codeset == Codeset::Q931);
        let mut members = Map::new();
        if codeset != Codeset::Q931 {
            members.insert("codeset".into(), codeset.number().into());
        }
        if element.is_single_octet() {
            members.insert("octet".into(), element.identifier_octet().into());
        } else {
            members.insert("id".into(), element.identifier_octet().into());
        }
        if let Some(name) = known {
            members.insert("name".into(), name.into());
        }
        let contents = element.contents();
        let is_uuie = known.is_some()
            && element.id() == ElementId::USER_USER
            && UserUser::decode(contents).is_ok_and(|user_user| user_user.is_h225());
        match uuie.filter(|_| is_uuie) {
            Some(value) => {
                members.insert(UUIE.into(), per::json::describe(value));
                uuie = None;
            }
            None if element.is_single_octet() => {}
            None => {
                members.insert("hex".into(), per::json::hex(contents).into());
                if let Some(meaning) = known.and_then(|_| meaning(element.id(), contents)) {
                    members.insert("means".into(), meaning.into());
                }
            }
        }
        Value::Object(members)
    });
    let elements: Vec<_> = elements.collect();
    json!({
        "callReference": {
            "value": reference.value(),
            "fromDestination": reference.from_destination(),
            "octets": reference.length().octets(),
        },
        "messageType": match message.message_type.name() {
            Some(name) => Value::from(name),
            None => message.message_type.0.into(),
        },
        "elements": elements,
    })
}

/// What the contents of an element say, where that is more than octets.
fn meaning(id: ElementId, contents: &Bytes) -> Option<String> {
    fn read<T: Element>(contents: &Bytes) -> Option<T> {
        T::decode(contents).ok()
    }
    match id {
        ElementId::DISPLAY => Some(read::<Display>(contents)?.text),
        ElementId::KEYPAD_FACILITY => Some(read::<KeypadFacility>(contents)?.keys),
        ElementId::CAUSE => Some(read::<CauseElement>(contents)?.value.to_string()),
        ElementId::CALLED_PARTY_NUMBER => Some(read::<CalledPartyNumber>(contents)?.digits),
        ElementId::CALLING_PARTY_NUMBER => Some(read::<CallingPartyNumber>(contents)?.digits),
        ElementId::CONNECTED_NUMBER => Some(read::<ConnectedNumber>(contents)?.digits),
        ElementId::REDIRECTING_NUMBER => Some(read::<RedirectingNumber>(contents)?.digits),
        ElementId::CALL_STATE => Some(format!("state {}", read::<CallState>(contents)?.value)),
        ElementId::PROGRESS_INDICATOR => {
            let description = read::<ProgressIndicator>(contents)?.description;
            Some(match description {
                ProgressIndicator::NOT_END_TO_END_ISDN => "1 (not end-to-end ISDN)".into(),
                ProgressIndicator::DESTINATION_NON_ISDN => "2 (destination is non-ISDN)".into(),
                ProgressIndicator::ORIGINATION_NON_ISDN => "3 (origination is non-ISDN)".into(),
                ProgressIndicator::RETURNED_TO_ISDN => "4 (returned to the ISDN)".into(),
                ProgressIndicator::INTERWORKING_CHANGED_SERVICE => "5 (service has changed)".into(),
                ProgressIndicator::INBAND_INFORMATION => "8 (in-band information)".into(),
                other => other.to_string(),
            })
        }
        _ => None,
    }
}

pub(super) fn build(description: &Value) -> Result<CallSignal, PduError> {
    let mut message = Message::new(
        message_type(description.get("messageType")).map_err(|e| e.within("messageType"))?,
        call_reference(description.get("callReference")).map_err(|e| e.within("callReference"))?,
    );
    let mut uuie = None;
    let elements = match description.get("elements") {
        None => &[][..],
        Some(elements) => elements.as_array().ok_or_else(|| wanted("an array").within("elements"))?,
    };
    for (index, element) in elements.iter().enumerate() {
        let step = format!("elements[{index}]");
        message.elements.push(build_element(element, &mut uuie).map_err(|error| error.within(&step))?);
    }
    Ok(CallSignal { q931: message, uuie })
}

fn wanted(what: &str) -> PduError {
    PduError::new(Kind::Q931, format_args!("JSON: expected {what}"))
}

fn octet(value: Option<&Value>) -> Option<u8> {
    value.and_then(Value::as_u64).and_then(|number| u8::try_from(number).ok())
}

fn message_type(value: Option<&Value>) -> Result<MessageType, PduError> {
    let named = value.and_then(Value::as_str).and_then(|name| {
        (0..=u8::MAX).map(MessageType).find(|message_type| message_type.name() == Some(name))
    });
    let coded = octet(value).map(MessageType);
    named.or(coded).ok_or_else(|| wanted("the name of a message, or its code"))
}

fn call_reference(value: Option<&Value>) -> Result<CallReference, PduError> {
    let number = value.and_then(|v| v.get("value")).and_then(Value::as_u64);
    let from_destination = match value.and_then(|v| v.get("fromDestination")) {
        None => false,
        Some(flag) => flag.as_bool().ok_or_else(|| wanted("true or false").within("fromDestination"))?,
    };
    let length = match value.and_then(|v| v.get("octets")) {
        None => Some(2),
        Some(octets) => octets.as_u64(),
    };
    let number = number.and_then(|number| u16::try_from(number).ok());
    match (length, number) {
        (Some(0), _) => Ok(CallReference::dummy()),
        (Some(1), Some(value @ 0..=0x7f)) => {
            Ok(CallReference::with_length(CallReferenceLength::One, value, from_destination))
        }
        (Some(2), Some(value @ 0..=CallReference::MAX)) => Ok(CallReference::new(value, from_destination)),
        _ => Err(wanted("an object of \"value\" (0 to 32767), \"fromDestination\" and \"octets\" (0 to 2)")),
    }
}

fn build_element(
    value: &Value,
    uuie: &mut Option<per::Message<H323UserInformation>>,
) -> Result<InformationElement, PduError> {
    if let Some(octet) = octet(value.get("octet")) {
        return Ok(InformationElement::single_octet(octet));
    }
    let named = value
        .get("name")
        .and_then(Value::as_str)
        .and_then(|name| (0..0x80).map(ElementId).find(|id| id.name() == Some(name)));
    let id = octet(value.get("id")).map(ElementId).or(named);
    if let Some(described) = value.get(UUIE) {
        if uuie.is_some() || id.is_some_and(|id| id != ElementId::USER_USER) {
            return Err(wanted("one H323-UserInformation, in a User-user element"));
        }
        let built = per::json::build(described).map_err(|e| PduError::per(Kind::H225, &e).within(UUIE))?;
        *uuie = Some(built);
        // Marks the place; its contents are written when the message is encoded.
        return Ok(UserUser::new(Bytes::new()).to_element());
    }
    let id = id.ok_or_else(|| wanted("an element with \"id\" and \"hex\", or \"octet\""))?;
    let hex = value.get("hex").ok_or_else(|| wanted("\"hex\""))?;
    let contents = per::json::octets(hex).map_err(|error| PduError::per(Kind::Q931, &error).within("hex"))?;
    Ok(InformationElement::variable(id, contents))
}
