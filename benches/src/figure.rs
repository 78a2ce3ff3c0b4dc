//! Figures: what came out, against what was to be reached.

use std::io::{Write as _, stdout};

use serde_json::json;

use crate::Fallible;
use crate::spread::Spread;

/// How far a figure may miss its goal before `--gate` fails: the middle half of the ratios alone is about 10 % wide on a
/// machine with unseen neighbours.
const TOLERANCE: f64 = 0.15;

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// The ratio to the floor, or more.
    RatioAtLeast(f64),
    /// The ratio to the floor, or less.
    RatioAtMost(f64),
    /// The value, or less.
    AtMost(f64),
}

/// One line of the report.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What the machine can do at best, in the same unit.
    pub(crate) floor: Option<f64>,
    /// The value by the floor, taken within each round.
    pub(crate) ratio: Option<Spread>,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    /// A figure by itself.
    pub(crate) fn plain(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, floor: None, ratio: None, goal: None }
    }

    pub(crate) fn beside(self, floor: f64, ratio: Spread) -> Self {
        Self { floor: Some(floor), ratio: Some(ratio), ..self }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// Whether the goal is reached, or missed by this share at most; `None` without a goal.
    pub(crate) fn holds(&self, tolerance: f64) -> Option<bool> {
        let ratio = self.ratio.map_or(f64::NAN, |ratio| ratio.median);
        self.goal.map(|goal| match goal {
            Goal::RatioAtLeast(goal) => ratio >= goal * (1.0 - tolerance),
            Goal::RatioAtMost(goal) => ratio <= goal * (1.0 + tolerance),
            Goal::AtMost(goal) => self.value <= goal * (1.0 + tolerance),
        })
    }

    fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::RatioAtLeast(goal)) => format!(">= {goal} x"),
            Some(Goal::RatioAtMost(goal)) => format!("<= {goal} x"),
            Some(Goal::AtMost(goal)) => format!("<= {} {}", rounded(goal), self.unit),
        }
    }

    fn row(&self) -> [String; 6] {
        let amount = |value: f64| format!("{} {}", rounded(value), self.unit);
        let ratio = |ratio: Spread| format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.low, ratio.high);
        [
            self.name.clone(),
            amount(self.value),
            self.floor.map(amount).unwrap_or_default(),
            self.ratio.map(ratio).unwrap_or_default(),
            self.goal_text(),
            self.holds(0.0)
                .map(|holds| if holds { "holds" } else { "MISSED" }.to_owned())
                .unwrap_or_default(),
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "floor": self.floor,
            "ratio": self.ratio.map(|ratio| ratio.median),
            "ratio_iqr": self.ratio.map(|ratio| [ratio.low, ratio.high]),
            "goal": self.goal.map(|_| self.goal_text()),
            "holds": self.holds(0.0),
        })
    }
}

/// Three significant digits, and no exponent.
fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

/// All figures, printed as a table at the end, or as JSON as they come.
pub(crate) struct Report {
    figures: Vec<Figure>,
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { figures: Vec::new(), json }
    }

    pub(crate) fn add(&mut self, figure: Figure) -> Fallible<()> {
        if self.json {
            writeln!(stdout(), "{}", figure.json())?;
        }
        self.figures.push(figure);
        Ok(())
    }

    pub(crate) fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// Prints the table.
    pub(crate) fn finish(&self) -> Fallible<()> {
        if self.json {
            return Ok(());
        }
        let head = ["figure", "value", "floor", "ratio (quartiles)", "goal", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> =
            std::iter::once(head).chain(self.figures.iter().map(Figure::row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(stdout(), "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Whether every goal is reached, give or take what noise may do.
    pub(crate) fn holds_within_tolerance(&self) -> bool {
        self.figures.iter().all(|figure| figure.holds(TOLERANCE) != Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_held_against_the_ratio_or_the_value() {
        let ratio = |median| Spread { low: median, median, high: median };
        let least = Figure::plain("", 6.0, "").beside(10.0, ratio(0.6)).goal(Goal::RatioAtLeast(0.6));
        assert_eq!(least.holds(0.0), Some(true));
        let most = Figure::plain("", 16.0, "").beside(10.0, ratio(1.6)).goal(Goal::RatioAtMost(1.5));
        assert_eq!((most.holds(0.0), most.holds(TOLERANCE)), (Some(false), Some(true)));
        let value = Figure::plain("", 120.0, "µs").goal(Goal::AtMost(100.0));
        assert_eq!((value.holds(TOLERANCE), value.goal_text().as_str()), (Some(false), "<= 100 µs"));
        assert_eq!(Figure::plain("", 1.0, "").holds(0.0), None);
    }
}
