//! How results look for people: tables as wide as their terminal, and texts that can do a terminal no harm.

use std::io::IsTerminal as _;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::fault::Fault;

/// A text from elsewhere, without what a terminal would take for a command: names are written by others.
pub(crate) fn clean(text: &str) -> String {
    let harmful = |c: char| {
        // Those that change the direction of what follows hide as well as control characters do.
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// A text, or a dash where there is none.
pub(crate) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { clean(text) }
}

/// A table with a heading for each column, as wide as the terminal. Where that is too narrow for columns that can be read,
/// each row becomes a [`sheet`].
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut table = plain();
    let heading = |text: &&str| {
        let cell = Cell::new(text);
        if colours() { cell.add_attribute(Attribute::Bold) } else { cell }
    };
    table.set_header(headings.iter().map(heading).collect::<Vec<_>>());
    table.add_rows(rows);
    let widths = table.column_max_content_widths();
    // The first column is what other commands take: it stays in one piece, to be copied, and so do short ones.
    let whole = |column: usize| column == 0 || widths[column] <= SHORT;
    let needed = widths.iter().enumerate().map(|(column, width)| {
        let width = if whole(column) { *width } else { (*width).min(NARROWEST) };
        u32::from(width) + u32::from(GAP)
    });
    if table.width().is_some_and(|width| needed.sum::<u32>() > u32::from(width)) {
        let sheets =
            rows.iter().map(|row| sheet(&headings.into_iter().zip(row.iter().cloned()).collect::<Vec<_>>()));
        return sheets.collect::<Vec<_>>().join("\n");
    }
    for (column, cells) in table.column_iter_mut().enumerate() {
        if whole(column) {
            cells.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    finish(&mut table)
}

/// Columns up to this wide are never broken.
const SHORT: u16 = 10;

/// A column that is broken into lines has at least this width, or it can't be read.
const NARROWEST: u16 = 11;

/// Between two columns.
const GAP: u16 = 2;

/// One thing: what is known of it, line by line. What is empty is left out.
pub(crate) fn sheet(lines: &[(&str, String)]) -> String {
    let mut table = plain();
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let name = Cell::new(name);
        table.add_row([if colours() { name.fg(Color::Cyan) } else { name }, Cell::new(value)]);
    }
    finish(&mut table)
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn finish(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// Whether people may want colours; that standard output is a terminal is looked at by the table itself.
fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A word in a colour, for those who stand out of tables. Unlike a table it has to look for itself who reads.
pub(crate) fn in_colour(word: &str, colour: Colour) -> String {
    if colours() && std::io::stdout().is_terminal() {
        format!("\u{1b}[{}m{word}\u{1b}[0m", colour as u8)
    } else {
        word.to_owned()
    }
}

/// What happened, at a glance: as terminals number it (ECMA-48, section 8.3.117).
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    /// Something is gone.
    Red = 31,
    /// Something new is there.
    Green = 32,
    /// Something is different.
    Yellow = 33,
}

/// A policy, for people who know its language.
pub(crate) fn policy(policy: &Value) -> String {
    let text = serde_json::to_string_pretty(policy).unwrap_or_default();
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// The server's JSON, as it came.
pub(crate) fn json(body: &[u8]) -> Result<(), Fault> {
    let text = String::from_utf8_lossy(body);
    if text.is_empty() { Ok(()) } else { crate::command::print(&format!("{}\n", text.trim_end())) }
}

/// What stands below a list: how much of it was shown, and how to see more. `what` is one of them, in a word.
pub(crate) fn footer(
    what: &str,
    offset: u64,
    shown: usize,
    total: Option<u64>,
    command: &str,
) -> Option<String> {
    let (shown, total) = (u64::try_from(shown).ok()?, total?);
    let end = offset.saturating_add(shown);
    let many = if total == 1 { "" } else { "s" };
    if shown == 0 && total > 0 {
        return Some(format!("nothing from {offset} on: there are {total} {what}s"));
    }
    let next = (end < total).then(|| format!("; the next: {command} --offset {end}"));
    let range = (next.is_some() || offset > 0).then(|| format!("{} to {end} of ", offset + 1));
    Some(format!("{}{total} {what}{many}{}", range.unwrap_or_default(), next.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_commands_a_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d é"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d é");
    }

    #[test]
    fn a_list_says_what_it_left_out() {
        let footer =
            |offset, shown, total| footer("token", offset, shown, total, "jeton token list").unwrap();
        assert_eq!(footer(0, 3, Some(3)), "3 tokens");
        assert_eq!(footer(0, 1, Some(1)), "1 token");
        assert_eq!(footer(0, 25, Some(60)), "1 to 25 of 60 tokens; the next: jeton token list --offset 25");
        assert_eq!(footer(50, 10, Some(60)), "51 to 60 of 60 tokens");
        assert_eq!(footer(90, 0, Some(60)), "nothing from 90 on: there are 60 tokens");
        assert_eq!(footer(0, 0, Some(0)), "0 tokens");
    }
}
