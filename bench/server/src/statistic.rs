//! From samples to figures.

/// A figure with the quartiles around it.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    /// The quartiles of `samples`, in any order.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut ordered: Vec<f64> = samples.into_iter().collect();
        ordered.sort_unstable_by(f64::total_cmp);
        let [low, median, high] = [0.25, 0.5, 0.75].map(|part| quantile(&ordered, part));
        Self { low, median, high }
    }

    /// The quartiles of the quotients of samples that belong together, round by round: what disturbed a round disturbed both.
    pub fn of_ratios(ours: &[f64], theirs: &[f64]) -> Self {
        Self::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
    }

    /// The quotient of the first quartiles, for what is disturbed in most samples and never for the better: the calmer ones tell
    /// what is compared, the others what disturbed it. Its quartiles are those of the quotients of samples that are drawn anew
    /// from these.
    pub fn of_calm(ours: &[f64], theirs: &[f64]) -> Self {
        const DRAWS: usize = 1_000;
        let calm = |samples: &[f64]| Self::of(samples.iter().copied()).low;
        // The same draws each time, so that the same samples give the same figures (Knuth's generator for MMIX).
        let mut state = 1_u64;
        let mut drawn = |samples: &[f64]| {
            let draw = |_: &f64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                samples[(state >> 33) as usize % samples.len()]
            };
            calm(&samples.iter().map(draw).collect::<Vec<_>>())
        };
        let quotients: Vec<f64> = (0..DRAWS).map(|_| drawn(ours) / drawn(theirs)).collect();
        Self { median: calm(ours) / calm(theirs), ..Self::of(quotients) }
    }
}

/// The part of `ordered` below which `part` of it lies; not a number if there is nothing.
pub fn quantile(ordered: &[f64], part: f64) -> f64 {
    let place = (ordered.len().saturating_sub(1) as f64 * part).round() as usize;
    ordered.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_its_round_or_of_the_calmer_ones() {
        let ratio = Spread::of_ratios(&[1.0, 20.0, 300.0], &[2.0, 40.0, 600.0]);
        assert_eq!([ratio.low, ratio.median, ratio.high], [0.5; 3]);
        let ratio = Spread::of_calm(&[900.0, 3.0, 1.0, 20.0, 4.0], &[5.0, 60.0, 2.0, 700.0, 30.0]);
        assert_eq!(ratio.median, 0.6);
        assert!(0.2 <= ratio.low && ratio.low <= ratio.high && ratio.high <= 10.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.99), 5.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
