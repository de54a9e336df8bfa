//! Measures delay between two recordings.
//! Not here yet.
