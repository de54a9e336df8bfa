//! Call signalling messages, built and read.
//! In: the call's identity and what a message is to say. Out: [`CallSignal`]s; and from received ones
//! what several kinds of message say alike ([`Common`]).
//! Not here: when a message is sent or allowed (`outgoing`, `incoming`, `signal`, `release`).

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_wire::h225::{
    AlertingUuie, CallIdentifier, CallProceedingUuie, CallType, ConnectUuie, EndpointType, FacilityReason,
    FacilityUuie, H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body, InformationUuie,
    NotifyUuie, ProgressUuie, ReleaseCompleteReason, ReleaseCompleteUuie, SetupAcknowledgeUuie, SetupUuie,
    StatusInquiryUuie, StatusUuie, TerminalInfo,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::Oid;
use offhook_wire::q931::{
    BearerCapability, CallReference, CallState as CallStateElement, CalledPartyNumber, Cause, CauseElement,
    Display, InformationElement, KeypadFacility, Location, Message, MessageType, NotificationIndicator,
    Presentation, ProgressIndicator, Screening,
};

use crate::address::{aliases_to, from_h225, to_h225};
use crate::number::{presentation_to, screening_to};
use crate::product::{PROTOCOL_IDENTIFIER, vendor_identifier};
use crate::{
    Alias, CallState, ConferenceGoal, Config, Number, PeerInfo, Redirecting, ReleaseReason, UserUser, Vendor,
};

/// What every message of a call says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) call_reference: CallReference,
    pub(super) call_identifier: [u8; 16],
    pub(super) conference_id: [u8; 16],
}

/// What Setup says beyond the identity.
pub(super) struct Setup<'a> {
    pub(super) destination: Option<&'a Alias>,
    pub(super) source_address: Option<SocketAddr>,
    pub(super) destination_address: SocketAddr,
    pub(super) h245_address: Option<SocketAddr>,
    pub(super) fast_start: Option<Vec<Bytes>>,
    pub(super) goal: ConferenceGoal,
    /// More digits may follow.
    pub(super) overlap: bool,
    pub(super) withhold_identity: bool,
    pub(super) redirecting: Option<&'a Redirecting>,
    pub(super) user_user: Option<&'a UserUser>,
}

/// What the answers to Setup may carry for fast connect and H.245.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) h245_address: Option<SocketAddr>,
    pub(super) fast_start: Option<Vec<Bytes>>,
    pub(super) fast_connect_refused: bool,
    pub(super) user_user: Option<UserUser>,
}

impl Identity {
    fn call_identifier(&self) -> CallIdentifier {
        CallIdentifier::new(self.call_identifier)
    }

    fn signal(&self, kind: MessageType, body: Body) -> CallSignal {
        let uuie = H323UserInformation::new(H323UuPdu::new(body));
        CallSignal { q931: Message::new(kind, self.call_reference), uuie: Some(uuie.into()) }
    }

    pub(super) fn setup(&self, config: &Config, setup: Setup<'_>) -> CallSignal {
        let mut uuie = SetupUuie::new(
            PROTOCOL_IDENTIFIER,
            endpoint(&config.vendor),
            false,
            self.conference_id,
            setup.goal.to_uuie(),
            CallType::PointToPoint,
        );
        uuie.h245_address = setup.h245_address.map(to_h225);
        uuie.source_address = aliases_to(&config.aliases);
        uuie.destination_address =
            setup.destination.and_then(|alias| aliases_to(std::slice::from_ref(alias)));
        uuie.dest_call_signal_address = Some(to_h225(setup.destination_address));
        uuie.source_call_signal_address = setup.source_address.map(to_h225);
        uuie.call_identifier = Some(self.call_identifier());
        uuie.media_wait_for_connect = Some(false);
        uuie.can_overlap_send = Some(setup.overlap);
        uuie.fast_start = setup.fast_start;
        uuie.multiple_calls = Some(config.multiple_calls);
        uuie.maintain_connection = Some(config.maintain_connection);
        let mut number = own_number(config);
        if setup.withhold_identity {
            uuie.presentation_indicator = Some(presentation_to(Presentation::Restricted));
            uuie.screening_indicator = Some(screening_to(Screening::UserProvidedNotScreened));
            if let Some(number) = &mut number {
                number.presentation = Presentation::Restricted;
            }
        } else if let Some(number) = config.number.as_ref() {
            uuie.presentation_indicator = Some(presentation_to(number.presentation));
            uuie.screening_indicator = Some(screening_to(number.screening));
        }
        let mut signal = self.signal(MessageType::SETUP, Body::Setup(uuie.into()));
        let called = setup.destination.and_then(digits);
        signal.q931 = signal.q931.with(&BearerCapability::voice(BearerCapability::H221_H242));
        if let Some(number) = number {
            signal.q931 = signal.q931.with(&number.to_calling());
        }
        if let Some(called) = called {
            signal.q931 = signal.q931.with(&CalledPartyNumber::new(called));
        }
        if let Some(redirecting) = setup.redirecting {
            signal.q931 = signal.q931.with(&redirecting.to_element());
        }
        let signal = with_user_user(signal, setup.user_user);
        // The name is no less the caller's identity than the number.
        if setup.withhold_identity { signal } else { with_display(signal, config) }
    }

