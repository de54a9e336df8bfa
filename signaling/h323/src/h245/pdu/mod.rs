//! H.245 messages ⇄ what the procedures say to each other.
//! In: a decoded MultimediaSystemControlMessage. Out: [`Received`]. And builders, one a message.
//!
//! `received` takes messages apart, `refusal` answers what we do not do.
//!
//! Not here: states and timers (`msdse`, `cese`, `lcse` and the other machines).

mod received;
mod refusal;

use offhook_wire::h245::{
    AudioMode, CloseLogicalChannel, CloseLogicalChannelAck, CloseLogicalChannelSource, CommandMessage,
    EndSessionCommand, FlowControlCommand, FlowControlCommandRestriction, FlowControlCommandScope,
    H2250Capability, H2250LogicalChannelAckParameters, H2250LogicalChannelParameters, IndicationMessage,
    LogicalChannelRateAcknowledge, LogicalChannelRateReject, LogicalChannelRateRejectReason,
    LogicalChannelRateRequest, MaintenanceLoopAck, MaintenanceLoopAckType, MaintenanceLoopOffCommand,
    MaintenanceLoopReject, MaintenanceLoopRejectCause, MaintenanceLoopRejectType, MaintenanceLoopRequest,
    MaintenanceLoopRequestType, MasterSlaveDetermination, MasterSlaveDeterminationAck,
    MasterSlaveDeterminationAckDecision, MasterSlaveDeterminationReject, MasterSlaveDeterminationRejectCause,
    MasterSlaveDeterminationRelease, MediaDistributionCapability, MiscellaneousIndication,
    MiscellaneousIndicationType, ModeElement, ModeElementType, MultimediaSystemControlMessage as Message,
    MultiplexCapability, MultipointCapability, OpenLogicalChannel, OpenLogicalChannelAck,
    OpenLogicalChannelAckForwardMultiplexAckParameters, OpenLogicalChannelAckReverseLogicalChannelParameters,
    OpenLogicalChannelAckReverseLogicalChannelParametersMultiplexParameters as ReverseAckParameters,
    OpenLogicalChannelConfirm, OpenLogicalChannelForwardLogicalChannelParameters,
    OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters as ForwardParameters,
    OpenLogicalChannelReject, OpenLogicalChannelReverseLogicalChannelParameters,
    OpenLogicalChannelReverseLogicalChannelParametersMultiplexParameters as ReverseParameters,
    RequestChannelClose, RequestChannelCloseAck, RequestChannelCloseReason, RequestChannelCloseReject,
    RequestChannelCloseRejectCause, RequestChannelCloseRelease, RequestMessage, RequestMode, RequestModeAck,
    RequestModeAckResponse, RequestModeReject, RequestModeRejectCause, RequestModeRelease, ResponseMessage,
    RoundTripDelayRequest, RoundTripDelayResponse, TerminalCapabilitySet, TerminalCapabilitySetAck,
    TerminalCapabilitySetReject, TerminalCapabilitySetRejectCause,
    TerminalCapabilitySetRejectCauseTableEntryCapacityExceeded as CapacityExceeded,
    TerminalCapabilitySetRelease, UserInputIndication, UserInputIndicationSignal,
    UserInputIndicationSignalUpdate,
};
use offhook_wire::per::Oid;

pub(crate) use received::{FlowScope, OpenAck, OpenReject, Received, Returned, ReverseAck, SetReject};
pub(crate) use refusal::not_supported;

use crate::address::to_h245;
use crate::capability::{self, SetRefused, Table};
use crate::h245::msdse::Status;
use crate::{CodecOffer, LocalSession, Loop, Redundancy};

/// H.245 version 15, the one that H323Plus speaks: {itu-t(0) recommendation(0) h(8) 245 version(0) 15}.
const PROTOCOL_IDENTIFIER: Oid = Oid::new(&[0, 0, 8, 245, 0, 15]);

/// Who closes a channel (CloseLogicalChannel.source).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseSource {
    User,
    Lcse,
}

fn request(message: RequestMessage) -> Message {
    Message::Request(message)
}

fn response(message: ResponseMessage) -> Message {
    Message::Response(message.into())
}

