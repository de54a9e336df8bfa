//! The media service provider: addresses, calls, streams and terminals.
