//! `jeton check`: whether a secret is well formed. Offline, and it never repeats the secret.

use std::io::Read as _;

use jeton_core::secret::{MAX_LENGTH, SecretFormat, Shape};
use jeton_core::token::TokenKind;
use zeroize::Zeroizing;

use super::print;
use crate::config::Resolver;
use crate::config::layers::Layers;
use crate::fault::Fault;

pub(crate) fn run(layers: &Layers, secret: Option<String>) -> Result<(), Fault> {
    let format = Resolver::new(layers).format()?;
    let text = match secret.filter(|secret| secret != "-") {
        Some(secret) => Zeroizing::new(secret),
        None => from_stdin()?,
    };
    let verdict = verdict(&format, text.trim_end_matches(['\r', '\n']))?;
    print(&format!("{verdict}\n"))
}

fn verdict(format: &SecretFormat, text: &str) -> Result<&'static str, Fault> {
    match format.recognize(text) {
        Ok(Shape::Own(TokenKind::Personal)) => {
            Ok("well formed: the secret of a personal token, and its checksum is right")
        }
        Ok(Shape::Own(TokenKind::Service)) => {
            Ok("well formed: the secret of a service token, and its checksum is right")
        }
        Ok(Shape::Own(TokenKind::Login)) => Ok(
            "well formed: what somebody got who logged in, and its checksum is right; it ends within a day",
        ),
        Ok(Shape::Foreign) => Err(Fault::failed(format!(
            "this is not a secret that jeton made: it does not begin with {}_ (see --token-prefix); one that was given \
             from outside has no checksum, and only the server can tell",
            format.prefix()
        ))),
        Err(error) => Err(Fault::failed(format!("this is not a secret: {error}"))),
    }
}

/// Reads a little more than the longest secret, so that too long stays too long.
fn from_stdin() -> Result<Zeroizing<String>, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_LENGTH));
    let most = 2 * MAX_LENGTH as u64;
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|error| {
        Fault::failed(format!(
            "standard input cannot be read ({error}): give the secret there or as an argument"
        ))
    })?;
    // What is not text holds a character that no secret has, whatever takes its place.
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}
