//! What has to hold, as ratios and bounds within one run, and the table that tells whether it does.

use std::fmt::Write;

use crate::statistic::Spread;

/// One thing that has to hold.
pub struct Target {
    pub what: String,
    pub found: Spread,
    pub bound: Bound,
}

/// Where the median of what was found has to lie.
#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// This far from 1, either way.
    Within(f64),
}

impl Bound {
    fn holds(self, found: f64) -> bool {
        match self {
            Self::AtLeast(least) => found >= least,
            Self::AtMost(most) => found <= most,
            Self::Within(part) => (found - 1.0).abs() <= part,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
            Self::Within(part) => format!("{} to {}", 1.0 - part, 1.0 + part),
        }
    }
}

/// All of them, a line each.
pub fn table(targets: &[Target]) -> String {
    let mut text = String::from("| | found | wanted | |\n|---|---:|---:|---|\n");
    for Target { what, found, bound } in targets {
        let verdict = if bound.holds(found.median) { "met" } else { "**missed**" };
        let Spread { low, median, high } = found;
        writeln!(text, "| {what} | {median:.3} ({low:.3}–{high:.3}) | {} | {verdict} |", bound.words())
            .expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_up_to_itself() {
        for (bound, inside, outside) in [
            (Bound::AtLeast(0.92), 0.92, 0.919),
            (Bound::AtMost(2.0), 2.0, 2.001),
            (Bound::Within(0.05), 1.049, 1.051),
            (Bound::Within(0.05), 0.951, 0.949),
        ] {
            assert!(bound.holds(inside) && !bound.holds(outside), "{}", bound.words());
            assert!(!bound.holds(f64::NAN), "nothing measured is nothing met");
        }
    }
}
