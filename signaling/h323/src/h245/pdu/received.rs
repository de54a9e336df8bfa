//! A decoded MultimediaSystemControlMessage ─▶ what it asks of our procedures.
//! Whatever asks for something that we do not do becomes [`Received::Refuse`] (`refusal`); what only informs
//! is tolerated.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h245::{
    CommandMessage, FlowControlCommandRestriction, FlowControlCommandScope, FunctionNotSupported,
    FunctionNotSupportedCause, FunctionNotUnderstood, IndicationMessage, LogicalChannelRateRequest,
    MaintenanceLoopAckType, MaintenanceLoopRejectType, MaintenanceLoopRequestType,
    MasterSlaveDeterminationAckDecision, MiscellaneousCommandType, MiscellaneousIndicationType,
    MultimediaSystemControlMessage as Message, OpenLogicalChannelAck,
    OpenLogicalChannelAckForwardMultiplexAckParameters, OpenLogicalChannelAckReverseLogicalChannelParameters,
    OpenLogicalChannelAckReverseLogicalChannelParametersMultiplexParameters as ReverseAckParameters,
    OpenLogicalChannelRejectCause, RequestChannelCloseReason, RequestMessage, RequestMode,
    RequestModeAckResponse, ResponseMessage, TerminalCapabilitySet, TerminalCapabilitySetRejectCause,
    TerminalCapabilitySetRejectCauseTableEntryCapacityExceeded as CapacityExceeded, UserInputIndication,
};
use offhook_wire::per;

use super::refusal::{not_supported, refuse_command, refuse_request};
use crate::address::from_h245;
use crate::capability::OpenChannel;
use crate::h245::msdse::Status;
use crate::{Loop, MediaCommand};

/// The most octets of a returned function that are looked into.
const MAX_RETURNED: usize = 4096;

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
    TcsReject {
        sequence: u8,
        cause: SetReject,
    },
    /// sendTerminalCapabilitySet: the peer wants to hear our set again.
    SendTcs,
    Open(Box<OpenChannel>),
    OpenAck(OpenAck),
    OpenReject {
        number: u16,
        cause: OpenReject,
    },
    /// OpenLogicalChannelConfirm: the peer's bidirectional channel stands.
    OpenConfirm(u16),
    Close(u16),
    CloseAck(u16),
    RequestClose {
        number: u16,
        reopen: bool,
    },
    RequestCloseAck(u16),
    RequestCloseReject(u16),
    RtdRequest(u8),
    RtdResponse(u8),
    RequestMode(Box<RequestMode>),
    ModeAck {
        sequence: u8,
        most_preferred: bool,
    },
    ModeReject(u8),
    LoopRequest(Loop),
    LoopAck(Loop),
    LoopReject(Loop),
    LoopOff,
    Rate(LogicalChannelRateRequest),
    FlowControl {
        scope: FlowScope,
        /// In units of 100 bit/s.
        limit: Option<u32>,
    },
    MediaCommand {
        channel: u16,
        command: MediaCommand,
    },
    /// logicalChannelActive, logicalChannelInactive.
    Active {
        channel: u16,
        active: bool,
    },
    EndSession,
    Alphanumeric {
        text: String,
        /// The same keys are in RTP.
        in_rtp: bool,
    },
    Signal {
        digit: char,
        duration: Option<Duration>,
        in_rtp: bool,
    },
    SignalUpdate(Duration),
    /// functionNotUnderstood or functionNotSupported: this of ours.
    Returned(Returned),
    /// Answer with this.
    Refuse(Box<Message>),
    Tolerated,
}

/// What of our set the peer could not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetReject {
    /// Entries up to this number were taken; zero: none.
    Table(u16),
    Other,
}

/// What a FlowControlCommand is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlowScope {
    Channel(u16),
    Whole,
}

/// A message of ours that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Returned {
    Msd,
    Tcs,
    Open(u16),
    Close(u16),
    RequestClose(u16),
    RequestMode,
    Rtd,
    Loop,
    /// UserInputIndication signal of this key.
    Signal(char),
    Other(&'static str),
}

impl Returned {
    /// The name of the standard.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Msd => "masterSlaveDetermination",
            Self::Tcs => "terminalCapabilitySet",
            Self::Open(_) => "openLogicalChannel",
            Self::Close(_) => "closeLogicalChannel",
            Self::RequestClose(_) => "requestChannelClose",
            Self::RequestMode => "requestMode",
            Self::Rtd => "roundTripDelayRequest",
            Self::Loop => "maintenanceLoopRequest",
            Self::Signal(_) => "userInput.signal",
            Self::Other(name) => name,
        }
    }
}

