//! The real-time media engine: control builds, rt runs.
