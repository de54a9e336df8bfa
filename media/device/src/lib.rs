//! Sound cards: hosts that drive the engine's clock.
