//! Octets as people give them: hexadecimal in many spellings, or standard input.

use std::io::Read;

use bytes::Bytes;

use super::super::Failure;

/// The most octets read from standard input: far more than any PDU has.
const MAX_INPUT: u64 = 16 << 20;

/// All of standard input.
pub(super) fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let read = std::io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut octets);
    read.map_err(|why| Failure(format!("standard input: {why}")))?;
    if octets.len() as u64 > MAX_INPUT {
        return Err(Failure(format!("standard input: more than {MAX_INPUT} octets")));
    }
    Ok(octets)
}

/// Octets from the command line; `-` reads standard input, which is hexadecimal if all of it is.
pub(super) fn octets(words: &[String]) -> Result<Bytes, Failure> {
    if words.iter().any(|word| word == "-") {
        if words.len() > 1 {
            return Err(Failure::new("either octets or -, not both"));
        }
        let input = standard_input()?;
        if input.is_empty() {
            return Err(Failure::new("standard input is empty"));
        }
        let text = std::str::from_utf8(&input).ok().filter(|text| looks_hexadecimal(text));
        return match text {
            Some(text) => hexadecimal(text),
            None => Ok(input.into()),
        };
    }
    hexadecimal(&words.join(" "))
}

fn is_separator(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, ':' | ',')
}

fn looks_hexadecimal(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit() || is_separator(c) || matches!(c, 'x' | 'X'))
}

fn hexadecimal(text: &str) -> Result<Bytes, Failure> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        let digits = word.strip_prefix("0x").or(word.strip_prefix("0X")).unwrap_or(word);
        if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(Failure(format!("{wrong:?} in {:?} is no hexadecimal digit", shortened(word))));
        }
        if digits.len() % 2 != 0 {
            return Err(Failure(format!(
                "{:?} has {} hexadecimal digits; octets have two each",
                shortened(word),
                digits.len()
            )));
        }
        let nibbles: Vec<u8> =
            digits.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        octets.extend(
            nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)),
        );
    }
    if octets.is_empty() {
        return Err(Failure::new("no octets were given"));
    }
    Ok(octets.into())
}

fn shortened(word: &str) -> String {
    match word.char_indices().nth(24) {
        None => word.to_owned(),
        Some((at, _)) => format!("{}…", word.get(..at).unwrap_or_default()),
    }
}

/// The octets around an offset, two rows of sixteen; the one meant in brackets.
pub(super) fn around(octets: &[u8], offset: usize) -> String {
    let last = (offset / 16) * 16;
    let first = last.saturating_sub(16);
    let mut text = String::new();
    for row in (first..=last).step_by(16) {
        text.push_str(&format!("\n  {row:06x} "));
        for at in row..row + 16 {
            match (octets.get(at), at == offset) {
                (Some(octet), true) => text.push_str(&format!("[{octet:02x}]")),
                (Some(octet), false) => {
                    let gap = if at == offset + 1 && at != row { "" } else { " " };
                    text.push_str(&format!("{gap}{octet:02x}"));
                }
                (None, true) => text.push_str("[end]"),
                (None, false) => {}
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<Vec<u8>, String> {
        octets(&[text.to_owned()]).map(|octets| octets.to_vec()).map_err(|Failure(why)| why)
    }

    #[test]
    fn hexadecimal_comes_in_many_spellings() {
        for text in ["0300000a", "03 00 00 0A", "03:00:00:0a", "0x03 0x00,0x00\n0x0a\n", "0x0300000a"] {
            assert_eq!(given(text), Ok(vec![3, 0, 0, 10]), "{text}");
        }
    }

    #[test]
    fn what_is_no_hexadecimal_is_named() {
        for (text, says) in
            [("03 0g", "'g'"), ("030", "3 hexadecimal digits"), ("", "no octets"), ("0x", "no octets")]
        {
            let why = given(text).err().unwrap_or_default();
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn the_octets_around_an_offset_are_two_rows() {
        let octets: Vec<u8> = (0..40).collect();
        assert_eq!(
            around(&octets, 17),
            "\n  000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n  000010  10[11]12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f"
        );
        assert_eq!(around(&[1, 2], 2), "\n  000000  01 02[end]");
        assert_eq!(around(&[], 0), "\n  000000 [end]");
    }
}