    pub(super) fn call_proceeding(&self, config: &Config, answer: Answer) -> CallSignal {
        let mut uuie = CallProceedingUuie::new(PROTOCOL_IDENTIFIER, endpoint(&config.vendor));
        uuie.call_identifier = Some(self.call_identifier());
        uuie.fast_start = answer.fast_start;
        uuie.fast_connect_refused = answer.fast_connect_refused.then_some(());
        uuie.multiple_calls = Some(config.multiple_calls);
        uuie.maintain_connection = Some(config.maintain_connection);
        let signal = self.signal(MessageType::CALL_PROCEEDING, Body::CallProceeding(uuie.into()));
        with_display(with_user_user(signal, answer.user_user.as_ref()), config)
    }

    pub(super) fn alerting(&self, config: &Config, answer: Answer) -> CallSignal {
        let mut uuie = AlertingUuie::new(PROTOCOL_IDENTIFIER, endpoint(&config.vendor));
        uuie.call_identifier = Some(self.call_identifier());
        uuie.h245_address = answer.h245_address.map(to_h225);
        uuie.fast_start = answer.fast_start;
        uuie.fast_connect_refused = answer.fast_connect_refused.then_some(());
        uuie.multiple_calls = Some(config.multiple_calls);
        uuie.maintain_connection = Some(config.maintain_connection);
        uuie.alerting_address = aliases_to(&config.aliases);
        let signal = self.signal(MessageType::ALERTING, Body::Alerting(uuie.into()));
        with_display(with_user_user(signal, answer.user_user.as_ref()), config)
    }

    pub(super) fn connect(&self, config: &Config, answer: Answer) -> CallSignal {
        let mut uuie = ConnectUuie::new(PROTOCOL_IDENTIFIER, endpoint(&config.vendor), self.conference_id);
        uuie.call_identifier = Some(self.call_identifier());
        uuie.h245_address = answer.h245_address.map(to_h225);
        uuie.fast_start = answer.fast_start;
        uuie.fast_connect_refused = answer.fast_connect_refused.then_some(());
        uuie.multiple_calls = Some(config.multiple_calls);
        uuie.maintain_connection = Some(config.maintain_connection);
        uuie.connected_address = aliases_to(&config.aliases);
        if let Some(number) = &config.number {
            uuie.presentation_indicator = Some(presentation_to(number.presentation));
            uuie.screening_indicator = Some(screening_to(number.screening));
        }
        let mut signal = self.signal(MessageType::CONNECT, Body::Connect(uuie.into()));
        signal.q931 = signal.q931.with(&BearerCapability::voice(BearerCapability::H221_H242));
        if let Some(number) = own_number(config) {
            signal.q931 = signal.q931.with(&number.to_connected());
        }
        with_display(with_user_user(signal, answer.user_user.as_ref()), config)
    }

