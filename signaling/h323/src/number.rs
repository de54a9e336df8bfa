//! Party numbers with who may see them and who vouches for them.
//! In and out: [`Number`], [`Redirecting`]; the Q.931 elements and H.225.0 members that carry them.
//! Not here: aliases (`address`), how a number is shown (the application).

use offhook_wire::h225::{PresentationIndicator, ScreeningIndicator};
use offhook_wire::q931::{
    CalledPartyNumber, CallingPartyNumber, ConnectedNumber, NumberingPlan, Presentation, RedirectingNumber,
    Screening, TypeOfNumber,
};

/// The most digits of one number that are kept or sent. E.164 has 15; Q.931 sets no bound.
pub(crate) const MAX_DIGITS: usize = 128;

/// A party number (Q.931 4.5.8, 4.5.10; Q.951).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    /// IA5 digits as signalled.
    pub digits: String,
    /// Type of number (Q.931 table 4-8).
    pub type_of_number: TypeOfNumber,
    /// Numbering plan (table 4-8).
    pub plan: NumberingPlan,
    /// Whether the number may be shown (table 4-11).
    pub presentation: Presentation,
    /// Who vouches for it (table 4-11).
    pub screening: Screening,
}

impl Number {
    /// `digits` of unknown type in the E.164 plan, free to show, not screened.
    #[must_use]
    pub fn new(digits: impl Into<String>) -> Self {
        Self {
            digits: digits.into(),
            type_of_number: TypeOfNumber::UNKNOWN,
            plan: NumberingPlan::E164,
            presentation: Presentation::Allowed,
            screening: Screening::UserProvidedNotScreened,
        }
    }

    /// Whether its owner lets it be shown.
    #[must_use]
    pub fn is_presentable(&self) -> bool {
        self.presentation == Presentation::Allowed
    }

    pub(crate) fn to_calling(&self) -> CallingPartyNumber {
        let mut number = CallingPartyNumber::new(self.digits());
        number.type_of_number = self.type_of_number;
        number.plan = self.plan;
        number.presentation = self.presentation;
        number.screening = self.screening;
        number
    }

    pub(crate) fn to_connected(&self) -> ConnectedNumber {
        let mut number = ConnectedNumber::new(self.digits());
        number.type_of_number = self.type_of_number;
        number.plan = self.plan;
        number.presentation = self.presentation;
        number.screening = self.screening;
        number
    }

    fn digits(&self) -> String {
        self.digits.chars().take(MAX_DIGITS).collect()
    }
}

impl From<CallingPartyNumber> for Number {
    fn from(number: CallingPartyNumber) -> Self {
        Self {
            digits: number.digits,
            type_of_number: number.type_of_number,
            plan: number.plan,
            presentation: number.presentation,
            screening: number.screening,
        }
    }
}

impl From<ConnectedNumber> for Number {
    fn from(number: ConnectedNumber) -> Self {
        Self {
            digits: number.digits,
            type_of_number: number.type_of_number,
            plan: number.plan,
            presentation: number.presentation,
            screening: number.screening,
        }
    }
}

impl From<CalledPartyNumber> for Number {
    fn from(number: CalledPartyNumber) -> Self {
        Self { type_of_number: number.type_of_number, plan: number.plan, ..Self::new(number.digits) }
    }
}

/// From whom a call was diverted to here (Q.952 Redirecting number).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redirecting {
    /// The number that diverted.
    pub number: Number,
    /// Reason for redirection: 0 unknown, 1 busy, 2 no reply, 4 deflection, 9 out of order,
    /// 10 by the called terminal, 15 unconditional. `None` when not said.
    pub reason: Option<u8>,
}

impl Redirecting {
    /// The called user is busy.
    pub const BUSY: u8 = 1;
    /// The called user does not reply.
    pub const NO_REPLY: u8 = 2;
    /// The called user deflected the call while it was offered.
    pub const DEFLECTION: u8 = 4;
    /// Every call is diverted.
    pub const UNCONDITIONAL: u8 = 15;

    pub(crate) fn to_element(&self) -> RedirectingNumber {
        RedirectingNumber {
            type_of_number: self.number.type_of_number,
            plan: self.number.plan,
            presentation: self.number.presentation,
            screening: self.number.screening,
            reason: self.reason,
            digits: self.number.digits(),
        }
    }
}

impl From<RedirectingNumber> for Redirecting {
    fn from(number: RedirectingNumber) -> Self {
        Self {
            reason: number.reason,
            number: Number {
                digits: number.digits,
                type_of_number: number.type_of_number,
                plan: number.plan,
                presentation: number.presentation,
                screening: number.screening,
            },
        }
    }
}

/// H.225.0 presentationIndicator → Q.931's; an alternative of a later version is not shown.
pub(crate) fn presentation_from(indicator: &PresentationIndicator) -> Presentation {
    match indicator {
        PresentationIndicator::PresentationAllowed => Presentation::Allowed,
        PresentationIndicator::AddressNotAvailable => Presentation::NotAvailable,
        _ => Presentation::Restricted,
    }
}

/// Q.931's presentation → H.225.0 presentationIndicator.
pub(crate) fn presentation_to(presentation: Presentation) -> PresentationIndicator {
    match presentation {
        Presentation::Allowed => PresentationIndicator::PresentationAllowed,
        Presentation::NotAvailable => PresentationIndicator::AddressNotAvailable,
        Presentation::Restricted | Presentation::Reserved => PresentationIndicator::PresentationRestricted,
    }
}

/// Q.931's screening → H.225.0 screeningIndicator.
pub(crate) fn screening_to(screening: Screening) -> ScreeningIndicator {
    match screening {
        Screening::UserProvidedNotScreened => ScreeningIndicator::UserProvidedNotScreened,
        Screening::UserProvidedPassed => ScreeningIndicator::UserProvidedVerifiedAndPassed,
        Screening::UserProvidedFailed => ScreeningIndicator::UserProvidedVerifiedAndFailed,
        Screening::NetworkProvided => ScreeningIndicator::NetworkProvided,
    }
}
