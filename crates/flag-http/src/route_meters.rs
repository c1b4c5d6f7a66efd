//! The meters of routes as one thread of the server keeps them: each is looked up in the recorder when it is first needed, and
//! not at every request.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::http::Method;
use metrics::{Counter, Histogram};

use crate::telemetry::{Telemetry, known_method};

/// The meters of every route that this thread has answered for. Routes, methods and statuses come from closed sets.
#[derive(Default)]
pub(crate) struct RouteMeters {
    /// In the order in which they were first asked for: few, and the busiest soonest.
    known: RefCell<Vec<Meters>>,
}

struct Meters {
    route: String,
    durations: Histogram,
    /// By method and status; of both a route sees few.
    answers: Vec<(&'static str, u16, Counter)>,
}

impl RouteMeters {
    /// Notes that a request was answered; `telemetry` has the meters that are not known yet.
    pub(crate) fn answered(
        &self,
        telemetry: &Telemetry,
        method: &Method,
        route: &str,
        status: u16,
        elapsed: Duration,
    ) {
        let method = known_method(method);
        let mut known = self.known.borrow_mut();
        let place = known.iter().position(|meters| meters.route == route).unwrap_or_else(|| {
            let durations = telemetry.durations(route);
            known.push(Meters { route: route.to_owned(), durations, answers: Vec::new() });
            known.len() - 1
        });
        let Some(Meters { durations, answers, .. }) = known.get_mut(place) else { return };
        durations.record(elapsed.as_secs_f64());
        match answers.iter().find(|(of, with, _)| (*of, *with) == (method, status)) {
            Some((.., counter)) => counter.increment(1),
            None => {
                let counter = telemetry.answers(method, route, status);
                counter.increment(1);
                answers.push((method, status, counter));
            }
        }
    }
}
