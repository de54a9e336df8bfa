//! H.245 messages ⇄ what the procedures say to each other.
//! In: a decoded MultimediaSystemControlMessage. Out: [`Received`]. And builders, one a message.
//!
//! Whatever asks for something that we do not do becomes [`Received::Refuse`] with the standard's
//! reject, or functionNotUnderstood where it has none; what only informs is tolerated.
//!
//! Not here: states and timers (`msdse`, `cese`, `lcse`, `rtdse`).

use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h245::{
    CloseLogicalChannel, CloseLogicalChannelAck, CloseLogicalChannelSource, CommandMessage,
    EndSessionCommand, FunctionNotSupported, FunctionNotSupportedCause, FunctionNotUnderstood,
    H2250Capability, H2250LogicalChannelAckParameters, H2250LogicalChannelParameters, IndicationMessage,
    LogicalChannelRateReject, LogicalChannelRateRejectReason, MaintenanceLoopReject,
    MaintenanceLoopRejectCause, MaintenanceLoopRejectType, MaintenanceLoopRequestType,
    MasterSlaveDetermination, MasterSlaveDeterminationAck, MasterSlaveDeterminationAckDecision,
    MasterSlaveDeterminationReject, MasterSlaveDeterminationRejectCause, MasterSlaveDeterminationRelease,
    MediaDistributionCapability, MultimediaSystemControlMessage as Message, MultiplexCapability,
    MultiplexEntryRejectionDescriptions, MultiplexEntryRejectionDescriptionsCause, MultiplexEntrySendReject,
    MultipointCapability, OpenLogicalChannel, OpenLogicalChannelAck,
    OpenLogicalChannelAckForwardMultiplexAckParameters, OpenLogicalChannelForwardLogicalChannelParameters,
    OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters as ForwardParameters,
    OpenLogicalChannelReject, OpenLogicalChannelRejectCause, RequestChannelCloseAck,
    RequestChannelCloseReason, RequestChannelCloseReject, RequestChannelCloseRejectCause, RequestMessage,
    RequestModeReject, RequestModeRejectCause, RequestMultiplexEntryReject,
    RequestMultiplexEntryRejectionDescriptions, RequestMultiplexEntryRejectionDescriptionsCause,
    ResponseMessage, RoundTripDelayRequest, RoundTripDelayResponse, TerminalCapabilitySet,
    TerminalCapabilitySetAck, TerminalCapabilitySetReject, TerminalCapabilitySetRejectCause,
    TerminalCapabilitySetRejectCauseTableEntryCapacityExceeded as CapacityExceeded,
    TerminalCapabilitySetRelease, UserInputIndication, UserInputIndicationSignal,
};
use offhook_wire::per::Oid;

use crate::address::{from_h245, to_h245};
use crate::capability::{self, OpenChannel};
use crate::h245::msdse::Status;
use crate::{CodecOffer, LocalMedia, LocalSession};

/// H.245 version 15, the one that H323Plus speaks: {itu-t(0) recommendation(0) h(8) 245 version(0) 15}.
const PROTOCOL_IDENTIFIER: Oid = Oid::new(&[0, 0, 8, 245, 0, 15]);

/// What a message asks of our procedures.
#[derive(Debug)]
pub(crate) enum Received {
    Msd {
        terminal_type: u8,
        number: u32,
    },
    MsdAck(Status),
    MsdReject,
    MsdRelease,
    Tcs(Box<TerminalCapabilitySet>),
    TcsAck(u8),
    TcsReject(u8),
    /// sendTerminalCapabilitySet: the peer wants to hear our set again.
    SendTcs,
    Open(Box<OpenChannel>),
    OpenAck(OpenAck),
    OpenReject {
        number: u16,
        cause: OpenReject,
    },
    Close(u16),
    CloseAck(u16),
    RequestClose {
        number: u16,
        reopen: bool,
    },
    RtdRequest(u8),
    RtdResponse(u8),
    EndSession,
    Alphanumeric(String),
    Signal {
        digit: char,
        duration: Option<Duration>,
    },
    /// Answer with this.
    Refuse(Box<Message>),
    Tolerated,
}

/// OpenLogicalChannelAck of a unidirectional channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenAck {
    pub(crate) number: u16,
    pub(crate) media: Option<std::net::SocketAddr>,
    pub(crate) media_control: Option<std::net::SocketAddr>,
    pub(crate) payload_type: Option<u8>,
}