    /// Progress, with what an answer to fast connect says.
    pub(super) fn progress(&self, config: &Config, description: u8, answer: Answer) -> CallSignal {
        let endpoint = endpoint(&config.vendor);
        let mut uuie = ProgressUuie::new(PROTOCOL_IDENTIFIER, endpoint, self.call_identifier());
        uuie.h245_address = answer.h245_address.map(to_h225);
        uuie.fast_start = answer.fast_start;
        uuie.fast_connect_refused = answer.fast_connect_refused.then_some(());
        uuie.multiple_calls = Some(config.multiple_calls);
        uuie.maintain_connection = Some(config.maintain_connection);
        let mut signal = self.signal(MessageType::PROGRESS, Body::Progress(uuie.into()));
        signal.q931 = signal.q931.with(&ProgressIndicator::new(Location::USER, description));
        with_user_user(signal, answer.user_user.as_ref())
    }

    pub(super) fn setup_acknowledge(&self) -> CallSignal {
        let uuie = SetupAcknowledgeUuie::new(PROTOCOL_IDENTIFIER, self.call_identifier());
        self.signal(MessageType::SETUP_ACKNOWLEDGE, Body::SetupAcknowledge(uuie.into()))
    }

    /// More digits of the called number (Q.931 5.1.3).
    pub(super) fn called_digits(&self, digits: &str, complete: bool) -> CallSignal {
        let mut uuie = InformationUuie::new(PROTOCOL_IDENTIFIER);
        uuie.call_identifier = Some(self.call_identifier());
        let mut signal = self.signal(MessageType::INFORMATION, Body::Information(uuie.into()));
        if !digits.is_empty() {
            signal.q931 = signal.q931.with(&CalledPartyNumber::new(digits));
        }
        if complete {
            signal.q931.insert(InformationElement::SENDING_COMPLETE);
        }
        signal
    }

    pub(super) fn notify(&self, indicator: &NotificationIndicator) -> CallSignal {
        let uuie = NotifyUuie::new(PROTOCOL_IDENTIFIER, self.call_identifier());
        let mut signal = self.signal(MessageType::NOTIFY, Body::Notify(uuie.into()));
        signal.q931 = signal.q931.with(indicator);
        signal
    }

    /// Information that carries user-user information and nothing else.
    pub(super) fn user_user(&self, data: &UserUser) -> CallSignal {
        let mut uuie = InformationUuie::new(PROTOCOL_IDENTIFIER);
        uuie.call_identifier = Some(self.call_identifier());
        let signal = self.signal(MessageType::INFORMATION, Body::Information(uuie.into()));
        with_user_user(signal, Some(data))
    }

    /// Facility callForwarded or routeCallToGatekeeper: call there instead (H.323 8.1.10).
    pub(super) fn forward(
        &self,
        reason: FacilityReason,
        address: Option<SocketAddr>,
        aliases: &[Alias],
    ) -> CallSignal {
        let mut uuie = FacilityUuie::new(PROTOCOL_IDENTIFIER, reason);
        uuie.call_identifier = Some(self.call_identifier());
        uuie.alternative_address = address.map(to_h225);
        uuie.alternative_alias_address = aliases_to(aliases);
        self.signal(MessageType::FACILITY, Body::Facility(uuie.into()))
    }

    /// Facility that brings the answer to fast connect after CallProceeding has left without it (H.225.0: reason
    /// forwardedElements).
    pub(super) fn forwarded_elements(&self, answer: Answer) -> CallSignal {
        let mut uuie = FacilityUuie::new(PROTOCOL_IDENTIFIER, FacilityReason::ForwardedElements);
        uuie.call_identifier = Some(self.call_identifier());
        uuie.fast_start = answer.fast_start;
        uuie.fast_connect_refused = answer.fast_connect_refused.then_some(());
        with_user_user(
            self.signal(MessageType::FACILITY, Body::Facility(uuie.into())),
            answer.user_user.as_ref(),
        )
    }

    pub(super) fn status_inquiry(&self) -> CallSignal {
        let uuie = StatusInquiryUuie::new(PROTOCOL_IDENTIFIER, self.call_identifier());
        self.signal(MessageType::STATUS_INQUIRY, Body::StatusInquiry(uuie.into()))
    }

