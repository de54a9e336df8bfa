//! What we do not do, refused as the standard says: the procedure's own reject, else functionNotUnderstood (a
//! request) or functionNotSupported (a command).
//!
//! ```text
//!   multiplexEntrySend, requestMultiplexEntry     reject, each entry: unspecifiedCause (no H.223 here)
//!   makeMeChair, dropTerminal, sendThisSource …   the denial that H.243 has for each (no MC here)
//!   communicationModeRequest, multilinkRequest,   functionNotUnderstood
//!   genericRequest, nonStandard, later versions
//!   video, encryption, H.223, ATM, conference     functionNotSupported: unknownFunction
//!   commands, later versions
//! ```
//! Not here: how often (`control`).

use bytes::Bytes;
use offhook_wire::h245::{
    CommandMessage, ConferenceRequest, ConferenceResponse,
    ConferenceResponseBroadcastMyLogicalChannelResponse, ConferenceResponseMakeMeChairResponse,
    ConferenceResponseMakeTerminalBroadcasterResponse, ConferenceResponseSendThisSourceResponse,
    ConferenceResponseTerminalCertificateResponse, FunctionNotSupported, FunctionNotSupportedCause,
    FunctionNotUnderstood, IndicationMessage, MultimediaSystemControlMessage as Message,
    MultiplexEntryRejectionDescriptions, MultiplexEntryRejectionDescriptionsCause, MultiplexEntrySendReject,
    RemoteMCResponse, RemoteMCResponseReject, RequestMessage, RequestMultiplexEntryReject,
    RequestMultiplexEntryRejectionDescriptions, RequestMultiplexEntryRejectionDescriptionsCause,
    ResponseMessage,
};
use offhook_wire::per;

use super::received::Received;
use super::{indication, response};

/// A longer message is not returned with its refusal: an answer must not outgrow what it answers by much.
const MAX_RETURNED: usize = 1024;

pub(super) fn refuse_request(message: RequestMessage) -> Received {
    Received::Refuse(Box::new(refusal(message)))
}

fn refusal(message: RequestMessage) -> Message {
    response(match message {
        RequestMessage::MultiplexEntrySend(send) => {
            let reject = |number: u8| {
                let cause = MultiplexEntryRejectionDescriptionsCause::UnspecifiedCause;
                MultiplexEntryRejectionDescriptions::new(number, cause)
            };
            let entries = send.multiplex_entry_descriptors.iter();
            let entries = entries.map(|entry| reject(entry.multiplex_table_entry_number)).collect();
            let reject = MultiplexEntrySendReject::new(send.sequence_number, entries);
            ResponseMessage::MultiplexEntrySendReject(reject)
        }
        RequestMessage::RequestMultiplexEntry(request) => {
            let reject = |number: &u8| {
                let cause = RequestMultiplexEntryRejectionDescriptionsCause::UnspecifiedCause;
                RequestMultiplexEntryRejectionDescriptions::new(*number, cause)
            };
            let descriptions = request.entry_numbers.iter().map(reject).collect();
            let reject = RequestMultiplexEntryReject::new(request.entry_numbers, descriptions);
            ResponseMessage::RequestMultiplexEntryReject(reject)
        }
        RequestMessage::ConferenceRequest(request) => match denial(&request) {
            Some(denial) => ResponseMessage::ConferenceResponse(denial.into()),
            None => return not_understood(RequestMessage::ConferenceRequest(request)),
        },
        other => return not_understood(other),
    })
}

/// The denial of a conference request, where H.243 as H.245 carries it has one.
fn denial(request: &ConferenceRequest) -> Option<ConferenceResponse> {
    Some(match request {
        ConferenceRequest::MakeMeChair => {
            ConferenceResponse::MakeMeChairResponse(ConferenceResponseMakeMeChairResponse::DeniedChairToken)
        }
        ConferenceRequest::DropTerminal(_) => ConferenceResponse::TerminalDropReject,
        ConferenceRequest::BroadcastMyLogicalChannel(_) => {
            ConferenceResponse::BroadcastMyLogicalChannelResponse(
                ConferenceResponseBroadcastMyLogicalChannelResponse::DeniedBroadcastMyLogicalChannel,
            )
        }
        ConferenceRequest::MakeTerminalBroadcaster(_) => ConferenceResponse::MakeTerminalBroadcasterResponse(
            ConferenceResponseMakeTerminalBroadcasterResponse::DeniedMakeTerminalBroadcaster,
        ),
        ConferenceRequest::SendThisSource(_) => ConferenceResponse::SendThisSourceResponse(
            ConferenceResponseSendThisSourceResponse::DeniedSendThisSource,
        ),
        // A response without a certificate: there is none.
        ConferenceRequest::RequestTerminalCertificate(_) => ConferenceResponse::TerminalCertificateResponse(
            ConferenceResponseTerminalCertificateResponse::default(),
        ),
        ConferenceRequest::RemoteMCRequest(_) => ConferenceResponse::RemoteMCResponse(
            RemoteMCResponse::Reject(RemoteMCResponseReject::FunctionNotSupported),
        ),
        _ => return None,
    })
}

pub(super) fn refuse_command(message: CommandMessage) -> Received {
    let message = Message::Command(message.into());
    let octets = per::encode(&message).ok().map(Bytes::from);
    Received::Refuse(Box::new(not_supported(FunctionNotSupportedCause::UnknownFunction, octets)))
}

fn not_understood(message: RequestMessage) -> Message {
    // It goes back as it came: encoding an alternative of a later version again is exact.
    match per::encode(&message) {
        Ok(octets) if octets.len() <= MAX_RETURNED => indication(IndicationMessage::FunctionNotUnderstood(
            FunctionNotUnderstood::Request(message).into(),
        )),
        _ => not_supported(FunctionNotSupportedCause::UnknownFunction, None),
    }
}

/// FunctionNotSupported, with the octets that were not supported.
pub(crate) fn not_supported(cause: FunctionNotSupportedCause, returned: Option<Bytes>) -> Message {
    let mut function = FunctionNotSupported::new(cause);
    function.returned_function = returned.filter(|octets| octets.len() <= MAX_RETURNED);
    indication(IndicationMessage::FunctionNotSupported(function.into()))
}
