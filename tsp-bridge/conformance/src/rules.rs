//! The rules, each with where it stands, and the report of how a provider kept them.
//!
//! In: what checks find. Out: [`Report`], a line a rule.
//! A rule is kept if something tried it and nothing broke it; what was not tried says why.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

macro_rules! rules {
    ($($name:ident $id:literal $reference:literal $says:literal;)*) => {
        /// A rule that a provider keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each says itself what it is: `Rule::says`")]
        pub enum Rule { $($name,)* }

        impl Rule {
            /// All of them, in the order of the report.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name, for machines.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Where it stands: a section of TAPI.md (docs/conformance.md lists them) or a page of TSPI.
            pub fn reference(self) -> &'static str {
                match self { $(Self::$name => $reference,)* }
            }

            /// What it says.
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

rules! {
    VersionCommon "version.common" "TSPI_lineNegotiateTSPIVersion" "the highest version in both ranges is picked";
    VersionNone "version.none" "TSPI_lineNegotiateTSPIVersion" "without a common version: IncompatibleApiVersion; of an unknown device: BadDeviceId";
    Caps "caps" "TSPI_lineGetDevCaps" "each device says who it is and which media it has; an unknown one is BadDeviceId";
    CapsBits "caps.bits" "LINECALLFEATURE" "a verb is OperationUnavail exactly if the capabilities do not name it";
    LineOpen "line.open" "TSPI_lineOpen" "a device opens in a version it has; another version or device is an error";
    LineClose "line.close" "TSPI_lineClose" "a closed line's handle is void, its calls are released and not named again";
    Handles "handles" "TAPI.md 1.2" "a handle that names nothing is an error, never a panic and never taken";
    CompletionOnce "completion.once" "TAPI.md 1.2" "a request that is taken has one completion, a refused one none";
    ValidFirst "call.valid" "TAPI.md 1.2" "no event names a call before its completion, or before NEWCALL was taken";
    MakeCompletes "make.completes" "TSPI_lineMakeCall" "MakeCall completes no later than PROCEEDING";
    MakeStates "make.states" "TAPI.md 1.5" "a placed call is told on its way, and CONNECTED when the far end answers";
    MakeWrong "make.wrong" "TSPI_lineMakeCall" "a destination that does not exist fails or disconnects, never silence";
    NewCallOrder "newcall.order" "TAPI.md 1.3" "NEWCALL, and the next event of that call is its state";
    Offering "newcall.offering" "TAPI.md 1.3" "a call that arrives is OFFERING first";
    NewCallRefused "newcall.refused" "TAPI.md 1.3" "a call that the broker turns away is not named again, and the line goes on";
    Unwanted "newcall.unwanted" "TAPI.md 1.3" "calls of media that nobody asked for are not announced";
    Accept "accept" "TSPI_lineAccept" "an offered call is accepted, another is not";
    AnswerState "answer.state" "TSPI_lineAnswer" "only an offered or accepted call is answered";
    AnswerConnects "answer.connects" "TAPI.md 1.4" "Answer completes, and CONNECTED follows";
    DropStates "drop.states" "TSPI_lineDrop" "a call is dropped in any state but idle";
    DropIdle "drop.idle" "TAPI.md 1.2" "IDLE follows a drop";
    FarEnd "disconnected" "TAPI.md 1.7" "the far end's going is DISCONNECTED with a mode; IDLE follows the drop only";
    States "states" "TAPI.md 1.8" "only transitions of the LINECALLSTATE table; nothing leaves IDLE";
    Times "states.times" "TAPI.md 1.8" "the times of a call's states do not go back";
    InfoAfterIdle "info.idle" "TAPI.md 1.7" "no CALLINFO after IDLE";
    Info "info" "TSPI_lineGetCallInfo" "origin and media are told; readable after the end until CloseCall";
    CallId "info.callid" "TAPI.md 1.10" "with hub tracking in its capabilities a call says its call id";
    CloseOutstanding "close.outstanding" "TSPI_lineCloseCall" "requests outstanding at CloseCall fail";
    CloseSilent "close.silent" "TSPI_lineCloseCall" "a closed call is not named again but by a report under way, and its handle is void";
    Reentry "reentry" "tspi::TspEvents" "reports are made without a lock that requests need";
    MspIdentity "msp.identity" "TAPI.md 1.1" "an MSP instance exactly if the capabilities say MSP, else OperationUnavail";
    OpaqueUnknown "opaque.unknown" "TAPI.md 1.5" "a buffer for a call or instance that is not known is an error";
    OpaqueStart "opaque.first" "TAPI.md 1.4" "the provider speaks first: a call that connects is told its MSP";
    OpaqueStop "opaque.stop" "TAPI.md 1.4" "its end is told too";
    MoveMedia "media.move" "TAPI.md 2" "media move to the instance that is named: it hears of it by a buffer of its own";
    Digits "digits" "TSPI_lineGenerateDigits" "digits complete; what is no digit is an error";
    Dial "dial" "TSPI_lineDial" "a number in parts goes when it is complete";
    Hold "hold" "TSPI_lineHold" "ONHOLD and back to CONNECTED";
    Swap "swap" "TSPI_lineSwapHold" "the active call is held and the held one connected";
    Consult "transfer.consult" "TSPI_lineSetupTransfer" "the call goes ONHOLDPENDTRANSFER, the consultation is a call of its own";
    Transfer "transfer.complete" "TSPI_lineCompleteTransfer" "both calls go IDLE";
    TransferConference "transfer.conference" "TSPI_lineCompleteTransfer" "both calls go CONFERENCED, the conference CONNECTED";
    Blind "transfer.blind" "TSPI_lineBlindTransfer" "the call goes IDLE; an impossible one stays as it was";
    Conference "conference" "TSPI_lineSetupConference" "set up, added to, removed from, dropped, each with its states";
    Park "park" "TSPI_linePark" "the call goes IDLE; the address answered fetches it, CONNECTED";
    Pickup "pickup" "TSPI_linePickup" "a call that rings elsewhere is CONNECTED here";
    Forward "forward" "TSPI_lineForward" "forwarding is set and ended";
    CompleteCall "completion" "TSPI_lineCompleteCall" "a busy call is completed under a name by which it is cancelled";
    ExtVersion "extension.version" "TSPI_lineNegotiateExtVersion" "without an extension its verbs are OperationUnavail; with one a common version is picked";
    ExtSelected "extension.selected" "TSPI_lineDevSpecific" "words of the extension pass after a version was selected only";
    Phone "phone" "TSPI_phoneOpen" "a phone opens once, shows what its capabilities say, and its handle is void when closed";
    PhoneSet "phone.set" "TSPI_phoneSet" "what is set completes, is told and read back; beyond its capabilities is an error";
    PhoneExt "phone.extension" "TSPI_phoneDevSpecific" "as for lines";
    Shutdown "shutdown" "TSPI_providerShutdown" "every call is released and nothing is told any more";
}

/// How a rule was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "kebab-case")]
pub enum Outcome {
    /// Tried, and kept.
    Ok,
    /// Broken; how.
    Failed(String),
    /// Not tried; why.
    NotApplicable(String),
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The rule's name.
    pub rule: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Where it stands.
    pub reference: &'static str,
    /// How it was kept.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a provider kept the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The provider, by the name in its capabilities.
    pub provider: String,
    /// A line a rule.
    pub lines: Vec<Line>,
}

impl Report {
    /// Whether no rule was broken.
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The names of the rules that were broken.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        self.lines.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_))).map(|line| line.rule)
    }

    /// How a rule was kept.
    pub fn outcome(&self, rule: Rule) -> Option<&Outcome> {
        self.lines.iter().find(|line| line.rule == rule.id()).map(|line| &line.outcome)
    }

    /// The report as JSON, in one line.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.provider)?;
        let count = |of: fn(&Outcome) -> bool| self.lines.iter().filter(|line| of(&line.outcome)).count();
        for line in &self.lines {
            let (word, why) = match &line.outcome {
                Outcome::Ok => ("ok", None),
                Outcome::Failed(why) => ("FAILED", Some(why)),
                Outcome::NotApplicable(why) => ("n/a", Some(why)),
            };
            writeln!(f, "{word:<7}{:<22}{} [{}]", line.rule, line.says, line.reference)?;
            if let Some(why) = why {
                writeln!(f, "{:<29}{why}", "")?;
            }
        }
        let (ok, failed) = (count(|o| matches!(o, Outcome::Ok)), count(|o| matches!(o, Outcome::Failed(_))));
        write!(f, "{ok} ok, {failed} failed, {} not applicable", self.lines.len() - ok - failed)
    }
}