/// OpenLogicalChannelAck, as far as it is about the forward channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenAck {
    pub(crate) number: u16,
    pub(crate) media: Option<SocketAddr>,
    pub(crate) media_control: Option<SocketAddr>,
    pub(crate) payload_type: Option<u8>,
    /// flowControlToZero: nothing may be sent until a FlowControlCommand lifts it.
    pub(crate) stopped: bool,
    /// The reverse direction of a bidirectional channel of ours.
    pub(crate) reverse: Option<ReverseAck>,
}

/// The reverse direction, as the peer that sends in it describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReverseAck {
    pub(crate) number: u16,
    pub(crate) media_control: Option<SocketAddr>,
    pub(crate) payload_type: Option<u8>,
}

/// Why a channel is not opened (OpenLogicalChannelReject.cause).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenReject {
    Unspecified,
    UnsuitableReverseParameters,
    DataTypeNotSupported,
    DataTypeNotAvailable,
    UnknownDataType,
    DataTypeAlCombinationNotSupported,
    MulticastChannelNotAllowed,
    InsufficientBandwidth,
    SeparateStackEstablishmentFailed,
    InvalidSessionId,
    MasterSlaveConflict,
    WaitForCommunicationMode,
    InvalidDependentChannel,
    ReplacementForRejected,
    SecurityDenied,
    QosControlNotSupported,
}

macro_rules! open_reject {
    ($( $ours:ident = $wire:ident, )*) => {
        impl From<&OpenLogicalChannelRejectCause> for OpenReject {
            fn from(cause: &OpenLogicalChannelRejectCause) -> Self {
                match cause {
                    $( OpenLogicalChannelRejectCause::$wire => Self::$ours, )*
                    OpenLogicalChannelRejectCause::Unrecognized(_) => Self::Unspecified,
                }
            }
        }

        impl From<OpenReject> for OpenLogicalChannelRejectCause {
            fn from(cause: OpenReject) -> Self {
                match cause {
                    $( OpenReject::$ours => Self::$wire, )*
                }
            }
        }
    };
}

open_reject! {
    Unspecified = Unspecified,
    UnsuitableReverseParameters = UnsuitableReverseParameters,
    DataTypeNotSupported = DataTypeNotSupported,
    DataTypeNotAvailable = DataTypeNotAvailable,
    UnknownDataType = UnknownDataType,
    DataTypeAlCombinationNotSupported = DataTypeALCombinationNotSupported,
    MulticastChannelNotAllowed = MulticastChannelNotAllowed,
    InsufficientBandwidth = InsufficientBandwidth,
    SeparateStackEstablishmentFailed = SeparateStackEstablishmentFailed,
    InvalidSessionId = InvalidSessionID,
    MasterSlaveConflict = MasterSlaveConflict,
    WaitForCommunicationMode = WaitForCommunicationMode,
    InvalidDependentChannel = InvalidDependentChannel,
    ReplacementForRejected = ReplacementForRejected,
    SecurityDenied = SecurityDenied,
    QosControlNotSupported = QoSControlNotSupported,
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        match message {
            Message::Request(request) => from_request(request),
            Message::Response(response) => from_response(&response),
            Message::Command(command) => from_command(*command),
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
        RequestMessage::RequestMode(request) => Received::RequestMode(Box::new(request.clone())),
        RequestMessage::MaintenanceLoopRequest(request) => match &request.r#type {
            MaintenanceLoopRequestType::SystemLoop => Received::LoopRequest(Loop::System),
            MaintenanceLoopRequestType::MediaLoop(number) => Received::LoopRequest(Loop::Media(*number)),
            MaintenanceLoopRequestType::LogicalChannelLoop(number) => {
                Received::LoopRequest(Loop::LogicalChannel(*number))
            }
            MaintenanceLoopRequestType::Unrecognized(_) => refuse_request(message),
        },
        RequestMessage::LogicalChannelRateRequest(request) => Received::Rate(request.clone()),
        _ => refuse_request(message),
    }
}

