//! The layer table of ARCHITECTURE.md, compared with what Cargo says: every edge between our crates is in the table, and
//! no other. And, inside the program, the door between the server and the client.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn of_the_server_only_the_command_line_knows_the_client() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    let says = |path: &Path, words: &[&str]| {
        let text = std::fs::read_to_string(path).unwrap();
        words.iter().any(|word| text.contains(word))
    };
    let (client, rest): (Vec<_>, Vec<_>) =
        sources(&root).into_iter().partition(|path| name(path).starts_with("client"));
    assert!(client.len() > 10, "{client:?}");
    let knowing: BTreeSet<_> = rest
        .iter()
        .filter(|path| says(path, &["crate::client", "mod client"]))
        .map(|path| name(path))
        .collect();
    assert_eq!(knowing, ["cli.rs", "main.rs"].map(str::to_owned).into());
    let server =
        ["jeton_server", "jeton_store", "crate::installation", "crate::data_dir", "crate::first_start"];
    let reaching: Vec<_> = client.iter().filter(|path| says(path, &server)).collect();
    assert!(reaching.is_empty(), "the client knows a server only by its public API: {reaching:?}");
}