/// What checks have found so far.
#[derive(Default)]
pub(crate) struct Findings {
    found: BTreeMap<Rule, Outcome>,
}

impl Findings {
    /// The rule was tried and kept this time.
    pub(crate) fn kept(&mut self, rule: Rule) {
        let entry = self.found.entry(rule).or_insert(Outcome::Ok);
        if matches!(entry, Outcome::NotApplicable(_)) {
            *entry = Outcome::Ok;
        }
    }

    /// The rule was broken. What is found first is told.
    pub(crate) fn broken(&mut self, rule: Rule, why: impl Into<String>) {
        let entry = self.found.entry(rule).or_insert(Outcome::Ok);
        if !matches!(entry, Outcome::Failed(_)) {
            *entry = Outcome::Failed(why.into());
        }
    }

    /// The rule cannot be tried here.
    pub(crate) fn not_here(&mut self, rule: Rule, why: impl Into<String>) {
        self.found.entry(rule).or_insert_with(|| Outcome::NotApplicable(why.into()));
    }

    pub(crate) fn report(&self, provider: &str) -> Report {
        let line = |rule: &Rule| Line {
            rule: rule.id(),
            says: rule.says(),
            reference: rule.reference(),
            outcome: self
                .found
                .get(rule)
                .cloned()
                .unwrap_or_else(|| Outcome::NotApplicable("no call came this far".to_owned())),
        };
        Report { provider: provider.to_owned(), lines: Rule::ALL.iter().map(line).collect() }
    }
}
