//! Meters. Every label comes from a closed set, so that no client can make the meters grow.

use std::time::Duration;

use actix_web::http::Method;
use flag_core::Source;
use flag_engine::Status;
use metrics::{Counter, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// How long answers take, in seconds: the borders of the histogram.
const BUCKETS: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The meters of one node.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    evaluations: [Counter; Source::ALL.len()],
}

/// The method, if it is one that anybody uses: a client may send any word of any length for one.
pub(crate) fn known_method(method: &Method) -> &'static str {
    ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl Telemetry {
    /// Meters that start at zero.
    ///
    /// # Errors
    /// Never in practice: only if the histogram had no borders.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        for (name, text) in [
            ("http_requests_total", "Requests by method, route and status."),
            ("flag_evaluations_total", "Evaluations by the rung that answered."),
        ] {
            recorder.describe_counter(name.into(), None, text.into());
        }
        let (seconds, text) = (Some(Unit::Seconds), "Time from a request to its answer, by route.");
        recorder.describe_histogram("http_request_duration_seconds".into(), seconds, text.into());
        let evaluations = Source::ALL.map(|source| {
            let labels = vec![Label::from_static_parts("source", source.name())];
            recorder.register_counter(&Key::from_parts("flag_evaluations_total", labels), &METADATA)
        });
        let handle = recorder.handle();
        Ok(Self { recorder, handle, evaluations })
    }

    /// Keeps histograms from growing while nobody reads them; call it every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    pub(crate) fn evaluated(&self, source: Source) {
        let place = Source::ALL.iter().position(|known| *known == source);
        if let Some(counter) = place.and_then(|place| self.evaluations.get(place)) {
            counter.increment(1);
        }
    }

    /// The meter that counts answers of one kind.
    pub(crate) fn answers(&self, method: &'static str, route: &str, status: u16) -> Counter {
        let labels = vec![
            Label::from_static_parts("method", method),
            Label::new("route", route.to_owned()),
            Label::new("status", status.to_string()),
        ];
        self.recorder.register_counter(&Key::from_parts("http_requests_total", labels), &METADATA)
    }

    /// The meter of how long answers of a route take, in seconds.
    pub(crate) fn durations(&self, route: &str) -> Histogram {
        let labels = vec![Label::new("route", route.to_owned())];
        let key = Key::from_parts("http_request_duration_seconds", labels);
        self.recorder.register_histogram(&key, &METADATA)
    }

    /// The meters as text, those of the engine included.
    pub(crate) fn render(&self, status: &Status) -> String {
        use std::fmt::Write;

        let up = |is_up: bool| f64::from(u8::from(is_up));
        #[expect(clippy::cast_precision_loss, reason = "meters are floats")]
        let number = |number: u64| number as f64;
        // Whoever compares with `NaN` gets no for an answer, and an alert would be silent where nothing was ever confirmed.
        let seconds = |age: Option<Duration>| age.map_or(f64::INFINITY, |age| age.as_secs_f64());
        let revision = status.version.map_or(0, |version| version.revision);
        let mut text = self.handle.render();
        for (name, kind, help, value) in [
            ("flag_revision", "gauge", "The revision of the live snapshot.", number(revision)),
            ("flag_flags", "gauge", "Flags in the live snapshot.", number(status.flags as u64)),
            (
                "flag_quarantined",
                "gauge",
                "Flags that cannot be read, and rows that do not tell their flag.",
                number((status.quarantine.len() + status.quarantine.nameless()) as u64),
            ),
            ("flag_ready", "gauge", "1 if there is a live snapshot.", up(status.version.is_some())),
            (
                "flag_store_up",
                "gauge",
                "1 if the store answered when last asked.",
                up(status.store == flag_engine::StoreStatus::Up),
            ),
            (
                "flag_store_confirmed_age_seconds",
                "gauge",
                "Time since the store last confirmed that the live snapshot is the newest.",
                seconds(status.confirmed),
            ),
            (
                "flag_cache_up",
                "gauge",
                "1 if the cache that nodes share answers; 1 also where there is none.",
                up(status.cache.is_none_or(|(_, is_up)| is_up)),
            ),
            (
                "flag_bootstrap_up",
                "gauge",
                "1 if this node keeps what it would start from; 1 also where it keeps nothing.",
                up(status.bootstrap.is_none_or(|bootstrap| bootstrap.is_up)),
            ),
            (
                "flag_bootstrap_refused_total",
                "counter",
                "Kept snapshots that were passed over because they could not be used.",
                number(status.bootstrap.map_or(0, |bootstrap| bootstrap.refused)),
            ),
            ("flag_feed_up", "gauge", "1 if hints of changes are expected to arrive.", up(status.feed.1)),
            ("flag_batches_total", "counter", "Transactions that held changes.", number(status.batches)),
            ("flag_changes_total", "counter", "Changes committed by this node.", number(status.changes)),
            (
                "flag_conflicts_total",
                "counter",
                "Times that another node was first.",
                number(status.conflicts),
            ),
            (
                "flag_turned_away_total",
                "counter",
                "Writes refused because too many waited.",
                number(status.turned_away),
            ),
            (
                "flag_replays_total",
                "counter",
                "Writes that had been made before and were answered as then.",
                number(status.replays),
            ),
            (
                "flag_receipts_full_total",
                "counter",
                "Writes refused because no more idempotency keys could be kept.",
                number(status.receipts_full),
            ),
        ] {
            let value = if value.is_infinite() { "+Inf".to_owned() } else { value.to_string() };
            // Writing into a text cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        text
    }
}
