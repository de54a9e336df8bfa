//! What the tests of properties share.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, reason = "each test file uses its part")]

pub mod fuzz_driver;
pub mod fuzz_properties;
pub mod notation;
pub mod random;
pub mod roots;
pub mod tools;
