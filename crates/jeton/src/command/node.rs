//! `jeton node list`: who shares a database, as the database itself tells it. It needs no server, and so it helps also where
//! none answers.

use jeton_store::postgres;
use jeton_store::shared::{NodeRow, Nodes};
use serde_json::{Value, json};

use super::print;
use crate::config::Resolver;
use crate::config::layers::Layers;
use crate::config::value::Database;
use crate::fault::Fault;
use crate::show;
use crate::system::utc;

pub(crate) fn list(layers: &Layers, as_json: bool) -> Result<(), Fault> {
    let storage = Resolver::new(layers).storage()?;
    let Database::Postgres(address) = &storage.database else {
        return Err(Fault::failed(format!(
            "{} belongs to one server alone: clusters share a database on PostgreSQL, which --database names",
            storage.database
        )));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let nodes = runtime.block_on(postgres::nodes(address))?;
    if as_json {
        let rows: Vec<Value> = nodes.rows.iter().map(|row| in_json(row, &nodes)).collect();
        return print(&format!("{}\n", Value::from(rows)));
    }
    if nodes.rows.is_empty() {
        return print("no node is registered\n");
    }
    let rows: Vec<_> = nodes.rows.iter().map(|row| in_words(row, &nodes)).collect();
    print(&show::table(
        ["NAME", "ADDRESS", "VERSION", "STATE", "REVISION", "BEHIND", "LAST BEAT", "SINCE"],
        &rows,
    ))?;
    print(&format!("lease {} ms, last revision {}\n", lease_ms(&nodes), nodes.head.number()))
}

fn in_words(row: &NodeRow, nodes: &Nodes) -> [String; 8] {
    [
        show::clean(&row.name),
        show::clean(&row.address),
        show::clean(&row.version),
        state(row, nodes).to_owned(),
        row.revision.number().to_string(),
        behind(row, nodes).to_string(),
        format!("{} ms ago", silent_for(row, nodes)),
        utc(row.joined_at),
    ]
}

fn in_json(row: &NodeRow, nodes: &Nodes) -> Value {
    json!({
        "id": row.node.to_string(),
        "name": row.name,
        "address": row.address,
        "version": row.version,
        "state": state(row, nodes),
        "revision": row.revision.number(),
        "behind": behind(row, nodes),
        "lastBeatMs": silent_for(row, nodes),
        "leaseMs": lease_ms(nodes),
        "since": utc(row.joined_at),
    })
}

/// As the database's clock sees it. `silent`: it answers nobody, or is about to; a revocation waited for it once. `gone`: it
/// has been silent for some leases.
fn state(row: &NodeRow, nodes: &Nodes) -> &'static str {
    if silent_for(row, nodes) <= lease_ms(nodes) {
        "fresh"
    } else if nodes.living().any(|living| living.node == row.node) {
        "silent"
    } else {
        "gone"
    }
}

/// Changes that it had not taken in when it last beat, and may have since.
fn behind(row: &NodeRow, nodes: &Nodes) -> u64 {
    nodes.head.number().saturating_sub(row.revision.number())
}

fn lease_ms(nodes: &Nodes) -> i64 {
    i64::try_from(nodes.lease.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

fn silent_for(row: &NodeRow, nodes: &Nodes) -> i64 {
    nodes.now.as_millis().saturating_sub(row.beat_at.as_millis())
}