/// Why a channel is not opened: those causes that we use or tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenReject {
    Unspecified,
    UnsuitableReverseParameters,
    DataTypeNotSupported,
    DataTypeNotAvailable,
    UnknownDataType,
    InvalidSessionId,
    MasterSlaveConflict,
}

/// Who closes a channel (CloseLogicalChannel.source).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseSource {
    User,
    Lcse,
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        match message {
            Message::Request(request) => from_request(request),
            Message::Response(response) => from_response(&response),
            Message::Command(command) => from_command(&command),
            Message::Indication(indication) => from_indication(&indication),
            Message::Unrecognized(_) => {
                Self::Refuse(Box::new(not_supported(FunctionNotSupportedCause::UnknownFunction, None)))
            }
        }
    }
}

fn from_request(message: RequestMessage) -> Received {
    match &message {
        RequestMessage::MasterSlaveDetermination(msd) => {
            Received::Msd { terminal_type: msd.terminal_type, number: msd.status_determination_number }
        }
        RequestMessage::TerminalCapabilitySet(set) => Received::Tcs(Box::new((**set).clone())),
        RequestMessage::OpenLogicalChannel(open) => Received::Open(Box::new(OpenChannel::from(&**open))),
        RequestMessage::CloseLogicalChannel(close) => Received::Close(close.forward_logical_channel_number),
        RequestMessage::RequestChannelClose(close) => Received::RequestClose {
            number: close.forward_logical_channel_number,
            reopen: matches!(close.reason, Some(RequestChannelCloseReason::Reopen)),
        },
        RequestMessage::RoundTripDelayRequest(request) => Received::RtdRequest(request.sequence_number),
        _ => Received::Refuse(Box::new(refusal(message))),
    }
}

/// The reject that the standard has for a request which we do not fulfil.
fn refusal(message: RequestMessage) -> Message {
    let response = match &message {
        RequestMessage::MultiplexEntrySend(send) => {
            let cause = MultiplexEntryRejectionDescriptionsCause::UnspecifiedCause;
            let numbers = send.multiplex_entry_descriptors.iter().map(|d| d.multiplex_table_entry_number);
            let rejected = numbers
                .map(|number| MultiplexEntryRejectionDescriptions::new(number, cause.clone()))
                .collect();
            ResponseMessage::MultiplexEntrySendReject(MultiplexEntrySendReject::new(
                send.sequence_number,
                rejected,
            ))
        }
        RequestMessage::RequestMultiplexEntry(request) => {
            let cause = RequestMultiplexEntryRejectionDescriptionsCause::UnspecifiedCause;
            let numbers = request.entry_numbers.iter();
            let rejected = numbers
                .map(|number| RequestMultiplexEntryRejectionDescriptions::new(*number, cause.clone()))
                .collect();
            ResponseMessage::RequestMultiplexEntryReject(RequestMultiplexEntryReject::new(
                request.entry_numbers.clone(),
                rejected,
            ))
        }
        RequestMessage::RequestMode(request) => {
            let cause = RequestModeRejectCause::ModeUnavailable;
            let reject = RequestModeReject::new(request.sequence_number, cause);
            ResponseMessage::RequestModeReject(reject)
        }
        RequestMessage::MaintenanceLoopRequest(request) => {
            let kind = match &request.r#type {
                MaintenanceLoopRequestType::SystemLoop => MaintenanceLoopRejectType::SystemLoop,
                MaintenanceLoopRequestType::MediaLoop(number) => {
                    MaintenanceLoopRejectType::MediaLoop(*number)
                }
                MaintenanceLoopRequestType::LogicalChannelLoop(number) => {
                    MaintenanceLoopRejectType::LogicalChannelLoop(*number)
                }
                MaintenanceLoopRequestType::Unrecognized(_) => return not_understood(message),
            };
            let cause = MaintenanceLoopRejectCause::CanNotPerformLoop;
            ResponseMessage::MaintenanceLoopReject(MaintenanceLoopReject::new(kind, cause).into())
        }
        RequestMessage::LogicalChannelRateRequest(request) => {
            let reject = LogicalChannelRateReject::new(
                request.sequence_number,
                request.logical_channel_number,
                LogicalChannelRateRejectReason::UndefinedReason,
            );
            ResponseMessage::LogicalChannelRateReject(reject.into())
        }
        // communicationModeRequest, conferenceRequest, multilinkRequest, genericRequest and nonStandard
        // have no reject of their own.
        _ => return not_understood(message),
    };
    Message::Response(response.into())
}