fn from_response(message: &ResponseMessage) -> Received {
    match message {
        ResponseMessage::MasterSlaveDeterminationAck(ack) => Received::MsdAck(match ack.decision {
            MasterSlaveDeterminationAckDecision::Master => Status::Master,
            MasterSlaveDeterminationAckDecision::Slave => Status::Slave,
        }),
        ResponseMessage::MasterSlaveDeterminationReject(_) => Received::MsdReject,
        ResponseMessage::TerminalCapabilitySetAck(ack) => Received::TcsAck(ack.sequence_number),
        ResponseMessage::TerminalCapabilitySetReject(reject) => Received::TcsReject {
            sequence: reject.sequence_number,
            cause: match &reject.cause {
                TerminalCapabilitySetRejectCause::TableEntryCapacityExceeded(exceeded) => match exceeded {
                    CapacityExceeded::HighestEntryNumberProcessed(number) => SetReject::Table(*number),
                    CapacityExceeded::NoneProcessed => SetReject::Table(0),
                },
                _ => SetReject::Other,
            },
        },
        ResponseMessage::OpenLogicalChannelAck(ack) => Received::OpenAck(OpenAck::from(&**ack)),
        ResponseMessage::OpenLogicalChannelReject(reject) => Received::OpenReject {
            number: reject.forward_logical_channel_number,
            cause: OpenReject::from(&reject.cause),
        },
        ResponseMessage::CloseLogicalChannelAck(ack) => {
            Received::CloseAck(ack.forward_logical_channel_number)
        }
        ResponseMessage::RequestChannelCloseAck(ack) => {
            Received::RequestCloseAck(ack.forward_logical_channel_number)
        }
        ResponseMessage::RequestChannelCloseReject(reject) => {
            Received::RequestCloseReject(reject.forward_logical_channel_number)
        }
        ResponseMessage::RoundTripDelayResponse(response) => Received::RtdResponse(response.sequence_number),
        ResponseMessage::RequestModeAck(ack) => Received::ModeAck {
            sequence: ack.sequence_number,
            most_preferred: ack.response == RequestModeAckResponse::WillTransmitMostPreferredMode,
        },
        ResponseMessage::RequestModeReject(reject) => Received::ModeReject(reject.sequence_number),
        ResponseMessage::MaintenanceLoopAck(ack) => match &ack.r#type {
            MaintenanceLoopAckType::SystemLoop => Received::LoopAck(Loop::System),
            MaintenanceLoopAckType::MediaLoop(number) => Received::LoopAck(Loop::Media(*number)),
            MaintenanceLoopAckType::LogicalChannelLoop(number) => {
                Received::LoopAck(Loop::LogicalChannel(*number))
            }
            MaintenanceLoopAckType::Unrecognized(_) => Received::Tolerated,
        },
        ResponseMessage::MaintenanceLoopReject(reject) => match &reject.r#type {
            MaintenanceLoopRejectType::SystemLoop => Received::LoopReject(Loop::System),
            MaintenanceLoopRejectType::MediaLoop(number) => Received::LoopReject(Loop::Media(*number)),
            MaintenanceLoopRejectType::LogicalChannelLoop(number) => {
                Received::LoopReject(Loop::LogicalChannel(*number))
            }
            MaintenanceLoopRejectType::Unrecognized(_) => Received::Tolerated,
        },
        // Answers to what we never ask. H.245 has no answer to an answer.
        _ => Received::Tolerated,
    }
}

fn from_command(message: CommandMessage) -> Received {
    match &message {
        CommandMessage::EndSessionCommand(_) => Received::EndSession,
        CommandMessage::SendTerminalCapabilitySet(_) => Received::SendTcs,
        CommandMessage::MaintenanceLoopOffCommand(_) => Received::LoopOff,
        CommandMessage::FlowControlCommand(command) => {
            let scope = match command.scope {
                FlowControlCommandScope::LogicalChannelNumber(number) => FlowScope::Channel(number),
                FlowControlCommandScope::WholeMultiplex => FlowScope::Whole,
                // Resources are virtual channels of ATM: we have none.
                FlowControlCommandScope::ResourceID(_) => return refuse_command(message),
            };
            let limit = match command.restriction {
                FlowControlCommandRestriction::MaximumBitRate(rate) => Some(rate),
                FlowControlCommandRestriction::NoRestriction => None,
            };
            Received::FlowControl { scope, limit }
        }
        CommandMessage::MiscellaneousCommand(command) => {
            let channel = command.logical_channel_number;
            let command = match &command.r#type {
                MiscellaneousCommandType::EqualiseDelay => MediaCommand::EqualiseDelay,
                MiscellaneousCommandType::ZeroDelay => MediaCommand::ZeroDelay,
                MiscellaneousCommandType::MultipointModeCommand => MediaCommand::MultipointMode,
                MiscellaneousCommandType::CancelMultipointModeCommand => MediaCommand::CancelMultipointMode,
                MiscellaneousCommandType::SwitchReceiveMediaOff => MediaCommand::SwitchReceiveMediaOff,
                MiscellaneousCommandType::SwitchReceiveMediaOn => MediaCommand::SwitchReceiveMediaOn,
                // Pictures, encryption, H.223.
                _ => return refuse_command(message),
            };
            Received::MediaCommand { channel, command }
        }
        _ => refuse_command(message),
    }
}

