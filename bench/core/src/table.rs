//! What was measured, and the ratios that count.

use std::collections::HashMap;

use flag_bench_report::number::short;

use crate::{contestant::Form, roster::Role};

/// One scenario in one form.
pub struct Heat {
    pub scenario: &'static str,
    pub title: &'static str,
    pub form: Form,
    pub lines: Vec<Line>,
}

/// One contestant of a heat.
pub struct Line {
    pub name: &'static str,
    pub role: Role,
    /// Nanoseconds of one evaluation, the median of the samples.
    pub median: f64,
    pub allocations: Option<f64>,
    samples: Vec<f64>,
}

/// A ratio of two contestants: the median over the rounds, and the quartiles around it.
#[derive(Clone, Copy)]
pub struct Ratio {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

/// Allocations of one evaluation, by scenario, form and contestant.
pub type Allocations = HashMap<(String, String, String), f64>;

impl Line {
    pub fn new(name: &'static str, role: Role, samples: Vec<f64>) -> Self {
        Self { name, role, median: quantile(&samples, 0.5), allocations: None, samples }
    }

    /// Times of this contestant over those of another one in the same rounds, so that what disturbed both cancels.
    pub fn over(&self, other: &Self) -> Ratio {
        let ratios: Vec<f64> =
            self.samples.iter().zip(&other.samples).map(|(ours, theirs)| ours / theirs).collect();
        let [low, median, high] = [0.25, 0.5, 0.75].map(|part| quantile(&ratios, part));
        Ratio { low, median, high }
    }
}

impl Heat {
    pub fn ours(&self) -> &Line {
        self.fastest(Role::Ours)
    }

    /// The minimum that counts: the fastest one.
    pub fn minimum(&self) -> &Line {
        self.fastest(Role::Minimum)
    }

    pub fn fastest_peer(&self) -> &Line {
        self.fastest(Role::Peer)
    }

    fn fastest(&self, role: Role) -> &Line {
        let candidates = self.lines.iter().filter(|line| line.role == role);
        candidates.min_by(|a, b| a.median.total_cmp(&b.median)).expect("every heat has one of each")
    }

    /// The lines, fastest first.
    pub fn ranked(&self) -> Vec<&Line> {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by(|a, b| a.median.total_cmp(&b.median));
        lines
    }

    pub fn add_allocations(&mut self, allocations: &Allocations) {
        for line in &mut self.lines {
            let key = (self.scenario.to_owned(), self.form.name().to_owned(), line.name.to_owned());
            line.allocations = allocations.get(&key).copied();
        }
    }

    /// As text for a terminal.
    pub fn print(&self) {
        println!("\n{}: {}, context {}", self.scenario, self.title, self.form.name());
        println!(
            "{:36} {:>12} {:>10} {:>12} {:>12}",
            "", "median ns", "× minimum", "× flag-core", "allocations"
        );
        for line in self.ranked() {
            let to_minimum = line.over(self.minimum()).median;
            let to_ours = line.over(self.ours()).median;
            let allocations = line.allocations.map_or("?".to_owned(), short);
            println!(
                "{:36} {:>12.1} {to_minimum:>10.2} {to_ours:>12.2} {allocations:>12}",
                line.name, line.median
            );
        }
    }
}

fn quantile(numbers: &[f64], part: f64) -> f64 {
    let mut ordered = numbers.to_vec();
    ordered.sort_by(f64::total_cmp);
    let place = ((ordered.len() - 1) as f64 * part).round() as usize;
    ordered[place]
}