fn from_response(message: &ResponseMessage) -> Received {
    match message {
        ResponseMessage::MasterSlaveDeterminationAck(ack) => Received::MsdAck(match ack.decision {
            MasterSlaveDeterminationAckDecision::Master => Status::Master,
            MasterSlaveDeterminationAckDecision::Slave => Status::Slave,
        }),
        ResponseMessage::MasterSlaveDeterminationReject(_) => Received::MsdReject,
        ResponseMessage::TerminalCapabilitySetAck(ack) => Received::TcsAck(ack.sequence_number),
        ResponseMessage::TerminalCapabilitySetReject(reject) => Received::TcsReject(reject.sequence_number),
        ResponseMessage::OpenLogicalChannelAck(ack) => Received::OpenAck(OpenAck::from(&**ack)),
        ResponseMessage::OpenLogicalChannelReject(reject) => Received::OpenReject {
            number: reject.forward_logical_channel_number,
            cause: OpenReject::from(&reject.cause),
        },
        ResponseMessage::CloseLogicalChannelAck(ack) => {
            Received::CloseAck(ack.forward_logical_channel_number)
        }
        ResponseMessage::RoundTripDelayResponse(response) => Received::RtdResponse(response.sequence_number),
        // Answers to what we never ask. H.245 has no answer to an answer.
        _ => Received::Tolerated,
    }
}

fn from_command(message: &CommandMessage) -> Received {
    match message {
        CommandMessage::EndSessionCommand(_) => Received::EndSession,
        CommandMessage::SendTerminalCapabilitySet(_) => Received::SendTcs,
        // A command that no version we know has: say so. The others want nothing of an audio endpoint
        // that it does not do anyway.
        CommandMessage::Unrecognized(_) => {
            Received::Refuse(Box::new(not_supported(FunctionNotSupportedCause::UnknownFunction, None)))
        }
        _ => Received::Tolerated,
    }
}

fn from_indication(message: &IndicationMessage) -> Received {
    match message {
        IndicationMessage::MasterSlaveDeterminationRelease(_) => Received::MsdRelease,
        IndicationMessage::UserInput(input) => from_user_input(input),
        _ => Received::Tolerated,
    }
}

fn from_user_input(input: &UserInputIndication) -> Received {
    match input {
        UserInputIndication::Alphanumeric(text) => Received::Alphanumeric(text.clone()),
        UserInputIndication::ExtendedAlphanumeric(input) => {
            Received::Alphanumeric(input.alphanumeric.clone())
        }
        UserInputIndication::Signal(signal) => match signal.signal_type.chars().next() {
            Some(digit) => Received::Signal {
                digit,
                duration: signal.duration.map(|ms| Duration::from_millis(u64::from(ms))),
            },
            None => Received::Tolerated,
        },
        _ => Received::Tolerated,
    }
}

impl From<&OpenLogicalChannelAck> for OpenAck {
    fn from(ack: &OpenLogicalChannelAck) -> Self {
        let parameters = match &ack.forward_multiplex_ack_parameters {
            Some(OpenLogicalChannelAckForwardMultiplexAckParameters::H2250LogicalChannelAckParameters(p)) => {
                Some(&**p)
            }
            _ => None,
        };
        Self {
            number: ack.forward_logical_channel_number,
            media: parameters.and_then(|p| p.media_channel.as_ref()).and_then(from_h245),
            media_control: parameters.and_then(|p| p.media_control_channel.as_ref()).and_then(from_h245),
            payload_type: parameters.and_then(|p| p.dynamic_rtp_payload_type),
        }
    }
}

impl From<&OpenLogicalChannelRejectCause> for OpenReject {
    fn from(cause: &OpenLogicalChannelRejectCause) -> Self {
        match cause {
            OpenLogicalChannelRejectCause::UnsuitableReverseParameters => Self::UnsuitableReverseParameters,
            OpenLogicalChannelRejectCause::DataTypeNotSupported => Self::DataTypeNotSupported,
            OpenLogicalChannelRejectCause::DataTypeNotAvailable => Self::DataTypeNotAvailable,
            OpenLogicalChannelRejectCause::UnknownDataType => Self::UnknownDataType,
            OpenLogicalChannelRejectCause::InvalidSessionID => Self::InvalidSessionId,
            OpenLogicalChannelRejectCause::MasterSlaveConflict => Self::MasterSlaveConflict,
            _ => Self::Unspecified,
        }
    }
}

