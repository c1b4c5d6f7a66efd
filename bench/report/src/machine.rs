//! Where it was measured, and with what.

use std::{fs, process::Command};

/// Processor, number of cores, and compiler, in one line.
pub fn description() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // Not those that this thread may run on: a bench keeps itself to some of them.
    let cores = known.lines().filter(|line| line.starts_with("processor")).count();
    format!("{}, {cores} cores; {}, {}", processor(&known), std::env::consts::ARCH, compiler())
}

/// The compiler, with its version.
pub fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    text.split(" (").next().unwrap_or_default().trim().to_owned()
}

fn processor(known: &str) -> String {
    let value = |name: &str| {
        let line = known.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value("model name").unwrap_or_else(|| "unknown processor".to_owned());
    let [family, number] =
        ["cpu family", "model\t"].map(|name| value(name).unwrap_or_else(|| "?".to_owned()));
    let cache = value("cache size").map(|size| format!(", cache {size}")).unwrap_or_default();
    format!("{model} (family {family}, model {number}{cache})")
}
