//! Adaptive playout: packets in by arrival, samples out on demand.
