//! `jeton backup`: a consistent copy of the database while the server runs.

use std::path::Path;

use jeton_store::sqlite;

use super::print;
use crate::config::layers::Layers;
use crate::config::value::Database;
use crate::config::{KeySource, Resolver};
use crate::fault::Fault;
use crate::installation;

pub(crate) fn run(layers: &Layers, to: &Path) -> Result<(), Fault> {
    let storage = Resolver::new(layers).storage()?;
    installation::must_exist(&storage.database)?;
    let Database::Sqlite(from) = &storage.database else {
        return Err(Fault::failed(format!(
            "{} is on PostgreSQL, which copies itself: use pg_dump, and keep the server key with the copy",
            storage.database
        )));
    };
    if to.exists() {
        return Err(Fault::failed(format!(
            "{} exists already, and a backup overwrites nothing: give the new file another name",
            to.display()
        )));
    }
    sqlite::backup(from, to)?;
    let key = match &storage.server_key {
        KeySource::Kept(path) => path.display().to_string(),
        KeySource::Given(source) => source.to_string(),
    };
    print(&format!(
        "copied {} to {}\nkeep the server key with it ({key}): without that key no token in the copy can be verified\n",
        from.display(),
        to.display()
    ))
}
