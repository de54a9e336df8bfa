//! H.235 (2014, `H235-SECURITY-MESSAGES`): security tokens for H.225.0.
//! Top types: [`ClearToken`], [`CryptoToken`].

mod envelope;
mod key;
mod token;

pub use envelope::*;
pub use key::*;
pub use token::*;
