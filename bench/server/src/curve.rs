//! Pictures of how long things take: by quantile, on logarithmic scales, legible on light and dark ground.

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 730.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 296.0;

/// The quantiles that have a mark. Each next one is ten times as rare.
const MARKS: [(f64, &str); 5] =
    [(0.0, "shortest"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

const STYLE: &str = "\
    text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 13px }\n\
    .small { font-size: 11px; fill: #59636e } .ground { fill: #ffffff } line { stroke: #d1d9e0 }\n\
    polyline { fill: none; stroke-width: 2 } .grey { stroke: #6e7781 } .blue { stroke: #0969da } .green { stroke: #1a7f37 }\n\
    @media (prefers-color-scheme: dark) {\n\
    text { fill: #e6edf3 } .small { fill: #9198a1 } .ground { fill: #0d1117 } line { stroke: #3d444d }\n\
    .grey { stroke: #9198a1 } .blue { stroke: #4493f8 } .green { stroke: #3fb950 }\n}";

#[derive(Clone, Copy)]
pub enum Colour {
    Grey,
    Blue,
    Green,
}

impl Colour {
    fn class(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

/// Microseconds by quantile.
pub struct Curve {
    name: String,
    colour: Colour,
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// The curve of a function that gives the microseconds at a quantile.
    pub fn through(name: &str, colour: Colour, at: impl Fn(f64) -> f64) -> Self {
        let quantiles = (0..=120).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / 40.0));
        let points = quantiles.map(|part| (part, at(part))).collect();
        Self { name: name.to_owned(), colour, points }
    }
}

pub fn draw(title: &str, curves: &[Curve]) -> String {
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| value.max(0.1).log10());
    let (low, high) = (values().fold(f64::INFINITY, f64::min).floor(), values().fold(0.0, f64::max).ceil());
    let x = |part: f64| LEFT + (1.0 - part).max(0.001).log10().abs() / 3.0 * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - (value.max(0.1).log10() - low) / (high - low).max(1.0) * (BOTTOM - TOP);
    let mut shapes = vec![text("title", 16.0, 26.0, "start", title)];
    for (part, name) in MARKS {
        shapes.push(line((x(part), TOP), (x(part), BOTTOM)));
        shapes.push(text("small", x(part), BOTTOM + 18.0, "middle", name));
    }
    for power in low as i32..=high as i32 {
        let (value, place) = (10_f64.powi(power), y(10_f64.powi(power)));
        let label = if power < 3 { format!("{value} µs") } else { format!("{} ms", value / 1e3) };
        shapes.push(line((LEFT, place), (RIGHT, place)));
        shapes.push(text("small", LEFT - 8.0, place + 4.0, "end", &label));
    }
    for (place, Curve { name, colour, points }) in curves.iter().enumerate() {
        let points: Vec<String> =
            points.iter().map(|(part, value)| format!("{:.1},{:.1}", x(*part), y(*value))).collect();
        let class = colour.class();
        shapes.push(format!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" ")));
        let (from, height) = (LEFT + 200.0 * place as f64, 48.0);
        let key = format!("{from},{} {},{}", height - 4.0, from + 22.0, height - 4.0);
        shapes.push(format!("<polyline class=\"{class}\" points=\"{key}\"/>"));
        shapes.push(text("small", from + 28.0, height, "start", name));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
        width=\"{WIDTH}\" height=\"{HEIGHT}\" aria-label=\"{title}\">\n\
        <style>\n{STYLE}\n</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n{}\n</svg>\n",
        shapes.join("\n")
    )
}

fn text(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
}