impl From<OpenReject> for OpenLogicalChannelRejectCause {
    fn from(cause: OpenReject) -> Self {
        match cause {
            OpenReject::Unspecified => Self::Unspecified,
            OpenReject::UnsuitableReverseParameters => Self::UnsuitableReverseParameters,
            OpenReject::DataTypeNotSupported => Self::DataTypeNotSupported,
            OpenReject::DataTypeNotAvailable => Self::DataTypeNotAvailable,
            OpenReject::UnknownDataType => Self::UnknownDataType,
            OpenReject::InvalidSessionId => Self::InvalidSessionID,
            OpenReject::MasterSlaveConflict => Self::MasterSlaveConflict,
        }
    }
}

fn request(message: RequestMessage) -> Message {
    Message::Request(message)
}

fn response(message: ResponseMessage) -> Message {
    Message::Response(message.into())
}

fn indication(message: IndicationMessage) -> Message {
    Message::Indication(message.into())
}

pub(crate) fn msd(terminal_type: u8, number: u32) -> Message {
    request(RequestMessage::MasterSlaveDetermination(MasterSlaveDetermination::new(terminal_type, number)))
}

/// `decision`: what the receiver of this message is.
pub(crate) fn msd_ack(decision: Status) -> Message {
    let decision = match decision {
        Status::Master => MasterSlaveDeterminationAckDecision::Master,
        Status::Slave => MasterSlaveDeterminationAckDecision::Slave,
    };
    response(ResponseMessage::MasterSlaveDeterminationAck(MasterSlaveDeterminationAck::new(decision)))
}

pub(crate) fn msd_reject() -> Message {
    let cause = MasterSlaveDeterminationRejectCause::IdenticalNumbers;
    response(ResponseMessage::MasterSlaveDeterminationReject(MasterSlaveDeterminationReject::new(cause)))
}

pub(crate) fn msd_release() -> Message {
    indication(IndicationMessage::MasterSlaveDeterminationRelease(MasterSlaveDeterminationRelease::new()))
}

pub(crate) fn tcs(sequence: u8, media: &LocalMedia) -> Message {
    let mut set = TerminalCapabilitySet::new(sequence, PROTOCOL_IDENTIFIER);
    // Without media the set is empty in the sense of H.323 8.4.6: nothing but number and version.
    if let Some((table, descriptors)) = capability::table(media) {
        set.multiplex_capability = Some(MultiplexCapability::H2250Capability(h2250_capability().into()));
        set.capability_table = Some(table);
        set.capability_descriptors = Some(descriptors);
    }
    request(RequestMessage::TerminalCapabilitySet(set.into()))
}

/// An endpoint without MC, without multicast (H.323 6.2.8.1 wants the structure all the same).
fn h2250_capability() -> H2250Capability {
    let multipoint = || {
        MultipointCapability::new(
            false,
            false,
            vec![MediaDistributionCapability::new(false, false, false, false, false, false)],
        )
    };
    H2250Capability::new(
        // How much jitter we may cause, in ms.
        20,
        multipoint(),
        multipoint(),
        multipoint(),
        Default::default(),
        false,
        Default::default(),
    )
}

pub(crate) fn tcs_ack(sequence: u8) -> Message {
    response(ResponseMessage::TerminalCapabilitySetAck(TerminalCapabilitySetAck::new(sequence)))
}

/// The set has more entries than we keep.
pub(crate) fn tcs_reject(sequence: u8) -> Message {
    let cause = TerminalCapabilitySetRejectCause::TableEntryCapacityExceeded(CapacityExceeded::NoneProcessed);
    response(ResponseMessage::TerminalCapabilitySetReject(
        TerminalCapabilitySetReject::new(sequence, cause).into(),
    ))
}

pub(crate) fn tcs_release() -> Message {
    indication(IndicationMessage::TerminalCapabilitySetRelease(TerminalCapabilitySetRelease::new()))
}

