//! Gathering digits: a string of them, until there are enough, one ends it, or none comes for too long.
//!
//! In: [`Event::Digit`]s of one call, by whichever way they travel. Out: [`Gathered`].
//! Not here: sending digits ([`Call::generate_digits`]), single digits (the event), tones ([`crate::ToneMonitor`]).

use std::time::Duration;

use crate::{Call, CallState, Event, EventFilter, TapiError};

/// The most digits that one gathering takes.
const MOST: usize = 4_096;

/// What to gather. Alias `lineGatherDigits`.
#[doc(alias = "lineGatherDigits")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// At most so many digits, 1 to 4096.
    pub digits: usize,
    /// Digits that end it; they are the last of what is gathered.
    pub terminators: String,
    /// How long to wait for the first digit; for ever if none.
    pub first_digit_timeout: Option<Duration>,
    /// How long to wait for each further one; for ever if none.
    pub inter_digit_timeout: Option<Duration>,
}

/// What was gathered.
#[doc(alias = "ITDigitsGatheredEvent")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// The digits.
    pub digits: String,
    /// Why it ended.
    pub end: GatherEnd,
}

/// Why a gathering ended. Alias `LINEGATHERTERM_*`.
#[doc(alias = "TAPI_GATHERTERM")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatherEnd {
    /// There are as many as were asked for. Alias `TGT_BUFFERFULL`.
    Full,
    /// One that ends it came. Alias `TGT_TERMDIGIT`.
    Terminator,
    /// The first did not come in time. Alias `TGT_FIRSTTIMEOUT`.
    FirstTimeout,
    /// A further one did not come in time. Alias `TGT_INTERTIMEOUT`.
    InterTimeout,
    /// The call ended. Alias `TGT_CANCEL`.
    Disconnected,
}

impl Call {
    /// Gathers digits that come from now on. They are told as events all the same. Dropping the future ends it.
    ///
    /// # Errors
    ///
    /// [`TapiError::InvalidCallState`] for a call that is over or not dialled; a length that cannot be.
    #[doc(alias = "ITLegacyCallMediaControl2::GatherDigits")]
    pub async fn gather_digits(&self, what: &Gather) -> Result<Gathered, TapiError> {
        if !(1..=MOST).contains(&what.digits) {
            let why = format!("{} digits to gather; 1 to {MOST} can be", what.digits);
            return Err(offhook_spi::LineError::InvalParam(why).into());
        }
        let mut events = self.shared().address.core.subscribe(EventFilter::gathering(self));
        // After the subscription: a call that ends now is heard of.
        if matches!(self.state(), CallState::Idle | CallState::Disconnected) {
            return Err(TapiError::InvalidCallState);
        }
        let mut digits = String::new();
        let mut patience = what.first_digit_timeout;
        let end = loop {
            let next = match patience {
                Some(limit) => tokio::time::timeout(limit, events.next()).await,
                None => Ok(events.next().await),
            };
            match next {
                Err(_) if digits.is_empty() => break GatherEnd::FirstTimeout,
                Err(_) => break GatherEnd::InterTimeout,
                Ok(Some(Event::Digit { digit, .. })) => {
                    digits.push(digit);
                    patience = what.inter_digit_timeout;
                    if what.terminators.contains(digit) {
                        break GatherEnd::Terminator;
                    }
                    if digits.chars().count() >= what.digits {
                        break GatherEnd::Full;
                    }
                }
                Ok(Some(Event::CallState { state: CallState::Disconnected, .. }) | None) => {
                    break GatherEnd::Disconnected;
                }
                Ok(Some(_)) => {}
            }
        };
        Ok(Gathered { digits, end })
    }
}
