//! The application's side of TAPI: addresses, calls, streams, terminals and events.
