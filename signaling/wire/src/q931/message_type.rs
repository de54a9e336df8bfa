//! Message types (Q.931 4.4, table 4-2): a code that keeps what it does not know.
//! Not here: which message is allowed when (the call machine).

use std::fmt;

/// The message type octet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageType(pub u8);

macro_rules! message_types {
    ($($name:ident = $code:literal $text:literal $clause:literal;)*) => {
        impl MessageType {
            $(
                #[doc = concat!($text, " (", $clause, ").")]
                pub const $name: Self = Self($code);
            )*

            /// The name in the standard; `None` for a code that neither Q.931 nor Q.932 has.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    Self(_) => None,
                }
            }
        }
    };
}

message_types! {
    ALERTING = 0x01 "Alerting" "Q.931 3.1.1, H.225.0 7.3.1";
    CALL_PROCEEDING = 0x02 "Call Proceeding" "Q.931 3.1.2, H.225.0 7.3.2";
    PROGRESS = 0x03 "Progress" "Q.931 3.1.8, H.225.0 7.3.7";
    SETUP = 0x05 "Setup" "Q.931 3.1.14, H.225.0 7.3.10";
    CONNECT = 0x07 "Connect" "Q.931 3.1.3, H.225.0 7.3.3";
    SETUP_ACKNOWLEDGE = 0x0d "Setup Acknowledge" "Q.931 3.1.15, H.225.0 7.3.11";
    CONNECT_ACKNOWLEDGE = 0x0f "Connect Acknowledge" "Q.931 3.1.4, H.225.0 7.3.4";
    USER_INFORMATION = 0x20 "User Information" "Q.931 3.3.13, H.225.0 7.3.14";
    SUSPEND_REJECT = 0x21 "Suspend Reject" "Q.931 3.1.20";
    RESUME_REJECT = 0x22 "Resume Reject" "Q.931 3.1.13";
    HOLD = 0x24 "Hold" "Q.932 7.1.4";
    SUSPEND = 0x25 "Suspend" "Q.931 3.1.18";
    RESUME = 0x26 "Resume" "Q.931 3.1.11";
    HOLD_ACKNOWLEDGE = 0x28 "Hold Acknowledge" "Q.932 7.1.5";
    SUSPEND_ACKNOWLEDGE = 0x2d "Suspend Acknowledge" "Q.931 3.1.19";
    RESUME_ACKNOWLEDGE = 0x2e "Resume Acknowledge" "Q.931 3.1.12";
    HOLD_REJECT = 0x30 "Hold Reject" "Q.932 7.1.6";
    RETRIEVE = 0x31 "Retrieve" "Q.932 7.1.9";
    RETRIEVE_ACKNOWLEDGE = 0x33 "Retrieve Acknowledge" "Q.932 7.1.10";
    RETRIEVE_REJECT = 0x37 "Retrieve Reject" "Q.932 7.1.11";
    DISCONNECT = 0x45 "Disconnect" "Q.931 3.1.5; not used by H.225.0";
    RESTART = 0x46 "Restart" "Q.931 3.4.1";
    RELEASE = 0x4d "Release" "Q.931 3.1.9; not used by H.225.0";
    RESTART_ACKNOWLEDGE = 0x4e "Restart Acknowledge" "Q.931 3.4.2";
    RELEASE_COMPLETE = 0x5a "Release Complete" "Q.931 3.1.10, H.225.0 7.3.9";
    SEGMENT = 0x60 "Segment" "Q.931 3.5.1";
    FACILITY = 0x62 "Facility" "Q.932 7.1.1, H.225.0 7.4.1";
    REGISTER = 0x64 "Register" "Q.932 7.1.8";
    NOTIFY = 0x6e "Notify" "Q.931 3.1.7, H.225.0 7.4.2";
    STATUS_INQUIRY = 0x75 "Status Inquiry" "Q.931 3.1.17, H.225.0 7.3.13";
    CONGESTION_CONTROL = 0x79 "Congestion Control" "Q.931 3.3.3";
    INFORMATION = 0x7b "Information" "Q.931 3.1.6, H.225.0 7.3.6";
    STATUS = 0x7d "Status" "Q.931 3.1.16, H.225.0 7.3.12";
}

impl MessageType {
    /// H.225.0 table 4 lets this message be sent; the others are forbidden or unknown there.
    #[must_use]
    pub fn is_h225(self) -> bool {
        matches!(
            self,
            Self::ALERTING
                | Self::CALL_PROCEEDING
                | Self::PROGRESS
                | Self::SETUP
                | Self::CONNECT
                | Self::SETUP_ACKNOWLEDGE
                | Self::CONNECT_ACKNOWLEDGE
                | Self::USER_INFORMATION
                | Self::RELEASE_COMPLETE
                | Self::FACILITY
                | Self::NOTIFY
                | Self::STATUS_INQUIRY
                | Self::INFORMATION
                | Self::STATUS
        )
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "message type {:#04x}", self.0),
        }
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
