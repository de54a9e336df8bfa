//! The RTP header: a checked zero-copy view for what arrives, a writer for what leaves (RFC 3550 §5.1, RFC 8285).
//! In: any bytes. Out: `RtpView` or the reason why not; a header in a caller's buffer.
//! Not here: what the fields mean for a source (`sequence.rs`, `receiver.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// The RTP version of RFC 3550.
const VERSION: u8 = 2;
/// The profile value that announces one-byte extension elements (RFC 8285 §4.2).
const PROFILE_ONE_BYTE: u16 = 0xBEDE;
/// The upper twelve bits of the profile that announces two-byte extension elements (RFC 8285 §4.3).
const PROFILE_TWO_BYTE: u16 = 0x1000;
/// The one-byte element identifier that ends the elements (RFC 8285 §4.2).
const ID_STOP: u8 = 15;

/// Why bytes are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderError {
    /// No more than one octet: what some stacks send to wake their own reader. Not worth a warning.
    #[error("a datagram of {0} octets, which some stacks send to wake themselves")]
    Runt(usize),
    /// Fewer octets than the header announces.
    #[error("{have} octets where the header needs {need}")]
    Truncated {
        /// Octets that the header needs, as far as it was read.
        need: usize,
        /// Octets that came.
        have: usize,
    },
    /// The version is not 2.
    #[error("RTP version {0}")]
    Version(u8),
    /// An RFC 8285 element reaches past the end of the header extension.
    #[error("a header extension element reaches past its extension at octet {0}")]
    ExtensionElement(usize),
    /// The padding count is zero or exceeds what follows the header (RFC 3550 §5.1).
    #[error("padding of {count} octets in {available}")]
    Padding {
        /// The count in the last octet.
        count: u8,
        /// The octets after the header.
        available: usize,
    },
}

/// A checked view of an RTP packet (RFC 3550 §5.1): every accessor is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpView<'a> {
    bytes: &'a [u8],
    fixed: [u8; RtpHeader::LEN],
    csrcs: &'a [u8],
    extension: Option<Extension<'a>>,
    payload: &'a [u8],
    padding: u8,
}

impl<'a> RtpView<'a> {
    /// Checks `bytes` and returns the view.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] for anything that RFC 3550 §5.1 or RFC 8285 §4 does not allow; nothing that passes here makes
    /// a parser that trusts lengths read past the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let have = bytes.len();
        let Some((fixed, rest)) = bytes.split_first_chunk::<{ RtpHeader::LEN }>() else {
            return Err(match have {
                0 | 1 => HeaderError::Runt(have),
                _ => HeaderError::Truncated { need: RtpHeader::LEN, have },
            });
        };
        let version = fixed[0] >> 6;
        if version != VERSION {
            return Err(HeaderError::Version(version));
        }
        let truncated = |need| HeaderError::Truncated { need, have };

        let csrc_len = usize::from(fixed[0] & 0x0F) * 4;
        let mut need = RtpHeader::LEN + csrc_len;
        let (csrcs, mut rest) = rest.split_at_checked(csrc_len).ok_or(truncated(need))?;

        let mut extension = None;
        if fixed[0] & 0x10 != 0 {
            need += 4;
            let (preamble, after) = rest.split_first_chunk::<4>().ok_or(truncated(need))?;
            let profile = u16::from_be_bytes([preamble[0], preamble[1]]);
            let len = usize::from(u16::from_be_bytes([preamble[2], preamble[3]])) * 4;
            let start = need;
            need += len;
            let (data, after) = after.split_at_checked(len).ok_or(truncated(need))?;
            let checked = Extension { profile, data };
            checked.check().map_err(|at| HeaderError::ExtensionElement(start + at))?;
            extension = Some(checked);
            rest = after;
        }