fn command(message: CommandMessage) -> Message {
    Message::Command(message.into())
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

pub(crate) fn tcs(sequence: u8, table: Option<Table>) -> Message {
    let mut set = TerminalCapabilitySet::new(sequence, PROTOCOL_IDENTIFIER);
    // Without a table the set is empty in the sense of H.323 8.4.6: nothing but number and version.
    if let Some(Table { entries, descriptors, redundant }) = table {
        let mut h2250 = h2250_capability();
        h2250.redundancy_encoding_capability = (!redundant.is_empty()).then_some(redundant);
        set.multiplex_capability = Some(MultiplexCapability::H2250Capability(h2250.into()));
        set.capability_table = Some(entries);
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

pub(crate) fn tcs_reject(sequence: u8, refused: SetRefused) -> Message {
    let cause = match refused {
        // The set is taken as a whole or not at all.
        SetRefused::TableEntryCapacityExceeded => {
            TerminalCapabilitySetRejectCause::TableEntryCapacityExceeded(CapacityExceeded::NoneProcessed)
        }
        SetRefused::DescriptorCapacityExceeded => {
            TerminalCapabilitySetRejectCause::DescriptorCapacityExceeded
        }
        SetRefused::UndefinedTableEntryUsed => TerminalCapabilitySetRejectCause::UndefinedTableEntryUsed,
    };
    response(ResponseMessage::TerminalCapabilitySetReject(
        TerminalCapabilitySetReject::new(sequence, cause).into(),
    ))
}

pub(crate) fn tcs_release() -> Message {
    indication(IndicationMessage::TerminalCapabilitySetRelease(TerminalCapabilitySetRelease::new()))
}

/// OpenLogicalChannel of a unidirectional audio channel: RTCP address only; RTP's comes in the Ack.
/// With `redundancy` its packets have copies of those before them.
pub(crate) fn olc(
    number: u16,
    session: &LocalSession,
    offer: &CodecOffer,
    packet_ms: u16,
    redundancy: Option<Redundancy>,
) -> Message {
    let mut parameters = channel_parameters(session, offer);
    let data = match redundancy {
        None => capability::data_type(offer.codec, packet_ms),
        Some(copies) => {
            parameters.dynamic_rtp_payload_type = capability::dynamic_payload_type(copies.payload_type);
            parameters.media_packetization = Some(capability::redundant_packetization(copies));
            capability::redundant_data_type(offer, packet_ms, copies)
        }
    };
    let forward = OpenLogicalChannelForwardLogicalChannelParameters::new(
        data,
        ForwardParameters::H2250LogicalChannelParameters(parameters.into()),
    );
    request(RequestMessage::OpenLogicalChannel(OpenLogicalChannel::new(number, forward).into()))
}

/// OpenLogicalChannel of a bidirectional audio channel: what we want to receive says where, what we send is told by the
/// Ack.
pub(crate) fn olc_bidirectional(
    number: u16,
    session: &LocalSession,
    offer: &CodecOffer,
    packet_ms: u16,
) -> Message {
    let forward = OpenLogicalChannelForwardLogicalChannelParameters::new(
        capability::data_type(offer.codec, packet_ms),
        ForwardParameters::H2250LogicalChannelParameters(channel_parameters(session, offer).into()),
    );
    let mut parameters = channel_parameters(session, offer);
    parameters.media_channel = Some(to_h245(session.rtp));
    // It would speak for the sender, who is not us.
    parameters.silence_suppression = None;
    let mut reverse = OpenLogicalChannelReverseLogicalChannelParameters::new(capability::data_type(
        offer.codec,
        offer.packet_ms,
    ));
    reverse.multiplex_parameters = Some(ReverseParameters::H2250LogicalChannelParameters(parameters.into()));
    let mut open = OpenLogicalChannel::new(number, forward);
    open.reverse_logical_channel_parameters = Some(reverse);
    request(RequestMessage::OpenLogicalChannel(open.into()))
}

pub(crate) fn olc_confirm(number: u16) -> Message {
    indication(IndicationMessage::OpenLogicalChannelConfirm(OpenLogicalChannelConfirm::new(number)))
}

/// What every proposal of ours says: session, RTCP, payload type.
pub(crate) fn channel_parameters(
    session: &LocalSession,
    offer: &CodecOffer,
) -> H2250LogicalChannelParameters {
    let mut parameters = H2250LogicalChannelParameters::new(session.session_id);
    parameters.media_guaranteed_delivery = Some(false);
    parameters.media_control_channel = Some(to_h245(session.rtcp));
    parameters.silence_suppression = Some(session.silence_suppression);
    parameters.dynamic_rtp_payload_type = capability::dynamic_payload_type(offer.payload_type);
    parameters.media_packetization = capability::packetization(offer);
    parameters
}

pub(crate) fn olc_ack(number: u16, session: &LocalSession) -> Message {
    response(ResponseMessage::OpenLogicalChannelAck(ack(number, session).into()))
}

/// OpenLogicalChannelAck of a bidirectional channel: what we send in it has a number of ours.
pub(crate) fn olc_ack_bidirectional(
    number: u16,
    reverse_number: u16,
    session: &LocalSession,
    offer: &CodecOffer,
) -> Message {
    let mut reverse = OpenLogicalChannelAckReverseLogicalChannelParameters::new(reverse_number);
    let parameters = channel_parameters(session, offer);
    reverse.multiplex_parameters =
        Some(ReverseAckParameters::H2250LogicalChannelParameters(parameters.into()));
    let mut ack = ack(number, session);
    ack.reverse_logical_channel_parameters = Some(reverse);
    response(ResponseMessage::OpenLogicalChannelAck(ack.into()))
}

fn ack(number: u16, session: &LocalSession) -> OpenLogicalChannelAck {
    let mut parameters = H2250LogicalChannelAckParameters::new();
    parameters.session_id = Some(session.session_id);
    parameters.media_channel = Some(to_h245(session.rtp));
    parameters.media_control_channel = Some(to_h245(session.rtcp));
    let mut ack = OpenLogicalChannelAck::new(number);
    ack.forward_multiplex_ack_parameters =
        Some(OpenLogicalChannelAckForwardMultiplexAckParameters::H2250LogicalChannelAckParameters(
            parameters.into(),
        ));
    ack
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

/// reopen: we want the channel again, in another way.
pub(crate) fn request_close(number: u16, reopen: bool) -> Message {
    let mut close = RequestChannelClose::new(number);
    close.reason =
        Some(if reopen { RequestChannelCloseReason::Reopen } else { RequestChannelCloseReason::Normal });
    request(RequestMessage::RequestChannelClose(close.into()))
}

pub(crate) fn request_close_release(number: u16) -> Message {
    indication(IndicationMessage::RequestChannelCloseRelease(RequestChannelCloseRelease::new(number)))
}

/// Each mode is one description of one element.
pub(crate) fn request_mode(sequence: u8, modes: impl Iterator<Item = AudioMode>) -> Message {
    let modes = modes.map(|mode| vec![ModeElement::new(ModeElementType::AudioMode(mode))]);
    request(RequestMessage::RequestMode(RequestMode::new(sequence, modes.collect())))
}

pub(crate) fn request_mode_ack(sequence: u8, most_preferred: bool) -> Message {
    let answer = match most_preferred {
        true => RequestModeAckResponse::WillTransmitMostPreferredMode,
        false => RequestModeAckResponse::WillTransmitLessPreferredMode,
    };
    response(ResponseMessage::RequestModeAck(RequestModeAck::new(sequence, answer)))
}

pub(crate) fn request_mode_reject(sequence: u8) -> Message {
    let cause = RequestModeRejectCause::ModeUnavailable;
    response(ResponseMessage::RequestModeReject(RequestModeReject::new(sequence, cause)))
}

pub(crate) fn request_mode_release() -> Message {
    indication(IndicationMessage::RequestModeRelease(RequestModeRelease::default()))
}

pub(crate) fn loop_request(looped: Loop) -> Message {
    let kind = match looped {
        Loop::System => MaintenanceLoopRequestType::SystemLoop,
        Loop::Media(number) => MaintenanceLoopRequestType::MediaLoop(number),
        Loop::LogicalChannel(number) => MaintenanceLoopRequestType::LogicalChannelLoop(number),
    };
    request(RequestMessage::MaintenanceLoopRequest(MaintenanceLoopRequest::new(kind)))
}

pub(crate) fn loop_ack(looped: Loop) -> Message {
    let kind = match looped {
        Loop::System => MaintenanceLoopAckType::SystemLoop,
        Loop::Media(number) => MaintenanceLoopAckType::MediaLoop(number),
        Loop::LogicalChannel(number) => MaintenanceLoopAckType::LogicalChannelLoop(number),
    };
    response(ResponseMessage::MaintenanceLoopAck(MaintenanceLoopAck::new(kind)))
}

pub(crate) fn loop_reject(looped: Loop) -> Message {
    let kind = match looped {
        Loop::System => MaintenanceLoopRejectType::SystemLoop,
        Loop::Media(number) => MaintenanceLoopRejectType::MediaLoop(number),
        Loop::LogicalChannel(number) => MaintenanceLoopRejectType::LogicalChannelLoop(number),
    };
    let cause = MaintenanceLoopRejectCause::CanNotPerformLoop;
    response(ResponseMessage::MaintenanceLoopReject(MaintenanceLoopReject::new(kind, cause).into()))
}

pub(crate) fn loop_off() -> Message {
    command(CommandMessage::MaintenanceLoopOffCommand(MaintenanceLoopOffCommand::default()))
}

pub(crate) fn rate_ack(asked: &LogicalChannelRateRequest) -> Message {
    response(ResponseMessage::LogicalChannelRateAcknowledge(LogicalChannelRateAcknowledge::new(
        asked.sequence_number,
        asked.logical_channel_number,
        asked.maximum_bit_rate,
    )))
}

/// `current` in units of 100 bit/s.
pub(crate) fn rate_reject(asked: &LogicalChannelRateRequest, current: Option<u32>) -> Message {
    let mut reject = LogicalChannelRateReject::new(
        asked.sequence_number,
        asked.logical_channel_number,
        LogicalChannelRateRejectReason::UndefinedReason,
    );
    reject.current_maximum_bit_rate = current;
    response(ResponseMessage::LogicalChannelRateReject(reject.into()))
}

/// `limit` in units of 100 bit/s.
pub(crate) fn flow_control(number: u16, limit: Option<u32>) -> Message {
    let restriction = match limit {
        Some(limit) => FlowControlCommandRestriction::MaximumBitRate(limit.min(0x00ff_ffff)),
        None => FlowControlCommandRestriction::NoRestriction,
    };
    let scope = FlowControlCommandScope::LogicalChannelNumber(number);
    command(CommandMessage::FlowControlCommand(FlowControlCommand::new(scope, restriction).into()))
}

pub(crate) fn channel_active(number: u16, active: bool) -> Message {
    let kind = match active {
        true => MiscellaneousIndicationType::LogicalChannelActive,
        false => MiscellaneousIndicationType::LogicalChannelInactive,
    };
    indication(IndicationMessage::MiscellaneousIndication(MiscellaneousIndication::new(number, kind)))
}

pub(crate) fn rtd_request(sequence: u8) -> Message {
    request(RequestMessage::RoundTripDelayRequest(RoundTripDelayRequest::new(sequence)))
}

pub(crate) fn rtd_response(sequence: u8) -> Message {
    response(ResponseMessage::RoundTripDelayResponse(RoundTripDelayResponse::new(sequence)))
}

pub(crate) fn end_session() -> Message {
    command(CommandMessage::EndSessionCommand(EndSessionCommand::Disconnect))
}

pub(crate) fn alphanumeric(text: &str) -> Message {
    indication(IndicationMessage::UserInput(UserInputIndication::Alphanumeric(text.to_owned())))
}

/// Without a duration the tone sounds until an update, or as long as the receiver likes.
pub(crate) fn signal(digit: char, duration_ms: Option<u16>) -> Message {
    let mut signal = UserInputIndicationSignal::new(digit.to_string());
    signal.duration = duration_ms.map(|ms| ms.max(1));
    indication(IndicationMessage::UserInput(UserInputIndication::Signal(signal.into())))
}

pub(crate) fn signal_update(duration_ms: u16) -> Message {
    let update = UserInputIndicationSignalUpdate::new(duration_ms.max(1));
    indication(IndicationMessage::UserInput(UserInputIndication::SignalUpdate(update)))
}
