//! Who calls, as modems present it.
//!
//! In: a line. Out: a [`CallerId`], whole or in part.
//!
//! | presentation | looks like |
//! |---|---|
//! | formatted (+VCID=1, #CID=1) | `DATE=0321`, `TIME = 1405`, `NMBR=5551234`, `NAME = SMITH JOHN`, a line each |
//! | unformatted (+VCID=2) | `MESG = 8014…`: the FSK message in hexadecimal, SDMF (type 04) or MDMF (type 80) |
//! | cellular (+CLIP=1) | `+CLIP: "+491700000000",145,"",0,"Ann",0` |
//!
//! `P` in place of a number or a name says that the caller withholds it, `O` that nobody knows it.
//! FSK messages: Bellcore TR-NWT-000030 (SDMF: month, day, hour, minute, number), ETSI EN 300 659-3 (MDMF parameters:
//! 02 number, 04 why there is none, 07 name, 08 why there is none). Octets behind the length are the checksum; a message
//! that has one which does not fit is not believed.

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The caller does not want it shown.
    Withheld,
    /// The network does not know it.
    Unavailable,
}

/// What is known of a caller; parts come one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallerId {
    pub(crate) number: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) absence: Option<Absence>,
}

/// The longest number or name that is kept, in characters.
const MAX_TEXT: usize = 64;

impl CallerId {
    /// Takes over what `later` knows; answers whether that was anything new.
    pub(crate) fn merge(&mut self, later: Self) -> bool {
        let before = self.clone();
        self.number = later.number.or_else(|| self.number.take());
        self.name = later.name.or_else(|| self.name.take());
        // Who is known is not withheld.
        self.absence = later.absence.or(self.absence).filter(|_| self.number.is_none());
        *self != before
    }

    fn set_number(&mut self, text: &str) {
        match absence(text) {
            Some(why) => self.absence = Some(why),
            None => self.number = bounded(text),
        }
    }

    fn set_name(&mut self, text: &str) {
        if absence(text).is_none() {
            self.name = bounded(text);
        }
    }

