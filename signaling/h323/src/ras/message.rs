//! What all RAS messages have in common.
//! In: a [`RasMessage`]. Out: its kind, its requestSeqNum, its token lists; names of reject reasons.
//! Not here: what a message is for.

use offhook_wire::h225::RasMessage;
use offhook_wire::h235::ClearToken;
use offhook_wire::per::json::{Value, describe};
use offhook_wire::per::{BmpString, Type};

use crate::h235::TokenLists;

macro_rules! kinds {
    ($($alternative:ident $name:literal,)*) => {
        /// Which RAS message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Kind {
            $($alternative,)*
            AdmissionConfirmSequence,
            Unknown,
        }

        impl Kind {
            pub(crate) fn of(message: &RasMessage) -> Self {
                match message {
                    $(RasMessage::$alternative(_) => Self::$alternative,)*
                    RasMessage::AdmissionConfirmSequence(_) => Self::AdmissionConfirmSequence,
                    RasMessage::Unrecognized(_) => Self::Unknown,
                }
            }

            /// The abbreviation of H.225.0.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$alternative => $name,)*
                    Self::AdmissionConfirmSequence => "ACF",
                    Self::Unknown => "?",
                }
            }
        }

        /// requestSeqNum.
        pub(crate) fn sequence(message: &RasMessage) -> Option<u16> {
            match message {
                $(RasMessage::$alternative(message) => Some(message.request_seq_num),)*
                RasMessage::AdmissionConfirmSequence(list) => Some(list.first()?.request_seq_num),
                RasMessage::Unrecognized(_) => None,
            }
        }

        /// Sets requestSeqNum.
        pub(crate) fn set_sequence(message: &mut RasMessage, number: u16) {
            match message {
                $(RasMessage::$alternative(message) => message.request_seq_num = number,)*
                RasMessage::AdmissionConfirmSequence(list) => {
                    list.iter_mut().for_each(|message| message.request_seq_num = number);
                }
                RasMessage::Unrecognized(_) => {}
            }
        }

        /// The token lists; those of a sequence of confirms stand in its first.
        pub(crate) fn lists(message: &mut RasMessage) -> Option<TokenLists<'_>> {
            match message {
                $(RasMessage::$alternative(message) => {
                    Some((&mut message.tokens, &mut message.crypto_tokens))
                })*
                RasMessage::AdmissionConfirmSequence(list) => {
                    let message = list.first_mut()?;
                    Some((&mut message.tokens, &mut message.crypto_tokens))
                }
                RasMessage::Unrecognized(_) => None,
            }
        }
    };
}

kinds! {
    GatekeeperRequest "GRQ",
    GatekeeperConfirm "GCF",
    GatekeeperReject "GRJ",
    RegistrationRequest "RRQ",
    RegistrationConfirm "RCF",
    RegistrationReject "RRJ",
    UnregistrationRequest "URQ",
    UnregistrationConfirm "UCF",
    UnregistrationReject "URJ",
    AdmissionRequest "ARQ",
    AdmissionConfirm "ACF",
    AdmissionReject "ARJ",
    BandwidthRequest "BRQ",
    BandwidthConfirm "BCF",
    BandwidthReject "BRJ",
    DisengageRequest "DRQ",
    DisengageConfirm "DCF",
    DisengageReject "DRJ",
    LocationRequest "LRQ",
    LocationConfirm "LCF",
    LocationReject "LRJ",
    InfoRequest "IRQ",
    InfoRequestResponse "IRR",
    NonStandardMessage "NSM",
    UnknownMessageResponse "XRS",
    RequestInProgress "RIP",
    ResourcesAvailableIndicate "RAI",
    ResourcesAvailableConfirm "RAC",
    InfoRequestAck "IACK",
    InfoRequestNak "INAK",
    ServiceControlIndication "SCI",
    ServiceControlResponse "SCR",
}

/// The clear tokens of a message that are not ours to understand: what the gatekeeper wants passed on in Setup.
pub(crate) fn foreign_tokens(tokens: Option<&Vec<ClearToken>>) -> Vec<ClearToken> {
    tokens.into_iter().flatten().take(8).cloned().collect()
}

/// The standard's name of a reason, with what it says beside.
pub(crate) fn reason(reason: &impl Type) -> String {
    let described = match describe(reason) {
        Value::Object(members) => match members.iter().next() {
            Some((name, Value::Null)) => name.clone(),
            Some((name, value)) => format!("{name} {value}"),
            None => String::new(),
        },
        Value::String(name) => name,
        other => other.to_string(),
    };
    described.chars().take(200).collect()
}

/// Text of a BMPString without the NUL that some peers end it with.
pub(crate) fn text(string: &BmpString) -> String {
    string.to_string().trim_end_matches('\0').to_owned()
}