    /// Facility startH245: connect your H.245 to here (H.323 8.2).
    pub(super) fn start_h245(&self, address: SocketAddr) -> CallSignal {
        let mut uuie = FacilityUuie::new(PROTOCOL_IDENTIFIER, FacilityReason::StartH245);
        uuie.call_identifier = Some(self.call_identifier());
        uuie.h245_address = Some(to_h225(address));
        self.signal(MessageType::FACILITY, Body::Facility(uuie.into()))
    }

    /// Facility with an empty body, the wrapper of tunnelled H.245 (H.323 8.2.1).
    pub(super) fn wrapper(&self) -> CallSignal {
        let mut signal = self.signal(MessageType::FACILITY, Body::Empty);
        // H.225.0 table 19: the Facility element is mandatory, and empty when it says nothing.
        signal.q931.insert(offhook_wire::q931::InformationElement::variable(
            offhook_wire::q931::ElementId::FACILITY,
            Bytes::new(),
        ));
        signal
    }

    pub(super) fn information(&self, keys: &str) -> CallSignal {
        let mut uuie = InformationUuie::new(PROTOCOL_IDENTIFIER);
        uuie.call_identifier = Some(self.call_identifier());
        let mut signal = self.signal(MessageType::INFORMATION, Body::Information(uuie.into()));
        signal.q931 = signal.q931.with(&KeypadFacility::new(keys));
        signal
    }

    pub(super) fn status(&self, cause: Cause, diagnostics: Bytes, state: CallState) -> CallSignal {
        let uuie = StatusUuie::new(PROTOCOL_IDENTIFIER, self.call_identifier());
        let mut signal = self.signal(MessageType::STATUS, Body::Status(uuie.into()));
        let mut element = CauseElement::new(Location::USER, cause);
        element.diagnostics = diagnostics;
        signal.q931 = signal.q931.with(&element).with(&CallStateElement::new(state.number()));
        signal
    }

    pub(super) fn release_complete(
        &self,
        cause: Cause,
        reason: Option<ReleaseReason>,
        user_user: Option<&UserUser>,
    ) -> CallSignal {
        let mut uuie = ReleaseCompleteUuie::new(PROTOCOL_IDENTIFIER);
        uuie.reason = reason.and_then(reason_to);
        uuie.call_identifier = Some(self.call_identifier());
        let mut signal = self.signal(MessageType::RELEASE_COMPLETE, Body::ReleaseComplete(uuie.into()));
        signal.q931 = signal.q931.with(&CauseElement::new(Location::USER, cause));
        with_user_user(signal, user_user)
    }
}

/// Our number as configured, else the first alias that has digits.
pub(super) fn own_number(config: &Config) -> Option<Number> {
    config.number.clone().or_else(|| config.aliases.iter().find_map(digits).map(Number::new))
}

fn with_user_user(mut signal: CallSignal, data: Option<&UserUser>) -> CallSignal {
    if let (Some(uuie), Some(data)) = (&mut signal.uuie, data) {
        uuie.user_data = Some(data.to_uuie());
    }
    signal
}

/// The digits of an alias that has nothing else.
pub(super) fn digits(alias: &Alias) -> Option<&str> {
    match alias {
        Alias::DialedDigits(digits) | Alias::PartyNumber(digits) => Some(digits),
        _ => None,
    }
}

fn with_display(mut signal: CallSignal, config: &Config) -> CallSignal {
    if !config.display.is_empty() {
        let mut text = config.display.clone();
        while text.len() > Display::MAX_OCTETS {
            text.pop();
        }
        signal.q931 = signal.q931.with(&Display::new(text));
    }
    signal
}

fn endpoint(vendor: &Vendor) -> EndpointType {
    let mut endpoint = EndpointType::new(false, false);
    endpoint.vendor = Some(vendor_identifier(vendor));
    endpoint.terminal = Some(TerminalInfo::new());
    endpoint
}

/// What several kinds of received message have in common.
#[derive(Debug, Default)]
pub(super) struct Common<'a> {
    pub(super) h245_address: Option<SocketAddr>,
    pub(super) fast_start: Option<&'a [Bytes]>,
    pub(super) fast_connect_refused: bool,
    pub(super) endpoint: Option<&'a EndpointType>,
    pub(super) protocol: Option<&'a Oid>,
}

