//! Meters of how far behind the node and the cluster are, and of every bound that was hit.

use std::fmt::Write;
use std::time::Duration;

use flag_engine::Status;

use crate::node::Node;

/// The meters as text. What is not known is `NaN`.
pub(crate) fn render(node: &Node, status: &Status) -> String {
    let seconds = |age: Option<Duration>| age.map_or(f64::NAN, |age| age.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "meters are floats")]
    let count = |count: Option<usize>| count.map_or(f64::NAN, |count| count as f64);
    let cluster = status.cluster;
    let disagreement = cluster.map(|cluster| usize::from(cluster.disagreement));
    let mut text = String::new();
    for (name, help, value) in [
        (
            "flag_snapshot_age_seconds",
            "Time since the live snapshot became live on this node.",
            seconds(status.age),
        ),
        (
            "flag_nodes",
            "Nodes of the environment that have reported within ten seconds, this one included.",
            count(cluster.map(|cluster| cluster.nodes)),
        ),
        (
            "flag_nodes_behind",
            "Nodes that had not come as far as this one when they last reported, silent ones included.",
            count(cluster.map(|cluster| cluster.behind)),
        ),
        (
            "flag_nodes_silent",
            "Nodes that have not reported for ten seconds, nor stopped in order, nor are forgotten.",
            count(cluster.map(|cluster| cluster.silent)),
        ),
        (
            "flag_nodes_disagree",
            "1 if two nodes at the same version hold different flags.",
            count(disagreement),
        ),
        ("flag_connections", "Connections of clients.", count(Some(node.connections.open()))),
    ] {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    let name = "flag_bound_hits_total";
    let _ = writeln!(text, "# HELP {name} Times that a bound was hit.\n# TYPE {name} counter");
    let own = [node.pages.waited_in_vain(), node.connections.full()];
    for bound in status.bounds.iter().chain(&own) {
        let _ = writeln!(text, "{name}{{bound=\"{}\"}} {}", bound.name, bound.hits);
    }
    text
}
