//! The server key: read from where the operator keeps it, or made once beside an empty database.

use std::io;
use std::path::Path;

use jeton_core::digest::ServerKey;
use zeroize::Zeroizing;

use crate::config::KeySource;
use crate::config::secret::{SecretSource, read_file};
use crate::config::value::Database;
use crate::fault::Fault;
use crate::private_file;
use crate::system::SystemEntropy;

/// The database that a key is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    pub(crate) name: &'a Database,
    /// Whether nothing was ever committed to it. Only then is a key made: a new one for an old database would refuse
    /// every token in it.
    pub(crate) empty: bool,
}

/// Finds the key, or makes it.
pub(crate) fn obtain(
    source: &KeySource,
    database: For<'_>,
    entropy: &SystemEntropy,
) -> Result<ServerKey, Fault> {
    match source {
        KeySource::Given(source) => given(source),
        KeySource::Kept(path) => match read_file(path) {
            Ok(text) => parse(text.trim_end()).ok_or_else(|| not_a_key(&path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && database.empty => make(path, entropy),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Fault::failed(format!(
                "the server key {} is missing, and without it no token in {} can be verified: put it back from a backup, \
                 or name the right file with --server-key-file",
                path.display(),
                match database.name {
                    Database::Sqlite(path) => path.display().to_string(),
                    Database::Postgres(address) => address.to_string(),
                }
            ))),
            Err(error) => Err(Fault::failed(format!(
                "the server key {} cannot be read ({error}): check that this user may read it",
                path.display()
            ))),
        },
    }
}

/// Reads a key that the operator gives.
pub(crate) fn given(source: &SecretSource) -> Result<ServerKey, Fault> {
    if let SecretSource::File(path, _) = source
        && !path.exists()
    {
        return Err(Fault::failed(format!(
            "{source} does not exist: if this database has a server key, put it there; if all is new, make one with \
             `(umask 077; openssl rand -hex 32 > {})`",
            path.display()
        )));
    }
    parse(source.read()?.trim_end()).ok_or_else(|| not_a_key(source))
}

fn not_a_key(source: &dyn std::fmt::Display) -> Fault {
    Fault::failed(format!(
        "{source} is not a server key, which is 64 hexadecimal digits: look for a part that was cut off, or put the key \
         back from a backup"
    ))
}

/// Durable before anything is committed under it, because a database without its key is lost.
fn make(path: &Path, entropy: &SystemEntropy) -> Result<ServerKey, Fault> {
    let bytes = entropy.bytes::<32>();
    private_file::write(path, hex(&bytes).as_bytes()).map_err(|error| {
        Fault::failed(format!(
            "the server key {} cannot be written ({error}): check that this user may write there and that the disk has \
             room",
            path.display()
        ))
    })?;
    Ok(ServerKey::new(bytes))
}

/// 64 digits and a newline.
fn hex(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text.push('\n');
    text
}

fn parse(text: &str) -> Option<ServerKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(ServerKey::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_what_was_written() {
        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let text = hex(&bytes);
        assert_eq!(text.len(), 65);
        assert_eq!(parse(text.trim_end()).unwrap().expose(), &bytes);
        assert_eq!(parse(&text.trim_end().to_uppercase()).unwrap().expose(), &bytes);
    }

    #[test]
    fn nothing_else_is_a_key() {
        for text in ["", "abc", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