fn from_indication(message: &IndicationMessage) -> Received {
    match message {
        IndicationMessage::MasterSlaveDeterminationRelease(_) => Received::MsdRelease,
        IndicationMessage::OpenLogicalChannelConfirm(confirm) => {
            Received::OpenConfirm(confirm.forward_logical_channel_number)
        }
        IndicationMessage::UserInput(input) => from_user_input(input),
        IndicationMessage::MiscellaneousIndication(indication) => {
            let channel = indication.logical_channel_number;
            match indication.r#type {
                MiscellaneousIndicationType::LogicalChannelActive => {
                    Received::Active { channel, active: true }
                }
                MiscellaneousIndicationType::LogicalChannelInactive => {
                    Received::Active { channel, active: false }
                }
                _ => Received::Tolerated,
            }
        }
        IndicationMessage::FunctionNotUnderstood(function) => Received::Returned(match &**function {
            FunctionNotUnderstood::Request(request) => returned_request(request),
            FunctionNotUnderstood::Response(_) => Returned::Other("response"),
            FunctionNotUnderstood::Command(_) => Returned::Other("command"),
        }),
        IndicationMessage::FunctionNotSupported(function) => Received::Returned(returned(function)),
        // The releases of requests (CESE, CLCSE, MRSE): our answers leave in the turn of the request, so that the
        // incoming machine is never in between. Jitter, skew, conference, vendor and flow control indications say
        // nothing that a telephone acts on.
        _ => Received::Tolerated,
    }
}

fn returned(function: &FunctionNotSupported) -> Returned {
    let octets: Option<&Bytes> = function.returned_function.as_ref().filter(|o| o.len() <= MAX_RETURNED);
    match octets.and_then(|octets| per::decode::<Message>(octets).ok()) {
        Some(message) => match &*message {
            Message::Request(request) => returned_request(request),
            Message::Response(_) => Returned::Other("response"),
            Message::Command(_) => Returned::Other("command"),
            Message::Indication(indication) => match &**indication {
                IndicationMessage::UserInput(UserInputIndication::Signal(signal)) => {
                    signal.signal_type.chars().next().map_or(Returned::Other("userInput"), Returned::Signal)
                }
                _ => Returned::Other("indication"),
            },
            Message::Unrecognized(_) => Returned::Other("unknown"),
        },
        None => Returned::Other("unknown"),
    }
}

fn returned_request(request: &RequestMessage) -> Returned {
    match request {
        RequestMessage::MasterSlaveDetermination(_) => Returned::Msd,
        RequestMessage::TerminalCapabilitySet(_) => Returned::Tcs,
        RequestMessage::OpenLogicalChannel(open) => Returned::Open(open.forward_logical_channel_number),
        RequestMessage::CloseLogicalChannel(close) => Returned::Close(close.forward_logical_channel_number),
        RequestMessage::RequestChannelClose(close) => {
            Returned::RequestClose(close.forward_logical_channel_number)
        }
        RequestMessage::RequestMode(_) => Returned::RequestMode,
        RequestMessage::RoundTripDelayRequest(_) => Returned::Rtd,
        RequestMessage::MaintenanceLoopRequest(_) => Returned::Loop,
        _ => Returned::Other("request"),
    }
}

fn from_user_input(input: &UserInputIndication) -> Received {
    match input {
        UserInputIndication::Alphanumeric(text) => {
            Received::Alphanumeric { text: text.clone(), in_rtp: false }
        }
        UserInputIndication::ExtendedAlphanumeric(input) => Received::Alphanumeric {
            text: input.alphanumeric.clone(),
            in_rtp: input.rtp_payload_indication.is_some(),
        },
        UserInputIndication::Signal(signal) => match signal.signal_type.chars().next() {
            Some(digit) => Received::Signal {
                digit,
                duration: signal.duration.map(|ms| Duration::from_millis(u64::from(ms))),
                in_rtp: signal.rtp_payload_indication.is_some(),
            },
            None => Received::Tolerated,
        },
        UserInputIndication::SignalUpdate(update) => {
            Received::SignalUpdate(Duration::from_millis(u64::from(update.duration)))
        }
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
            stopped: parameters.is_some_and(|p| p.flow_control_to_zero == Some(true)),
            reverse: ack.reverse_logical_channel_parameters.as_ref().map(ReverseAck::from),
        }
    }
}

impl From<&OpenLogicalChannelAckReverseLogicalChannelParameters> for ReverseAck {
    fn from(reverse: &OpenLogicalChannelAckReverseLogicalChannelParameters) -> Self {
        let parameters = match &reverse.multiplex_parameters {
            Some(ReverseAckParameters::H2250LogicalChannelParameters(parameters)) => Some(&**parameters),
            _ => None,
        };
        Self {
            number: reverse.reverse_logical_channel_number,
            media_control: parameters.and_then(|p| p.media_control_channel.as_ref()).and_then(from_h245),
            payload_type: parameters.and_then(|p| p.dynamic_rtp_payload_type),
        }
    }
}
