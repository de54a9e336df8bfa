//! TODO

mod envelope;
mod key;
mod token;

pub use envelope::*;
pub use key::*;
pub use token::*;
