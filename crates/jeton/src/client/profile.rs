//! The profile: what `jeton login` remembers, in one file that only its owner may read.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ask;
use crate::fault::Fault;
use crate::private_file;

/// What is remembered.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The server.
    pub(super) url: String,
    /// Roots to trust besides the machine's, for that server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca_cert: Option<PathBuf>,
    /// The token, for that server and no other.
    pub(super) token: Zeroizing<String>,
    /// Whether a password made the token, so that it ends with the profile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) login: bool,
}

/// Where the profile is: `$XDG_CONFIG_HOME/jeton/profile.toml`, under `~/.config` if that says nothing.
pub(super) fn path() -> Result<PathBuf, Fault> {
    // The specification of these directories says that a relative path there counts as none.
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configuration = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    let configuration = configuration.ok_or_else(|| {
        Fault::usage(
            "there is no place for a profile: set HOME or XDG_CONFIG_HOME, or do without one and give JETON_URL and \
             JETON_TOKEN",
        )
    })?;
    Ok(configuration.join("jeton").join("profile.toml"))
}

/// The profile, if there is one.
pub(super) fn load() -> Result<Option<Profile>, Fault> {
    // Without a place for one there is none.
    let Ok(path) = path() else { return Ok(None) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(&path, "read", &error)),
    };
    if path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        ask::say(&format!(
            "note: others may read the token in {path}: chmod 600 {path}",
            path = path.display()
        ));
    }
    let profile = toml::from_str(&text).map_err(|error: toml::de::Error| {
        // Its message alone: what it would show of the file may be the token.
        Fault::usage(format!(
            "the profile {} cannot be understood ({}): `jeton login` writes it anew",
            path.display(),
            error.message()
        ))
    })?;
    Ok(Some(profile))
}

/// Writes the profile, whole or not at all, and says where.
pub(super) fn store(profile: &Profile) -> Result<PathBuf, Fault> {
    let path = path()?;
    let text = Zeroizing::new(toml::to_string(profile)?);
    write(&path, text.as_bytes()).map_err(|error| trouble(&path, "written", &error))?;
    Ok(path)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory)?;
    // Two who log in at once take turns, as `private_file` wants it.
    let turn = File::open(directory)?;
    flock(&turn, FlockOperation::LockExclusive)?;
    private_file::write(path, content)
}

/// Removes the profile, and says where it was; `None` if there was none.
pub(super) fn remove() -> Result<Option<PathBuf>, Fault> {
    let path = path()?;
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(Some(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble(&path, "removed", &error)),
    }
}

fn trouble(path: &Path, done: &str, error: &io::Error) -> Fault {
    Fault::failed(format!(
        "the profile {} cannot be {done} ({error}): check who owns it and its directory, or do without it and give \
         JETON_URL and JETON_TOKEN",
        path.display()
    ))
}
