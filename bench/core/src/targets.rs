//! What flag-core has to reach, as ratios within one run.

use crate::table::{Heat, Ratio};

pub struct Target {
    /// At most so many times the time of the minimum.
    pub of_minimum: f64,
    /// At least so many times as fast as the fastest peer.
    pub of_peer: f64,
}

/// The target of a scenario; one that only explains another has none.
pub fn target(scenario: &str) -> Option<Target> {
    let (of_minimum, of_peer) = match scenario {
        "A" => (1.3, 2.5),
        "B" => (1.3, 4.0),
        "C" => (1.3, 2.5),
        "D" | "D million" => (1.2, 2.0),
        "F" => (0.8, 15.0),
        _ => return None,
    };
    Some(Target { of_minimum, of_peer })
}

/// How flag-core stands in one heat.
pub struct Standing {
    pub target: Target,
    pub of_minimum: Ratio,
    pub of_peer: Ratio,
}

impl Standing {
    pub fn of(heat: &Heat) -> Option<Self> {
        let target = target(heat.scenario)?;
        let of_minimum = heat.ours().over(heat.minimum());
        Some(Self { target, of_minimum, of_peer: heat.fastest_peer().over(heat.ours()) })
    }

    pub fn minimum_is_met(&self) -> bool {
        self.of_minimum.median <= self.target.of_minimum
    }

    pub fn peer_is_met(&self) -> bool {
        self.of_peer.median >= self.target.of_peer
    }
}
