//! What an address asks of the connection: whether it is encrypted, and who has to be at its other end. In the words of
//! libpq, which every operator of PostgreSQL knows: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`.
//!
//! The driver knows half of these words and refuses the rest, so all of them are taken out of an address before it is read.

use std::borrow::Cow;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::BadAddress;

/// Whether a connection is encrypted, and whose certificate is believed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Encryption {
    pub(super) need: Need,
    pub(super) trust: Trust,
    /// The certificate that is shown to the server, and its key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Need {
    Never,
    /// Where the server can.
    #[default]
    Preferred,
    Always,
}

/// Whose certificate is believed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Anybody's: this keeps out who listens, and nobody who stands in between.
    #[default]
    Anybody,
    /// Whoever was signed by one of these, by whatever name.
    SignedBy(PathBuf),
    /// Whoever was signed by one of these, for the name in the address.
    Named(Roots),
}

/// Who may sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Roots {
    /// Whom the machine trusts.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// Words of libpq about TLS that are not heeded here. To pass over one silently could cost what it was written for.
const OTHERS: &[&str] = &[
    "sslnegotiation",
    "sslpassword",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "sslcompression",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "requiressl",
];

/// The words as they are written.
#[derive(Default)]
struct Words {
    mode: Option<String>,
    roots: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

/// Takes what is about encryption out of an address, and gives back the rest.
pub(super) fn take(address: &str) -> Result<(String, Encryption), BadAddress> {
    let mut words = Words::default();
    let Some((before, parameters)) = split(address) else {
        return Ok((address.to_owned(), words.understood()?));
    };
    let mut kept = Vec::new();
    for parameter in parameters.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decoded(name)?;
        let word = match &*name {
            "sslmode" => &mut words.mode,
            "sslrootcert" => &mut words.roots,
            "sslcert" => &mut words.cert,
            "sslkey" => &mut words.key,
            other => {
                if let Some(known) = OTHERS.iter().find(|known| **known == other) {
                    return Err(BadAddress::Unsupported(known));
                }
                kept.push(parameter);
                continue;
            }
        };
        *word = Some(decoded(value)?.into_owned());
    }
    let mark = if kept.is_empty() { "" } else { "?" };
    Ok((format!("{before}{mark}{}", kept.join("&")), words.understood()?))
}

/// An address up to its parameters, and these: divided where the driver divides it. A password may hold the mark that
/// parameters begin with.
fn split(address: &str) -> Option<(&str, &str)> {
    let host = address.find('@').map_or(0, |at| at + 1);
    let mark = host + address[host..].find('?')?;
    Some((&address[..mark], &address[mark + 1..]))
}

fn decoded(text: &str) -> Result<Cow<'_, str>, BadAddress> {
    percent_decode_str(text).decode_utf8().map_err(|_| BadAddress::Unreadable)
}

impl Words {
    fn understood(self) -> Result<Encryption, BadAddress> {
        let given = |word: Option<String>| word.filter(|text| !text.is_empty());
        let own = match (given(self.cert), given(self.key)) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            _ => return Err(BadAddress::HalfIdentity),
        };
        let roots = given(self.roots).map(|text| match &*text {
            "system" => Roots::System,
            _ => Roots::File(text.into()),
        });
        let (need, trust) = match (self.mode.as_deref(), roots) {
            // Whoever may be anybody the machine trusts has to be known by name at least.
            (Some("verify-full") | None, Some(Roots::System)) => (Need::Always, Trust::Named(Roots::System)),
            (Some("disable" | "prefer" | "require" | "verify-ca"), Some(Roots::System)) => {
                return Err(BadAddress::Weak);
            }
            (Some("disable"), _) => (Need::Never, Trust::Anybody),
            (Some("prefer") | None, _) => (Need::Preferred, Trust::Anybody),
            (Some("require"), None) => (Need::Always, Trust::Anybody),
            (Some("require" | "verify-ca"), Some(Roots::File(file))) => (Need::Always, Trust::SignedBy(file)),
            (Some("verify-ca"), None) => return Err(BadAddress::Weak),
            (Some("verify-full"), roots) => (Need::Always, Trust::Named(roots.unwrap_or(Roots::System))),
            _ => return Err(BadAddress::Mode),
        };
        Ok(Encryption { need, trust, own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(address: &str) -> Result<(String, Encryption), BadAddress> {
        take(address)
    }

    fn asked(parameters: &str) -> Result<(Need, Trust), BadAddress> {
        let (rest, encryption) = took(&format!("postgres://db/tokens?{parameters}"))?;
        assert_eq!(rest, "postgres://db/tokens");
        Ok((encryption.need, encryption.trust))
    }

    #[test]
    fn modes_mean_what_libpq_says_they_mean() {
        let file = || PathBuf::from("/ca.pem");
        let named = |roots| Trust::Named(roots);
        let cases = [
            ("sslmode=disable", Ok((Need::Never, Trust::Anybody))),
            ("sslmode=disable&sslrootcert=/ca.pem", Ok((Need::Never, Trust::Anybody))),
            ("sslmode=prefer", Ok((Need::Preferred, Trust::Anybody))),
            ("sslrootcert=/ca.pem", Ok((Need::Preferred, Trust::Anybody))),
            ("sslmode=require", Ok((Need::Always, Trust::Anybody))),
            ("sslmode=require&sslrootcert=", Ok((Need::Always, Trust::Anybody))),
            ("sslmode=require&sslrootcert=%2Fca.pem", Ok((Need::Always, Trust::SignedBy(file())))),
            ("sslmode=verify-ca&sslrootcert=/ca.pem", Ok((Need::Always, Trust::SignedBy(file())))),
            ("sslmode=verify-ca", Err(BadAddress::Weak)),
            ("sslmode=verify-ca&sslrootcert=system", Err(BadAddress::Weak)),
            ("sslmode=require&sslrootcert=system", Err(BadAddress::Weak)),
            ("sslmode=verify-full", Ok((Need::Always, named(Roots::System)))),
            ("sslrootcert=system", Ok((Need::Always, named(Roots::System)))),
            ("sslmode=verify-full&sslrootcert=/ca.pem", Ok((Need::Always, named(Roots::File(file()))))),
            ("sslmode=disable&sslmode=verify-full", Ok((Need::Always, named(Roots::System)))),
            ("sslmode=allow", Err(BadAddress::Mode)),
            ("sslmode=", Err(BadAddress::Mode)),
            ("sslcert=/me.pem", Err(BadAddress::HalfIdentity)),
            ("sslcrl=/crl.pem", Err(BadAddress::Unsupported("sslcrl"))),
        ];
        for (parameters, expected) in cases {
            assert_eq!(asked(parameters), expected, "{parameters}");
        }
    }

    #[test]
    fn the_rest_of_an_address_stays_as_it_was() {
        for (address, rest) in [
            ("postgres://u:p?sslmode=x@db/t", "postgres://u:p?sslmode=x@db/t"),
            ("postgres://u:p@db/t?a=1&sslmode=require&b=%26", "postgres://u:p@db/t?a=1&b=%26"),
            ("postgres://db?sslmode=require", "postgres://db"),
        ] {
            assert_eq!(took(address).unwrap().0, rest);
        }
        let (_, encryption) = took("postgres://db/t?sslcert=/me.pem&sslkey=/me.key").unwrap();
        assert_eq!(encryption.own, Some(("/me.pem".into(), "/me.key".into())));
        assert_eq!(took("postgres://db/t").unwrap().1, Encryption::default());
    }
}
