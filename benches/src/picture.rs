//! A picture of the ratios: a bar for each figure that stands beside a floor and is the better the less it is, and a mark
//! where its goal is. Rates are left out: they say what the processor times say, the other way round.

use std::fmt::Write as _;

use crate::figure::{Figure, Goal};

const ROW: usize = 26;
const LABELS: usize = 430;
const BARS: usize = 420;
/// The unit of what is the better the more it is.
const PER_SECOND: &str = "/s";
/// Ratios above this run out of the picture.
const LARGEST: f64 = 3.0;

/// SVG, readable on white and on black.
pub(crate) fn drawn(figures: &[Figure]) -> String {
    let shown: Vec<_> =
        figures.iter().filter(|figure| figure.ratio.is_some() && figure.unit != PER_SECOND).collect();
    let (width, height) = (LABELS + BARS + 70, ROW * (shown.len() + 3));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#888\">\n\
         <text x=\"10\" y=\"20\" font-weight=\"bold\">What jeton takes, beside the floor of the same machine: the line \
         at 1 is the floor, shorter is better, a mark is a goal</text>\n"
    );
    for (at, figure) in shown.iter().enumerate() {
        row(&mut svg, figure, ROW * (at + 2));
    }
    let one = LABELS + place(1.0);
    let _ = writeln!(
        svg,
        "<line x1=\"{one}\" y1=\"{ROW}\" x2=\"{one}\" y2=\"{}\" stroke=\"#888\"/>\n</svg>",
        height - ROW / 2
    );
    svg
}

fn row(svg: &mut String, figure: &Figure, y: usize) {
    let ratio = figure.ratio.map_or(0.0, |ratio| ratio.median);
    let colour = if figure.holds(0.0) == Some(false) { "#c0392b" } else { "#2980b9" };
    let (length, height, text) = (place(ratio), ROW - 10, y + 13);
    let _ = writeln!(svg, "<text x=\"10\" y=\"{text}\">{}</text>", escaped(&figure.name));
    let _ = writeln!(
        svg,
        "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{length}\" height=\"{height}\" fill=\"{colour}\"/>\
         <text x=\"{}\" y=\"{text}\">{ratio:.2}</text>",
        LABELS + length + 6
    );
    if let Some(Goal::RatioAtMost(goal) | Goal::RatioAtLeast(goal)) = figure.goal {
        let x = LABELS + place(goal) - 1;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"3\" height=\"{}\" fill=\"#27ae60\"/>",
            y - 3,
            height + 6
        );
    }
}

/// How far from the left a ratio stands among the bars.
fn place(ratio: f64) -> usize {
    (ratio.clamp(0.0, LARGEST) / LARGEST * BARS as f64) as usize
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spread::Spread;

    #[test]
    fn a_figure_beside_a_floor_has_a_bar_and_a_mark() {
        let ratio = Spread { low: 1.0, median: 1.5, high: 2.0 };
        let figures = [
            Figure::plain("a < b", 3.0, "µs").beside(2.0, ratio).goal(Goal::RatioAtMost(1.25)),
            Figure::plain("alone", 1.0, "µs"),
            Figure::plain("a rate", 1.0, "/s").beside(2.0, ratio),
        ];
        let svg = drawn(&figures);
        assert!(svg.contains("a &lt; b") && svg.contains(">1.50<") && svg.contains("#c0392b"), "{svg}");
        assert!(
            svg.contains("#27ae60")
                && !svg.contains("alone")
                && !svg.contains("a rate")
                && svg.ends_with("</svg>\n"),
            "{svg}"
        );
    }
}
