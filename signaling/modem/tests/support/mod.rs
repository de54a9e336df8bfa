//! What the tests share: modems on pseudo-terminals, and a desk to drive the provider from.

#![allow(dead_code, unused_imports, reason = "each test program uses its part")]

mod desk;
mod modem;

pub(crate) use desk::Desk;
pub(crate) use modem::{Modem, PATIENCE, wait};
