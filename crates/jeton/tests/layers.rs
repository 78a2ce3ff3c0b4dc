//! The layer table of ARCHITECTURE.md, compared with what Cargo says: every edge between our crates is in the table, and
//! no other.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

type Edges = BTreeMap<String, BTreeSet<String>>;

fn workspace() -> String {
    format!("{}/../..", env!("CARGO_MANIFEST_DIR"))
}

/// The names in backticks in one cell of a table.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn edges_in_the_table() -> Edges {
    let text = std::fs::read_to_string(format!("{}/ARCHITECTURE.md", workspace())).unwrap();
    let (_, rest) = text.split_once("| floor | crate | what it is | may use |").expect("the layer table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let name = names(cells[2]).pop_first().expect("a crate's name");
        (name, names(cells[4]))
    })
    .collect()
}

fn edges_by_cargo() -> Edges {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = |package: &&Value| package["name"].as_str().unwrap().starts_with("jeton");
    packages
        .iter()
        .filter(ours)
        .map(|package| {
            let normal = package["dependencies"].as_array().unwrap().iter();
            let normal = normal.filter(|dependency| dependency["kind"].is_null()).filter(ours);
            let uses = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
            (package["name"].as_str().unwrap().to_owned(), uses)
        })
        .collect()
}

#[test]
fn the_table_says_what_cargo_says() {
    assert_eq!(edges_in_the_table(), edges_by_cargo());
}
