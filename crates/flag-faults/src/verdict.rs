//! What a scenario comes to: figures if what must hold held, else what broke, and when.

use std::time::Duration;

/// Something that must hold did not. Every other error means that the bench itself could not go on, which is no proof of
/// anything: a mutant counts as caught only by one of these.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

/// A program or a right that the scenario needs is missing on this machine: nothing was tried, and nothing is proved.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotRun(pub(crate) String);

/// Ends the scenario with a [`Violation`] unless the condition holds.
macro_rules! must {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(anyhow::Error::new($crate::verdict::Violation(format!($($text)+))));
        }
    };
}
pub(crate) use must;

/// What was seen, in the words of the line that is printed.
#[derive(Default, Debug)]
pub(crate) struct Figures(Vec<String>);

impl Figures {
    /// The figures with one more: a number or a time, and what it counts.
    pub(crate) fn with(mut self, figure: impl Into<String>) -> Self {
        self.0.push(figure.into());
        self
    }

    pub(crate) fn line(&self) -> String {
        self.0.join(", ")
    }
}

/// Times that something took.
#[derive(Clone, Default, Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that `per_mille` of a thousand do not exceed; nothing if nothing was timed.
    pub(crate) fn quantile(&self, per_mille: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * per_mille).div_ceil(1_000).saturating_sub(1);
        sorted.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn p99(&self) -> Duration {
        self.quantile(990)
    }

    pub(crate) fn max(&self) -> Duration {
        self.quantile(1_000)
    }

    /// Median, 99th percentile and maximum, in milliseconds.
    pub(crate) fn line(&self) -> String {
        let [median, p99, max] = [500, 990, 1_000].map(|place| millis(self.quantile(place)));
        format!("p50 {median} p99 {p99} max {max}")
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// A time as people read it.
pub(crate) fn millis(time: Duration) -> String {
    match time.as_millis() {
        0..10 => format!("{:.1} ms", time.as_secs_f64() * 1_000.0),
        10..10_000 => format!("{} ms", time.as_millis()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_seen() {
        let times: Times = (1..=200).map(Duration::from_millis).collect();
        for (per_mille, expected) in [(500, 100), (990, 198), (1_000, 200), (0, 1)] {
            assert_eq!(times.quantile(per_mille), Duration::from_millis(expected), "{per_mille}");
        }
        assert_eq!(Times::default().max(), Duration::ZERO);
    }
}