    fn known(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

fn absence(text: &str) -> Option<Absence> {
    match text.trim().to_ascii_uppercase().as_str() {
        "P" | "PRIVATE" | "PRIVACY" | "ANONYMOUS" | "WITHHELD" => Some(Absence::Withheld),
        "O" | "OUT OF AREA" | "OUT-OF-AREA" | "UNAVAILABLE" | "UNKNOWN" => Some(Absence::Unavailable),
        _ => None,
    }
}

fn bounded(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect())
}

/// A line `KEY = value` of a presentation; none if it is something else, or says nothing of the caller.
pub(crate) fn field(line: &str) -> Option<CallerId> {
    let (key, value) = line.split_once('=')?;
    let mut caller = CallerId::default();
    match key.trim().to_ascii_uppercase().as_str() {
        "NMBR" | "NUMBER" => caller.set_number(value),
        "NAME" => caller.set_name(value),
        "MESG" | "MSG" => caller = message(value)?,
        _ => return None,
    }
    caller.known()
}

/// The values of +CLIP (27.007 7.6) or +CCWA (7.12): number, type[, subaddress, its type[, name[, validity]]]. The values
/// of +CCWA differ from the third on, which are not read then.
pub(crate) fn clip(values: &str) -> Option<CallerId> {
    let fields = quoted(values);
    let mut caller = CallerId::default();
    let number = fields.first()?.as_str();
    // Type of address 145 is "international"; not every module writes the plus.
    let international = fields.get(1).is_some_and(|kind| kind == "145") && !number.starts_with('+');
    if !number.is_empty() {
        caller.set_number(&if international { format!("+{number}") } else { number.to_owned() });
    }
    if let Some(name) = fields.get(4) {
        caller.set_name(name);
    }
    if caller.number.is_none() && caller.absence.is_none() {
        let withheld = fields.get(5).is_none_or(|validity| validity != "2");
        caller.absence = Some(if withheld { Absence::Withheld } else { Absence::Unavailable });
    }
    Some(caller)
}

/// Fields between commas; commas within quotes are part of a field.
fn quoted(values: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut inside = false;
    for c in values.chars() {
        match c {
            '"' => inside = !inside,
            ',' if !inside => fields.push(String::new()),
            _ => {
                if let Some(field) = fields.last_mut() {
                    field.push(c);
                }
            }
        }
    }
    for field in &mut fields {
        *field = field.trim().to_owned();
    }
    fields
}

/// A message as it came over the line, in hexadecimal.
fn message(hex: &str) -> Option<CallerId> {
    let octets = octets(hex)?;
    let (&kind, rest) = octets.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (body, checksum) = rest.split_at_checked(usize::from(length))?;
    if !checksum.is_empty() {
        let end = octets.len() - checksum.len() + 1;
        let sum = octets.iter().take(end).fold(0u8, |sum, octet| sum.wrapping_add(*octet));
        if sum != 0 {
            return None;
        }
    }
    let mut caller = CallerId::default();
    match kind {
        // Eight digits of date and time come first.
        0x04 => caller.set_number(&text(body.get(8..)?)),
        0x80 => {
            let mut rest = body;
            while let [kind, length, tail @ ..] = rest {
                let (value, tail) = tail.split_at_checked(usize::from(*length))?;
                match kind {
                    0x02 | 0x04 => caller.set_number(&text(value)),
                    0x07 => caller.set_name(&text(value)),
                    _ => {}
                }
                rest = tail;
            }
        }
        _ => return None,
    }
    caller.known()
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u8>> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|nibble| u8::try_from(nibble).ok()))
        .collect();
    let nibbles = nibbles?;
    let (pairs, odd) = nibbles.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn text(octets: &[u8]) -> String {
    // Seven bits and a parity, in some countries; else Latin-1.
    octets.iter().map(|octet| char::from(*octet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: &str) -> CallerId {
        CallerId { number: Some(number.to_owned()), ..CallerId::default() }
    }

    fn absent(why: Absence) -> CallerId {
        CallerId { absence: Some(why), ..CallerId::default() }
    }

    #[test]
    fn formatted_presentation_comes_line_by_line() {
        assert_eq!(field("NMBR=5551234"), Some(number("5551234")));
        assert_eq!(field("NMBR = 5551234 "), Some(number("5551234")));
        let name = CallerId { name: Some("SMITH JOHN".to_owned()), ..CallerId::default() };
        assert_eq!(field("NAME = SMITH JOHN"), Some(name.clone()));
        assert_eq!(field("NMBR = P"), Some(absent(Absence::Withheld)));
        assert_eq!(field("NMBR=O"), Some(absent(Absence::Unavailable)));
        for other in ["DATE=0321", "TIME = 1405", "NAME=", "NMBR", "NAME=O", "ANID=1"] {
            assert_eq!(field(other), None, "{other}");
        }
        let mut caller = number("1");
        assert!(caller.merge(name));
        assert_eq!(caller.number.as_deref(), Some("1"));
        assert!(!caller.merge(number("1")));
        assert!(!caller.merge(absent(Absence::Withheld)), "who is known is not withheld");
    }

    /// 04 12: 18 octets "03211405" "5551234567", and the checksum.
    #[test]
    fn a_single_data_message_is_read() {
        assert_eq!(field("MESG=0412303332313134303535353531323334353637 4F"), Some(number("5551234567")));
        assert_eq!(field("MESG = 04 09 30 33 32 31 31 34 30 35 50"), Some(absent(Absence::Withheld)));
    }

    /// 80: 01 date, 02 number "0301234", 07 name "ANN".
    #[test]
    fn a_multiple_data_message_is_read() {
        let body = "80180108303332313134303502073033303132333407 03414E4E";
        let caller = CallerId { name: Some("ANN".to_owned()), ..number("0301234") };
        assert_eq!(field(&format!("MESG={body}")), Some(caller.clone()));
        let sum = octets(body).unwrap().iter().fold(0u8, |sum, octet| sum.wrapping_add(*octet));
        let checked = |checksum: u8| field(&format!("MESG={body}{checksum:02X}"));
        assert_eq!(checked(sum.wrapping_neg()), Some(caller));
        assert_eq!(checked(sum.wrapping_neg() ^ 1), None, "a wrong checksum");
        assert_eq!(field("MESG=8003040150"), Some(absent(Absence::Withheld)));
        for broken in
            ["", "8", "80", "8005", "80020102", "8003020530", "80FF01", "zz", "0403303030", "99020000"]
        {
            assert_eq!(field(&format!("MESG={broken}")), None, "{broken}");
        }
    }

    #[test]
    fn cellular_presentation_is_read() {
        assert_eq!(clip("\"+491700000000\",145"), Some(number("+491700000000")));
        assert_eq!(clip("\"491700000000\",145,\"\",0,\"\",0"), Some(number("+491700000000")));
        let named = CallerId { name: Some("Doe, Jane".to_owned()), ..number("0301234") };
        assert_eq!(clip("\"0301234\",129,\"\",0,\"Doe, Jane\",0"), Some(named));
        assert_eq!(clip("\"\",128,\"\",0,\"\",1"), Some(absent(Absence::Withheld)));
        assert_eq!(clip("\"\",128,\"\",0,\"\",2"), Some(absent(Absence::Unavailable)));
        assert_eq!(clip(""), Some(absent(Absence::Withheld)));
    }
}