        let mut padding = 0;
        let mut payload = rest;
        if fixed[0] & 0x20 != 0 {
            padding = rest.last().copied().unwrap_or(0);
            let refused = HeaderError::Padding { count: padding, available: rest.len() };
            let keep = rest.len().checked_sub(usize::from(padding)).ok_or(refused)?;
            payload = rest.get(..keep).filter(|_| padding != 0).ok_or(refused)?;
        }
        Ok(Self { bytes, fixed: *fixed, csrcs, extension, payload, padding })
    }

    /// The whole packet, header and padding included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The marker bit; for audio the first packet after silence (RFC 3551 §4.1).
    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The payload type, 0 to 127.
    pub fn payload_type(&self) -> u8 {
        self.fixed[1] & 0x7F
    }

    /// The sequence number.
    pub fn sequence_number(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in units of the payload's RTP clock.
    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// The synchronization source.
    pub fn ssrc(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// The contributing sources, up to fifteen.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = u32> + 'a {
        let (words, _) = self.csrcs.as_chunks::<4>();
        words.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// The header extension, if there is one.
    pub fn extension(&self) -> Option<Extension<'a>> {
        self.extension
    }

    /// The payload without header and padding.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Octets of padding after the payload, their count octet included; 0 without padding.
    pub fn padding(&self) -> u8 {
        self.padding
    }

    /// Octets before the payload.
    pub fn header_len(&self) -> usize {
        self.bytes.len() - self.payload.len() - usize::from(self.padding)
    }
}

/// The header extension of a packet (RFC 3550 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    profile: u16,
    data: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The sixteen bits that say what the extension is: 0xBEDE and 0x100x mean RFC 8285.
    pub fn profile(&self) -> u16 {
        self.profile
    }

    /// The extension's words, without their length.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The RFC 8285 elements; none for another profile.
    pub fn elements(&self) -> ExtensionElements<'a> {
        ExtensionElements { form: Form::of(self.profile), rest: self.data }
    }

    /// Walks the elements; the offset of the first that does not fit.
    fn check(&self) -> Result<(), usize> {
        let Some(form) = Form::of(self.profile) else { return Ok(()) };
        let mut rest = self.data;
        while let Step::Element { after, .. } | Step::Padding { after } = step(form, rest) {
            rest = after;
        }
        match step(form, rest) {
            Step::Overrun => Err(self.data.len() - rest.len()),
            _ => Ok(()),
        }
    }
}

/// The elements of an RFC 8285 header extension: identifier and data.
#[derive(Debug, Clone)]
pub struct ExtensionElements<'a> {
    form: Option<Form>,
    rest: &'a [u8],
}

impl<'a> Iterator for ExtensionElements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match step(self.form?, self.rest) {
                Step::Padding { after } => self.rest = after,
                Step::Element { id, data, after } => {
                    self.rest = after;
                    // Identifier 0 names padding only (RFC 8285 §4.2): with a length it is skipped, not shown.
                    if id != 0 {
                        return Some((id, data));
                    }
                }
                Step::End | Step::Overrun => return None,
            }
        }
    }
}

/// The two element forms of RFC 8285.
#[derive(Debug, Clone, Copy)]
enum Form {
    OneByte,
    TwoByte,
}

impl Form {
    fn of(profile: u16) -> Option<Self> {
        match profile {
            PROFILE_ONE_BYTE => Some(Self::OneByte),
            _ if profile & 0xFFF0 == PROFILE_TWO_BYTE => Some(Self::TwoByte),
            _ => None,
        }
    }
}

enum Step<'a> {
    Padding { after: &'a [u8] },
    Element { id: u8, data: &'a [u8], after: &'a [u8] },
    End,
    Overrun,
}

fn step(form: Form, bytes: &[u8]) -> Step<'_> {
    let Some((&first, after)) = bytes.split_first() else { return Step::End };
    if first == 0 {
        return Step::Padding { after };
    }
    let (id, len, body) = match form {
        Form::OneByte if first >> 4 == ID_STOP => return Step::End,
        Form::OneByte => (first >> 4, usize::from(first & 0x0F) + 1, after),
        Form::TwoByte => match after.split_first() {
            Some((&len, body)) => (first, usize::from(len), body),
            None => return Step::Overrun,
        },
    };
    match body.split_at_checked(len) {
        Some((data, after)) => Step::Element { id, data, after },
        None => Step::Overrun,
    }
}

/// The fixed header of a packet to be sent: no contributing sources, extension or padding (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtpHeader {
    /// The marker bit.
    pub marker: bool,
    /// The payload type; only the low seven bits are written.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence_number: u16,
    /// The timestamp, in units of the payload's RTP clock.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
}

impl RtpHeader {
    /// Octets of the fixed header.
    pub const LEN: usize = 12;

    /// The header's octets.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [s0, s1] = self.sequence_number.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [i0, i1, i2, i3] = self.ssrc.to_be_bytes();
        let second = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        [VERSION << 6, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3]
    }

    /// Writes the header to the front of `out` and returns its length, or `None` if `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        *out.first_chunk_mut::<{ Self::LEN }>()? = self.to_bytes();
        Some(Self::LEN)
    }
}
