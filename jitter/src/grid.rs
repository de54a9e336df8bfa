//! The lengths of pulls: where in a pull the border between two packets can fall.
//! In: the length of each pull. Out: how far into a pull a packet begins at the latest.
//! Not here: when packets are due (`playout.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// Pulls after which a grid of pulls that has become too fine is learnt anew.
const GRID_MEMORY: u32 = 512;

/// The lengths of pulls, and the grid on which packets' borders can fall into them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// The longest pull of late, samples.
    pub(crate) longest: usize,
    common: usize,
    young_longest: usize,
    young_common: usize,
    pulls: u32,
}

impl Grid {
    pub(crate) fn new() -> Grid {
        Grid { longest: 0, common: 0, young_longest: 0, young_common: 0, pulls: 0 }
    }

    pub(crate) fn pulled(&mut self, length: usize) {
        self.longest = self.longest.max(length);
        self.common = gcd(self.common, length);
        self.young_longest = self.young_longest.max(length);
        self.young_common = gcd(self.young_common, length);
        self.pulls += 1;
        if self.pulls >= GRID_MEMORY {
            (self.longest, self.common) = (self.young_longest, self.young_common);
            (self.young_longest, self.young_common, self.pulls) = (length, length, 0);
        }
    }

    /// How far into a pull a packet can begin at the latest, in samples: that much earlier than it is heard it has to
    /// be here. The next packet begins `ahead` samples after the start of this pull; they all hold `packet`.
    pub(crate) fn latest_border(&self, ahead: usize, packet: usize) -> usize {
        let (grid, phase) = self.phase(ahead, packet);
        self.longest.saturating_sub(grid) / grid * grid + phase
    }

    /// The grid on which borders of packets fall into pulls, and how far off it they are.
    pub(crate) fn phase(&self, ahead: usize, packet: usize) -> (usize, usize) {
        let grid = gcd(self.common, packet).max(1);
        (grid, ahead % grid)
    }
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
