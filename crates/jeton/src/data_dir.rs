//! The data directory: made for its owner alone, and refused if it is somebody else's.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use crate::fault::Fault;

/// Makes the directory if there is none, with mode 0700, and checks whose it is.
pub(crate) fn prepare(path: &Path) -> Result<(), Fault> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Fault::failed(format!(
            "the data directory {} cannot be made ({error}): make it yourself, or name another one with --data-dir",
            path.display()
        ))
    })?;
    check_owner(path)
}

/// Refuses a directory that belongs to another user.
pub(crate) fn check_owner(path: &Path) -> Result<(), Fault> {
    let Ok(metadata) = path.metadata() else { return Ok(()) };
    let user = rustix::process::geteuid().as_raw();
    if may_use(&metadata, user) {
        if metadata.mode() & 0o002 != 0 {
            tracing::warn!(
                directory = %path.display(),
                "everybody on this machine can put files into the data directory: chmod 700 it"
            );
        }
        return Ok(());
    }
    Err(Fault::failed(format!(
        "the data directory {} belongs to user {owner}, and jeton runs as user {user}: start it as that user (sudo -u \
         '#{owner}' jeton …), give the directory away (chown -R {user} {path}), or name another one with --data-dir",
        path.display(),
        owner = metadata.uid(),
        path = path.display(),
    )))
}

/// Root could write anywhere, and would leave files that their owner can't open any more. Others may share a directory
/// that was opened to them, as the volumes of a cluster are.
fn may_use(directory: &Metadata, user: u32) -> bool {
    let shared = directory.mode() & 0o022 != 0;
    directory.uid() == user || (user != 0 && shared)
}