/// OpenLogicalChannel of a unidirectional audio channel: RTCP address only; RTP's comes in the Ack.
pub(crate) fn olc(number: u16, session: &LocalSession, offer: &CodecOffer, packet_ms: u16) -> Message {
    let forward = OpenLogicalChannelForwardLogicalChannelParameters::new(
        capability::data_type(offer.codec, packet_ms),
        ForwardParameters::H2250LogicalChannelParameters(channel_parameters(session, offer).into()),
    );
    request(RequestMessage::OpenLogicalChannel(OpenLogicalChannel::new(number, forward).into()))
}

/// What every proposal of ours says: session, RTCP, payload type.
pub(crate) fn channel_parameters(
    session: &LocalSession,
    offer: &CodecOffer,
) -> H2250LogicalChannelParameters {
    let mut parameters = H2250LogicalChannelParameters::new(session.session_id);
    parameters.media_guaranteed_delivery = Some(false);
    parameters.media_control_channel = Some(to_h245(session.rtcp));
    parameters.silence_suppression = Some(false);
    parameters.dynamic_rtp_payload_type = capability::dynamic_payload_type(offer.payload_type);
    parameters
}

pub(crate) fn olc_ack(number: u16, session: &LocalSession) -> Message {
    let mut parameters = H2250LogicalChannelAckParameters::new();
    parameters.session_id = Some(session.session_id);
    parameters.media_channel = Some(to_h245(session.rtp));
    parameters.media_control_channel = Some(to_h245(session.rtcp));
    let mut ack = OpenLogicalChannelAck::new(number);
    ack.forward_multiplex_ack_parameters =
        Some(OpenLogicalChannelAckForwardMultiplexAckParameters::H2250LogicalChannelAckParameters(
            parameters.into(),
        ));
    response(ResponseMessage::OpenLogicalChannelAck(ack.into()))
}

pub(crate) fn olc_reject(number: u16, cause: OpenReject) -> Message {
    let reject = OpenLogicalChannelReject::new(number, cause.into());
    response(ResponseMessage::OpenLogicalChannelReject(reject.into()))
}

pub(crate) fn clc(number: u16, source: CloseSource) -> Message {
    let source = match source {
        CloseSource::User => CloseLogicalChannelSource::User,
        CloseSource::Lcse => CloseLogicalChannelSource::Lcse,
    };
    request(RequestMessage::CloseLogicalChannel(CloseLogicalChannel::new(number, source).into()))
}

pub(crate) fn clc_ack(number: u16) -> Message {
    response(ResponseMessage::CloseLogicalChannelAck(CloseLogicalChannelAck::new(number)))
}

pub(crate) fn request_close_ack(number: u16) -> Message {
    response(ResponseMessage::RequestChannelCloseAck(RequestChannelCloseAck::new(number)))
}

pub(crate) fn request_close_reject(number: u16) -> Message {
    let cause = RequestChannelCloseRejectCause::Unspecified;
    response(ResponseMessage::RequestChannelCloseReject(RequestChannelCloseReject::new(number, cause)))
}

pub(crate) fn rtd_request(sequence: u8) -> Message {
    request(RequestMessage::RoundTripDelayRequest(RoundTripDelayRequest::new(sequence)))
}

pub(crate) fn rtd_response(sequence: u8) -> Message {
    response(ResponseMessage::RoundTripDelayResponse(RoundTripDelayResponse::new(sequence)))
}

pub(crate) fn end_session() -> Message {
    Message::Command(CommandMessage::EndSessionCommand(EndSessionCommand::Disconnect).into())
}

pub(crate) fn alphanumeric(text: &str) -> Message {
    indication(IndicationMessage::UserInput(UserInputIndication::Alphanumeric(text.to_owned())))
}

pub(crate) fn signal(digit: char, duration_ms: u16) -> Message {
    let mut signal = UserInputIndicationSignal::new(digit.to_string());
    signal.duration = Some(duration_ms);
    indication(IndicationMessage::UserInput(UserInputIndication::Signal(signal.into())))
}

fn not_understood(message: RequestMessage) -> Message {
    // An alternative of a later version is better returned as octets; encoding it again is exact.
    indication(IndicationMessage::FunctionNotUnderstood(FunctionNotUnderstood::Request(message).into()))
}

/// FunctionNotSupported, with the octets that were not supported.
pub(crate) fn not_supported(cause: FunctionNotSupportedCause, returned: Option<Bytes>) -> Message {
    let mut function = FunctionNotSupported::new(cause);
    function.returned_function = returned;
    indication(IndicationMessage::FunctionNotSupported(function.into()))
}
