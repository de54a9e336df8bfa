//! The checks, in the order of the suite. Each leaves the device without calls.

mod basics;
mod calls;
mod devices;
mod ends;
mod services;

pub(crate) use basics::{basics, features, handles};
pub(crate) use calls::{incoming, numbers, opaque, outgoing};
pub(crate) use devices::{extension, phone};
pub(crate) use ends::{ends, line_close, shutdown};
pub(crate) use services::{conferences, services};