impl<'a> From<&'a Body> for Common<'a> {
    fn from(body: &'a Body) -> Self {
        // Four types, one set of members: whatever the called side answers with.
        macro_rules! answer {
            ($uuie:ident) => {
                Self {
                    h245_address: $uuie.h245_address.as_ref().and_then(from_h225),
                    fast_start: $uuie.fast_start.as_deref(),
                    fast_connect_refused: $uuie.fast_connect_refused.is_some(),
                    endpoint: Some(&$uuie.destination_info),
                    protocol: Some(&$uuie.protocol_identifier),
                }
            };
        }
        match body {
            Body::Setup(uuie) => Self {
                h245_address: uuie.h245_address.as_ref().and_then(from_h225),
                fast_start: uuie.fast_start.as_deref(),
                fast_connect_refused: false,
                endpoint: Some(&uuie.source_info),
                protocol: Some(&uuie.protocol_identifier),
            },
            Body::CallProceeding(uuie) => answer!(uuie),
            Body::Alerting(uuie) => answer!(uuie),
            Body::Progress(uuie) => answer!(uuie),
            Body::Connect(uuie) => answer!(uuie),
            Body::Facility(uuie) => Self {
                h245_address: uuie.h245_address.as_ref().and_then(from_h225),
                fast_start: uuie.fast_start.as_deref(),
                fast_connect_refused: uuie.fast_connect_refused.is_some(),
                endpoint: None,
                protocol: Some(&uuie.protocol_identifier),
            },
            Body::Information(uuie) => Self {
                fast_start: uuie.fast_start.as_deref(),
                fast_connect_refused: uuie.fast_connect_refused.is_some(),
                protocol: Some(&uuie.protocol_identifier),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

impl Common<'_> {
    /// Adds what this message says about the peer.
    pub(super) fn describe(&self, peer: &mut PeerInfo) {
        if let Some(protocol) = self.protocol {
            // {itu-t(0) recommendation(0) h(8) 2250 version(0) n}
            peer.protocol_version = protocol.arcs().nth(5).and_then(|version| u32::try_from(version).ok());
        }
        let Some(endpoint) = self.endpoint else {
            return;
        };
        peer.gateway = endpoint.gateway.is_some();
        if let Some(vendor) = &endpoint.vendor {
            let codes = &vendor.vendor;
            peer.manufacturer = Some((codes.t35_country_code, codes.t35_extension, codes.manufacturer_code));
            peer.product = vendor.product_id.as_ref().map(text);
            peer.version = vendor.version_id.as_ref().map(text);
        }
    }
}

/// Octets of a peer as text: UTF-8 as far as it is, without the NULs that many send at the end.
fn text(octets: &Bytes) -> String {
    String::from_utf8_lossy(octets).trim_end_matches('\0').to_owned()
}

pub(super) fn reason_from(reason: &ReleaseCompleteReason) -> ReleaseReason {
    match reason {
        ReleaseCompleteReason::NoBandwidth => ReleaseReason::NoBandwidth,
        ReleaseCompleteReason::GatekeeperResources => ReleaseReason::GatekeeperResources,
        ReleaseCompleteReason::UnreachableDestination => ReleaseReason::UnreachableDestination,
        ReleaseCompleteReason::DestinationRejection => ReleaseReason::DestinationRejection,
        ReleaseCompleteReason::InvalidRevision => ReleaseReason::InvalidRevision,
        ReleaseCompleteReason::NoPermission => ReleaseReason::NoPermission,
        ReleaseCompleteReason::UnreachableGatekeeper => ReleaseReason::UnreachableGatekeeper,
        ReleaseCompleteReason::GatewayResources => ReleaseReason::GatewayResources,
        ReleaseCompleteReason::BadFormatAddress => ReleaseReason::BadFormatAddress,
        ReleaseCompleteReason::AdaptiveBusy => ReleaseReason::AdaptiveBusy,
        ReleaseCompleteReason::InConf => ReleaseReason::InConf,
        ReleaseCompleteReason::UndefinedReason => ReleaseReason::UndefinedReason,
        ReleaseCompleteReason::FacilityCallDeflection => ReleaseReason::FacilityCallDeflection,
        ReleaseCompleteReason::SecurityDenied => ReleaseReason::SecurityDenied,
        ReleaseCompleteReason::CalledPartyNotRegistered => ReleaseReason::CalledPartyNotRegistered,
        ReleaseCompleteReason::CallerNotRegistered => ReleaseReason::CallerNotRegistered,
        ReleaseCompleteReason::NewConnectionNeeded => ReleaseReason::NewConnectionNeeded,
        ReleaseCompleteReason::NonStandardReason(_) => ReleaseReason::NonStandardReason,
        ReleaseCompleteReason::ReplaceWithConferenceInvite(_) => ReleaseReason::ReplaceWithConferenceInvite,
        ReleaseCompleteReason::GenericDataReason => ReleaseReason::GenericDataReason,
        ReleaseCompleteReason::NeededFeatureNotSupported => ReleaseReason::NeededFeatureNotSupported,
        ReleaseCompleteReason::TunnelledSignallingRejected => ReleaseReason::TunnelledSignallingRejected,
        ReleaseCompleteReason::InvalidCID => ReleaseReason::InvalidCid,
        ReleaseCompleteReason::SecurityError(_) => ReleaseReason::SecurityError,
        ReleaseCompleteReason::HopCountExceeded => ReleaseReason::HopCountExceeded,
        ReleaseCompleteReason::Unrecognized(_) => ReleaseReason::Unknown,
    }
}

/// The wire's alternative; `None` for those whose contents we do not have.
fn reason_to(reason: ReleaseReason) -> Option<ReleaseCompleteReason> {
    Some(match reason {
        ReleaseReason::NoBandwidth => ReleaseCompleteReason::NoBandwidth,
        ReleaseReason::GatekeeperResources => ReleaseCompleteReason::GatekeeperResources,
        ReleaseReason::UnreachableDestination => ReleaseCompleteReason::UnreachableDestination,
        ReleaseReason::DestinationRejection => ReleaseCompleteReason::DestinationRejection,
        ReleaseReason::InvalidRevision => ReleaseCompleteReason::InvalidRevision,
        ReleaseReason::NoPermission => ReleaseCompleteReason::NoPermission,
        ReleaseReason::UnreachableGatekeeper => ReleaseCompleteReason::UnreachableGatekeeper,
        ReleaseReason::GatewayResources => ReleaseCompleteReason::GatewayResources,
        ReleaseReason::BadFormatAddress => ReleaseCompleteReason::BadFormatAddress,
        ReleaseReason::AdaptiveBusy => ReleaseCompleteReason::AdaptiveBusy,
        ReleaseReason::InConf => ReleaseCompleteReason::InConf,
        ReleaseReason::UndefinedReason => ReleaseCompleteReason::UndefinedReason,
        ReleaseReason::FacilityCallDeflection => ReleaseCompleteReason::FacilityCallDeflection,
        ReleaseReason::SecurityDenied => ReleaseCompleteReason::SecurityDenied,
        ReleaseReason::CalledPartyNotRegistered => ReleaseCompleteReason::CalledPartyNotRegistered,
        ReleaseReason::CallerNotRegistered => ReleaseCompleteReason::CallerNotRegistered,
        ReleaseReason::NewConnectionNeeded => ReleaseCompleteReason::NewConnectionNeeded,
        ReleaseReason::GenericDataReason => ReleaseCompleteReason::GenericDataReason,
        ReleaseReason::NeededFeatureNotSupported => ReleaseCompleteReason::NeededFeatureNotSupported,
        ReleaseReason::TunnelledSignallingRejected => ReleaseCompleteReason::TunnelledSignallingRejected,
        ReleaseReason::InvalidCid => ReleaseCompleteReason::InvalidCID,
        ReleaseReason::HopCountExceeded => ReleaseCompleteReason::HopCountExceeded,
        ReleaseReason::NonStandardReason
        | ReleaseReason::ReplaceWithConferenceInvite
        | ReleaseReason::SecurityError
        | ReleaseReason::Unknown => return None,
    })
}
