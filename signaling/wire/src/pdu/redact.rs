//! Secrets within descriptions, taken out: what may stand in a log.
//! In: a description, [expanded](super::nested) or not. Out: the same without H.235's tokens, hashes and keys.
//!
//! Hashes go as well as passwords: a password token of H.235 holds everything that guessing its password needs. What was
//! taken apart of an encoding with a secret in it loses the encoding too.
//!
//! Not here: octets. A capture holds them as they were on the wire.

use serde_json::Value;

use super::nested::ENCODED;

/// What stands in the place of a secret.
pub const HIDDEN: &str = "(not shown)";

/// Members that hold secrets, by the names of H.225.0, H.235 and H.245.
const SECRETS: [&str; 8] = [
    "accessTokens",
    "challenge",
    "cryptoTokens",
    "h235Key",
    "integrityCheckValue",
    "password",
    "sharedSecret",
    "tokens",
];

/// Takes the secrets out of `description`, and says how many there were.
pub fn redact(description: &mut Value) -> usize {
    match description {
        Value::Array(elements) => elements.iter_mut().map(redact).sum(),
        Value::Object(members) => {
            let mut hidden = 0;
            for (name, member) in members.iter_mut() {
                if SECRETS.contains(&name.as_str()) {
                    *member = HIDDEN.into();
                    hidden += 1;
                } else {
                    hidden += redact(member);
                }
            }
            if hidden > 0 {
                members.shift_remove(ENCODED);
            }
            hidden
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_keys_and_what_encodes_them_are_hidden_and_nothing_else() {
        let mut description = json!({
            "tokens": [{"tokenOID": "0.0.8.235.0.2.1", "password": "hunter2"}],
            "h245Control": [{"_encoded": "0011", "OpenLogicalChannel": {
                "encryptionSync": {"synchFlag": 1, "h235Key": "c0ffee"},
            }}, {"_encoded": "2233", "x": {"sequenceNumber": 7}}],
            "tokenRate": 5,
            "sourceAddress": [{"h323-ID": "tokens"}],
        });
        assert_eq!(redact(&mut description), 2);
        assert_eq!(
            description,
            json!({
                "tokens": HIDDEN,
                "h245Control": [{"OpenLogicalChannel": {
                    "encryptionSync": {"synchFlag": 1, "h235Key": HIDDEN},
                }}, {"_encoded": "2233", "x": {"sequenceNumber": 7}}],
                "tokenRate": 5,
                "sourceAddress": [{"h323-ID": "tokens"}],
            })
        );
    }
}
