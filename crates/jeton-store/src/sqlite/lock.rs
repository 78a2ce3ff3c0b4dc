//! The lock that keeps a second jeton away from a database, and tells it who is there.
//!
//! It is an advisory lock of the system on a file beside the database. The system takes it back when the process ends,
//! however it ends: no stale lock ever needs to be removed by hand.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(database: &Path, holder: &str) -> Result<Self, OpenError> {
        let path = lock_path(database);
        let unusable = |error: &std::io::Error| OpenError::Unusable {
            path: path.clone(),
            message: format!("{error}; check that this user may write to its directory"),
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| unusable(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() { "it has not said which".to_owned() } else { holder };
                return Err(OpenError::Held { path: database.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&error)),
        }
        // Only for people to read: a full disk must not keep a server from starting.
        let _ = file.set_len(0);
        let _ = file.seek(SeekFrom::Start(0));
        let _ = file.write_all(holder.as_bytes());
        Ok(Self { _file: file })
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}
