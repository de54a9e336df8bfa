//! A virtual driver and network.
