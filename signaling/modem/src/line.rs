//! Octets of a modem, cut into what it says: lines, numeric result codes, shielded events of voice mode.
//!
//! In: octets in any pieces, and the time. Out: at most one [`Token`] an octet.
//! A result code in numeric form (V0) ends with CR alone, a number in a text with CR LF (V.250 5.7.1): so a number
//! that CR has ended waits for the next octet, or for a moment without one.
//! Not here: what a line means (`code.rs`).

use std::time::Duration;

/// The longest line that is kept; of a longer one the rest is passed over. An unformatted caller id of 255 octets fits.
pub(crate) const MAX_LINE: usize = 1024;

/// How long after `4 CR` the LF of a text may take.
const NUMERIC_WAIT: Duration = Duration::from_millis(60);

const DLE: u8 = 0x10;

/// Something that a modem said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A line without its end and without blanks around it; never empty.
    Line(String),
    /// A numeric result code.
    Numeric(u8),
    /// What followed a DLE.
    Shielded(char),
}

/// Cuts octets into [`Token`]s. It holds at most one line.
#[derive(Debug)]
pub(crate) struct Lexer {
    /// DLE introduces events: voice mode.
    shields: bool,
    line: Vec<u8>,
    dle: bool,
    held: Option<(u8, Duration)>,
}

impl Lexer {
    pub(crate) fn new(shields: bool) -> Self {
        Self { shields, line: Vec::new(), dle: false, held: None }
    }

    /// Forgets what was begun: the port was opened anew.
    pub(crate) fn clear(&mut self) {
        self.line.clear();
        self.dle = false;
        self.held = None;
    }

    /// Takes one octet.
    pub(crate) fn push(&mut self, now: Duration, octet: u8) -> Option<Token> {
        if std::mem::take(&mut self.dle) {
            // DLE DLE is an octet of sound that looks like one.
            return octet.is_ascii_graphic().then(|| Token::Shielded(char::from(octet)));
        }
        match octet {
            DLE if self.shields => {
                self.dle = true;
                None
            }
            b'\n' => match self.held.take() {
                Some((code, _)) => Some(Token::Line(code.to_string())),
                None => self.end(),
            },
            b'\r' => {
                let before = self.held.take().map(|(code, _)| Token::Numeric(code));
                match self.numeric() {
                    Some(code) => {
                        self.line.clear();
                        self.held = Some((code, now));
                        before
                    }
                    None => before.or_else(|| self.end()),
                }
            }
            _ => {
                let before = self.held.take().map(|(code, _)| Token::Numeric(code));
                // Noise of a line that comes up, and flow control that nobody took out.
                let is_text = octet >= b' ' && octet != 0x7f;
                if is_text && self.line.len() < MAX_LINE {
                    self.line.push(octet);
                }
                before
            }
        }
    }

    /// Gives out what has waited long enough.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Option<Token> {
        let due = self.deadline().is_some_and(|by| by <= now);
        self.held.take_if(|_| due).map(|(code, _)| Token::Numeric(code))
    }

    /// When something has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.held.map(|(_, since)| since.saturating_add(NUMERIC_WAIT))
    }

    /// The line so far, if it can be a numeric result code.
    fn numeric(&self) -> Option<u8> {
        let digits = self.line.len() <= 2 && self.line.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(&self.line).ok().filter(|_| digits)?.parse().ok()
    }

    fn end(&mut self) -> Option<Token> {
        let octets = std::mem::take(&mut self.line);
        // Names come in UTF-8 or, from the telephone network, in Latin-1.
        let text = String::from_utf8(octets)
            .unwrap_or_else(|not| not.as_bytes().iter().map(|octet| char::from(*octet)).collect());
        let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        (!text.is_empty()).then(|| Token::Line(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(shields: bool, octets: &[u8]) -> Vec<Token> {
        let mut lexer = Lexer::new(shields);
        let mut found: Vec<_> = octets.iter().filter_map(|o| lexer.push(Duration::ZERO, *o)).collect();
        found.extend(lexer.handle_timeout(Duration::from_secs(1)));
        found
    }

    fn line(text: &str) -> Token {
        Token::Line(text.to_owned())
    }

    #[test]
    fn lines_end_with_cr_or_lf_or_both() {
        let expected = vec![line("OK"), line("RING"), line("BUSY")];
        for text in [
            "\r\nOK\r\n\r\nRING\r\n\r\nBUSY\r\n",
            "OK\rRING\rBUSY\r",
            "OK\nRING\n\nBUSY\n",
            "OK\r\r\nRING\r\r\nBUSY\r\n",
        ] {
            assert_eq!(tokens(true, text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_numeric_code_ends_with_cr_alone_and_a_number_in_a_text_does_not() {
        assert_eq!(tokens(false, b"0\r"), [Token::Numeric(0)]);
        assert_eq!(tokens(false, b"2\r2\r3\r"), [Token::Numeric(2), Token::Numeric(2), Token::Numeric(3)]);
        assert_eq!(tokens(false, b"\r\n8\r\n\r\nOK\r\n"), [line("8"), line("OK")]);
        assert_eq!(tokens(false, b"6\rOK\r"), [Token::Numeric(6), line("OK")]);
        assert_eq!(tokens(false, b"56000\r"), [line("56000")]);
    }

    #[test]
    fn events_are_taken_out_of_the_text_in_voice_mode_only() {
        let text = b"\x10R\r\nO\x101K\r\n\x10\x10\x10\x03";
        assert_eq!(tokens(true, text), [Token::Shielded('R'), Token::Shielded('1'), line("OK")]);
        assert_eq!(tokens(false, b"\x10OK\r"), [line("OK")]);
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_its_room() {
        let mut lexer = Lexer::new(true);
        for _ in 0..100_000 {
            assert_eq!(lexer.push(Duration::ZERO, b'x'), None);
        }
        assert_eq!(lexer.line.len(), MAX_LINE);
        let Some(Token::Line(text)) = lexer.push(Duration::ZERO, b'\r') else { panic!("no line") };
        assert_eq!(text.len(), MAX_LINE);
    }

    #[test]
    fn noise_is_passed_over_and_latin_1_is_read() {
        assert_eq!(tokens(false, b"\0\x07\x11\x13OK\x7f\r\n"), [line("OK")]);
        assert_eq!(tokens(false, b"NAME=M\xfcller\r\n"), [line("NAME=M\u{fc}ller")]);
        assert_eq!(tokens(false, "NAME=Müller\r\n".as_bytes()), [line("NAME=Müller")]);
    }
}
