//! The chart: a bar for each contestant of each scenario, on a logarithmic scale, legible on light and dark ground.

use flag_bench_report::number::short;

use crate::{contestant::Form, roster::Role, table::Heat};

const WIDTH: f64 = 860.0;
/// Where bars begin; names stand to the left.
const LEFT: f64 = 262.0;
/// Where the longest bar ends; its number stands to the right.
const RIGHT: f64 = 780.0;
const ROW: f64 = 17.0;
const HEADING: f64 = 34.0;
/// Where the first heading begins; the scale stands above.
const TOP: f64 = 56.0;

const STYLE: &str = "\
    text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 13px }\n\
    .small { font-size: 11px; fill: #59636e } .ground { fill: #ffffff } line { stroke: #d1d9e0 }\n\
    .ours { fill: #0969da } .minimum { fill: #6e7781 } .peer { fill: #b9c0c8 }\n\
    @media (prefers-color-scheme: dark) {\n\
    text { fill: #e6edf3 } .small { fill: #9198a1 } .ground { fill: #0d1117 } line { stroke: #3d444d }\n\
    .ours { fill: #4493f8 } .minimum { fill: #9198a1 } .peer { fill: #4b535d }\n}";

/// Draws the heats whose context is made inside the loop.
pub fn draw(heats: &[Heat]) -> String {
    let heats: Vec<&Heat> = heats.iter().filter(|heat| heat.form == Form::Built).collect();
    let scale = Scale::covering(heats.iter().flat_map(|heat| &heat.lines).map(|line| line.median));
    let rows: usize = heats.iter().map(|heat| heat.lines.len()).sum();
    let mut drawing = Drawing(String::new());
    let bottom = TOP + rows as f64 * ROW + heats.len() as f64 * HEADING + 8.0;
    drawing.text("title", 16.0, 26.0, "start", "Time of one evaluation, context built for each question");
    drawing.text("small", RIGHT, 26.0, "end", "logarithmic scale, shorter is better");
    for power in scale.low..=scale.high {
        let x = scale.x(10f64.powi(power));
        let (unit, below) = match power {
            ..3 => ("ns", 0),
            3..6 => ("µs", 3),
            _ => ("ms", 6),
        };
        drawing.line(x, TOP, bottom - 4.0);
        drawing.text("small", x, TOP - 5.0, "middle", &format!("{} {unit}", 10f64.powi(power - below)));
    }
    let mut y = TOP;
    for heat in heats {
        y += HEADING;
        drawing.text("title", 16.0, y - 9.0, "start", &format!("{}: {}", heat.scenario, heat.title));
        for line in heat.ranked() {
            let end = scale.x(line.median);
            drawing.text("name", LEFT - 8.0, y + 12.0, "end", line.name);
            drawing.bar(class(line.role), y + 1.5, end);
            drawing.text("small", end + 6.0, y + 12.0, "start", &format!("{} ns", short(line.median)));
            y += ROW;
        }
    }
    drawing.framed(bottom)
}

fn class(role: Role) -> &'static str {
    match role {
        Role::Ours => "ours",
        Role::Minimum | Role::Floor => "minimum",
        Role::Peer => "peer",
    }
}

/// The elements drawn so far.
struct Drawing(String);

impl Drawing {
    fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        self.0 += &format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
        );
    }

    fn line(&mut self, x: f64, top: f64, bottom: f64) {
        self.0 += &format!("<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\n");
    }

    fn bar(&mut self, class: &str, y: f64, end: f64) {
        let width = end - LEFT;
        self.0 += &format!(
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"13\" rx=\"2\"/>\n"
        );
    }

    /// The finished document.
    fn framed(self, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
            width=\"{WIDTH}\" height=\"{height}\" aria-label=\"Time of one evaluation, by scenario\">\n\
            <style>\n{STYLE}\n</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
            self.0
        )
    }
}

/// From whole powers of ten to places on the drawing.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    fn covering(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let least = numbers.clone().fold(f64::INFINITY, f64::min);
        let most = numbers.fold(0.0, f64::max);
        Self { low: least.log10().floor() as i32, high: most.log10().ceil() as i32 }
    }

    fn x(&self, number: f64) -> f64 {
        let part = (number.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        LEFT + part * (RIGHT - LEFT)
    }
}
