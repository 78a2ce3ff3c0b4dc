//! The store on PostgreSQL: the conformance suite, and what is PostgreSQL's own, each on a database of its own in a cluster
//! that this process starts.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

#[path = "postgres/cluster.rs"]
#[allow(dead_code, reason = "the tests of the program use it too, and each a part of it")]
mod cluster;
#[path = "postgres/connections.rs"]
mod connections;
#[path = "support/issuer.rs"]
mod issuer;
#[path = "postgres/nodes.rs"]
mod nodes;
#[path = "postgres/opening.rs"]
mod opening;
#[path = "postgres/proxy.rs"]
mod proxy;
#[path = "postgres/several.rs"]
mod several;
#[path = "postgres/tls.rs"]
mod tls;

/// Every conformance case.
mod on_a_database {
    use std::time::Duration;

    use jeton_store::Postgres;
    use jeton_store::conformance::Case;
    use pollster::block_on;

    use crate::cluster::Database;

    fn run(case: Case) {
        let Some(database) = Database::new() else { return };
        let store = block_on(Postgres::open(&database.address(), Duration::ZERO)).unwrap();
        block_on(case(&store));
    }

    jeton_store::store_conformance!(run);
}
