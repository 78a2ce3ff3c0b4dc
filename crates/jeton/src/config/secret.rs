//! Secrets that an operator gives: by a variable, or in a file. They are read when they are needed and shown never.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::layers::Origin;
use crate::fault::Fault;

/// More than any secret, and little enough to be read by mistake.
const LARGEST: u64 = 16 * 1024;

/// Where a secret is.
pub(crate) enum SecretSource {
    /// Here.
    Text(Zeroizing<String>, Origin),
    /// In this file.
    File(PathBuf, Origin),
}

impl SecretSource {
    /// The secret, without the newline that editors and `echo` put at its end.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, Fault> {
        match self {
            Self::Text(text, _) => Ok(text.clone()),
            Self::File(path, _) => {
                let text = read_file(path).map_err(|error| {
                    Fault::failed(format!(
                        "{self} cannot be read ({error}): check that it exists and that this user may read it"
                    ))
                })?;
                Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }
}

/// Names the source, as the subject of a message.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_, origin) => origin.fmt(f),
            Self::File(path, origin) => write!(f, "the file {} ({origin})", path.display()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSource({self})")
    }
}

/// Reads a small text file that holds a secret, and warns if everybody on the machine could.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o004 != 0 {
        tracing::warn!(file = %path.display(), "everybody on this machine can read this secret: chmod 600 it");
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(std::io::Error::other("it is too large to hold a secret"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newline_at_the_end_is_taken_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = SecretSource::File(file.path().to_owned(), Origin::Default);
        for (content, expected) in [("x y \n", "x y "), ("x\r\n", "x"), ("\nx", "\nx"), ("", "")] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(*source.read().unwrap(), expected);
        }
    }

    #[test]
    fn a_file_that_holds_no_text_is_refused_and_not_repeated() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = SecretSource::File(file.path().to_owned(), Origin::Variable("JETON_OWNER_TOKEN_FILE"));
        for content in [vec![b'x'; 20_000], vec![0xff; 8]] {
            std::fs::write(&file, content).unwrap();
            let refusal = source.read().unwrap_err();
            let expected =
                format!("the file {} (JETON_OWNER_TOKEN_FILE) cannot be read", file.path().display());
            assert!(refusal.message().starts_with(&expected), "{}", refusal.message());
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let source =
            SecretSource::Text("hunter2".to_owned().into(), Origin::Variable("JETON_OWNER_PASSWORD"));
        assert_eq!(format!("{source:?}"), "SecretSource(JETON_OWNER_PASSWORD)");
    }
}
