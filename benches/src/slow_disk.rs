//! A disk whose every fsync takes 5 ms longer, as disks without protection against power loss do.
//!
//! A small library, compiled when it is needed and loaded before libc by the processes of this benchmark alone.

use std::path::PathBuf;
use std::process::Command;

use crate::Fallible;
use crate::scratch::Scratch;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/slow_fsync.c");

/// Compiles the library.
pub(crate) fn build(scratch: &Scratch) -> Fallible<PathBuf> {
    let library = scratch.join("slow_fsync.so");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-O2", "-Wall", "-o"]).arg(&library).arg(SOURCE).arg("-ldl");
    let status = command.status().map_err(|error| format!("a C compiler is needed ({error}): set CC"))?;
    if status.success() { Ok(library) } else { Err(format!("{SOURCE} does not compile").into()) }
}
