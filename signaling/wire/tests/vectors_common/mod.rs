//! The PDU vectors, read from their files; and a way to run something for the type of each.
//! In: `tests/data/vectors/*.jsonl`, and those of the directory that `OFFHOOK_VECTORS` names.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use offhook_wire::per::{self, Type};
use offhook_wire::{h225, h245, h450};
use serde_json::Value;

/// What a vector is to show. See `tests/data/vectors/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Valid,
    UnknownAddition,
    UnknownAlternative,
    Lenient,
    MustReject,
    MustNotPanic,
}

pub struct Vector {
    pub id: String,
    pub pdu: String,
    pub kind: Kind,
    pub octets: Bytes,
    pub value: Option<Value>,
    pub reencode: Option<String>,
}

fn directories() -> Vec<PathBuf> {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors")];
    directories.extend(std::env::var_os("OFFHOOK_VECTORS").map(PathBuf::from));
    directories
}

/// All vectors of the directories, in a fixed order.
pub fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for directory in directories() {
        let entries = std::fs::read_dir(&directory).expect("the directory of vectors");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a readable file of vectors");
            vectors.extend(text.lines().map(parse));
        }
    }
    vectors
}

fn parse(line: &str) -> Vector {
    let row: Value = serde_json::from_str(line).expect("a row of JSON");
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    Vector {
        id: text("id").expect("an id"),
        pdu: text("pdu").expect("a PDU"),
        kind: match text("kind").as_deref() {
            Some("valid") => Kind::Valid,
            Some("unknown-addition") => Kind::UnknownAddition,
            Some("unknown-alternative") => Kind::UnknownAlternative,
            Some("lenient") => Kind::Lenient,
            Some("must-reject") => Kind::MustReject,
            Some("must-not-panic") => Kind::MustNotPanic,
            other => panic!("unknown kind {other:?}"),
        },
        octets: unhex(&text("hex").expect("octets")).into(),
        value: row.get("value").cloned(),
        reencode: text("reencode"),
    }
}

pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal octets");
    (0..text.len()).step_by(2).map(octet).collect()
}

/// Something to do with each vector, whatever its type.
pub trait Visit {
    type Output;
    fn visit<T: Type + PartialEq + Clone + std::fmt::Debug>(&mut self, vector: &Vector) -> Self::Output;
}

/// Does it, for the type that the vector names.
pub fn visit<V: Visit>(vector: &Vector, visitor: &mut V) -> V::Output {
    match vector.pdu.as_str() {
        "RasMessage" => visitor.visit::<h225::RasMessage>(vector),
        "H323-UserInformation" => visitor.visit::<h225::H323UserInformation>(vector),
        "MultimediaSystemControlMessage" => visitor.visit::<h245::MultimediaSystemControlMessage>(vector),
        "OpenLogicalChannel" => visitor.visit::<h245::OpenLogicalChannel>(vector),
        "H4501SupplementaryService" => visitor.visit::<h450::H4501SupplementaryService>(vector),
        other => panic!("no type for {other}"),
    }
}

/// Decodes as any of the top types, and throws the result away.
pub fn decode_as_everything(octets: &Bytes) {
    drop(per::decode::<h225::RasMessage>(octets));
    drop(per::decode::<h225::H323UserInformation>(octets));
    drop(per::decode::<h245::MultimediaSystemControlMessage>(octets));
    drop(per::decode::<h245::OpenLogicalChannel>(octets));
    drop(per::decode::<h450::H4501SupplementaryService>(octets));
}
