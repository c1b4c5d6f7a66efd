//! Who takes part in which scenario, and as what.

use crate::{
    contestant::{Contestant, Form, contestant},
    engine::Engine,
    minimum::{HashTables, OneByOne, OnePass, Sets, Shares, States},
    ours::Ours,
    peers::{
        configcat::ConfigCat, eppo::Eppo, feature_flag::FeatureFlag, flagsmith::Flagsmith,
        growthbook::GrowthBook, launchdarkly::LaunchDarkly, unleash::Unleash,
    },
    scenario::{Field, Scenario},
};

/// What a contestant is measured for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Ours,
    /// What flag-core is held against; if there are several, the fastest one.
    Minimum,
    /// Hand-written as well, to show how low one could get by another interface.
    Floor,
    Peer,
}

/// A contestant, to be made when its turn comes.
#[derive(Clone, Copy)]
pub struct Entrant {
    pub name: &'static str,
    pub role: Role,
    make: fn(&Scenario, Form) -> Box<dyn Contestant>,
}

impl Entrant {
    pub fn make(&self, scenario: &Scenario, form: Form) -> Box<dyn Contestant> {
        (self.make)(scenario, form)
    }
}

fn entrant<E: Engine + 'static>(name: &'static str, role: Role) -> Entrant {
    Entrant { name, role, make: contestant::<E> }
}

/// Everybody who takes part.
pub fn entrants(scenario: &Scenario) -> Vec<Entrant> {
    let mut entrants = vec![entrant::<Ours>("flag-core", Role::Ours)];
    entrants.extend(match scenario.id {
        "A" => vec![entrant::<States>("minimum", Role::Minimum)],
        "B" => vec![entrant::<Shares>("minimum", Role::Minimum)],
        "F" => vec![
            entrant::<OneByOne>("minimum, one by one", Role::Minimum),
            entrant::<OnePass>("minimum, one pass", Role::Floor),
        ],
        _ => vec![
            entrant::<Sets>("minimum, set", Role::Minimum),
            entrant::<HashTables>("minimum, hashes", Role::Minimum),
        ],
    });
    entrants.push(entrant::<Unleash>("unleash-yggdrasil", Role::Peer));
    if scenario.field == Field::Everybody {
        entrants.extend([
            entrant::<FeatureFlag>("feature-flag", Role::Peer),
            entrant::<Eppo>("eppo_core", Role::Peer),
            entrant::<LaunchDarkly>("launchdarkly-server-sdk-evaluation", Role::Peer),
            entrant::<ConfigCat>("configcat", Role::Peer),
            entrant::<GrowthBook>("growthbook-rust", Role::Peer),
            entrant::<Flagsmith>("flagsmith-flag-engine", Role::Peer),
        ]);
    }
    entrants
}
