//! Whether the time of an answer tells why a secret is refused: unknown, revoked, or one character away from a good one.
//!
//! As dudect does it (Reparaz, Balasch and Verbauwhede, 2017): the classes are asked about in random order over one
//! connection, the slowest answers of all are left out, and Welch's t says whether two means differ by more than chance.
//! Above 4.5 they do. What is measured is what a stranger on the same machine can see.

use std::path::Path;

use jeton_core::secret::SecretFormat;
use jeton_core::token::TokenKind;
use serde_json::json;

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::options::Options;
use crate::rounds::Dice;
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};
use crate::surfaces;

/// Secrets of each class.
const SECRETS: usize = 200;
/// Answers of each class for a second of the options.
const ANSWERS: usize = 10_000;
/// Answers that are kept: the slowest are the machine's doing.
const KEPT: f64 = 0.9;
const CLASSES: [&str; 3] = ["unknown", "revoked", "nearly right"];

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "timing")?;
    // Strangers are held up after so many failures, which would be all that is seen here.
    let limits = ["--failed-auth-rate", "0"];
    let server = Server::start_with(jeton, &scratch.join("data"), None, &limits)?;
    let mut client = server.client()?;
    let mut dice = Dice::new(options.seed);
    let secrets = classes(&mut client, &mut dice)?;
    for surface in &SURFACES {
        let took = surface.asked(&mut client, &mut dice, &secrets, options.seconds)?;
        surface.tell(took, report)?;
    }
    Ok(())
}

/// A way to ask about a secret, and with which status it is refused.
struct Surface {
    name: &'static str,
    status: u16,
    question: fn(&str) -> Vec<u8>,
}

const SURFACES: [Surface; 3] = [
    Surface {
        name: "GET /verify/x-forwarded",
        status: 401,
        question: |secret| client::get("/verify/x-forwarded", "authorization", secret),
    },
    Surface {
        name: "POST /oauth2/introspect",
        status: 200,
        question: |secret| surfaces::post_form("/oauth2/introspect", OWNER, secret),
    },
    Surface {
        name: "POST /verify",
        status: 200,
        question: |secret| surfaces::verify(OWNER, &json!({ "secret": secret })),
    },
];

/// Microseconds for each answer, by class.
type Took = [Vec<f64>; CLASSES.len()];

impl Surface {
    fn asked(
        &self,
        client: &mut Client,
        dice: &mut Dice,
        secrets: &[Vec<String>; CLASSES.len()],
        seconds: f64,
    ) -> Fallible<Took> {
        let questions = |class: &Vec<String>| class.iter().map(|secret| (self.question)(secret)).collect();
        let questions: Vec<Vec<Vec<u8>>> = secrets.iter().map(questions).collect();
        let mut took = Took::default();
        for _ in 0..CLASSES.len() * (ANSWERS as f64 * seconds) as usize {
            let class = dice.below(CLASSES.len() as u64) as usize;
            let answer = client.ask(&questions[class][dice.below(SECRETS as u64) as usize])?;
            if answer.status != self.status {
                return Err(
                    format!("status {} for a secret that is {}", answer.status, CLASSES[class]).into()
                );
            }
            took[class].push(answer.took.as_secs_f64() * 1e6);
        }
        Ok(took)
    }

    fn tell(&self, mut took: Took, report: &mut Report) -> Fallible<()> {
        let mut all: Vec<f64> = took.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let slowest = all[(all.len() as f64 * KEPT) as usize];
        for class in &mut took {
            class.retain(|answer| *answer <= slowest);
        }
        let name = format!("{}: a refusal, as its sender sees it", self.name);
        report.add(Figure::plain(name, mean(&took[0]), "µs"))?;
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            let name = format!("{}: t between {} and {}", self.name, CLASSES[one], CLASSES[other]);
            let t = welch(&took[one], &took[other]).abs();
            report.add(Figure::plain(name, t, "").goal(Goal::AtMost(4.5)))?;
        }
        Ok(())
    }
}

/// Secrets that are refused, by class.
pub(crate) fn classes(client: &mut Client, dice: &mut Dice) -> Fallible<[Vec<String>; CLASSES.len()]> {
    let format = SecretFormat::new("jtn")?;
    let unknown = |dice: &mut Dice| format.generate(TokenKind::Personal, &dice.bytes()).expose().to_owned();
    let mut secrets: [Vec<String>; CLASSES.len()] = Default::default();
    for _ in 0..SECRETS {
        secrets[0].push(unknown(dice));
        let secret = issue(client)?;
        let form = format!("token={secret}");
        client.ask_well(&revocation(&form))?;
        secrets[1].push(secret);
        secrets[2].push(neighbour(&issue(client)?));
    }
    Ok(secrets)
}

/// Issues a token, and gives its secret.
pub(crate) fn issue(client: &mut Client) -> Fallible<String> {
    let body = json!({ "role": "reader" }).to_string();
    let answer = client.ask(&client::post("/api/v2/tokens", "authorization", OWNER, &body))?;
    let token: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(token["token"].as_str().ok_or("a token without a secret")?.to_owned())
}

/// RFC 7009: the secret is enough.
fn revocation(form: &str) -> Vec<u8> {
    let length = form.len();
    format!(
        "POST /oauth2/revoke HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// The secret with another character before its checksum, and the checksum that belongs to it.
fn neighbour(secret: &str) -> String {
    let (body, _) = secret.split_at(secret.len() - 6);
    let (rest, last) = body.split_at(body.len() - 1);
    let body = format!("{rest}{}", if last == "a" { 'b' } else { 'a' });
    let mut checksum = crc32(body.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(checksum % 62) as usize];
        checksum /= 62;
    }
    body + &String::from_utf8_lossy(&digits)
}

/// CRC-32 (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Welch's t of two samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let spread = |values: &[f64]| {
        let mean = mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (values.len() - 1) as f64 / values.len() as f64
    };
    (mean(one) - mean(other)) / (spread(one) + spread(other)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_well_formed() {
        let format = SecretFormat::new("jtn").unwrap();
        let secret = format.generate(TokenKind::Personal, &[7; 48]);
        let neighbour = neighbour(secret.expose());
        assert_ne!(neighbour, secret.expose());
        assert!(format.recognize(&neighbour).is_ok());
    }

    #[test]
    fn a_difference_is_found_and_none_is_not() {
        let ramp = |from: u32| -> Vec<f64> { (from..from + 1000).map(f64::from).collect() };
        assert!(welch(&ramp(0), &ramp(100)).abs() > 4.5);
        assert!(welch(&ramp(0), &ramp(0)).abs() < 1e-9);
    }
}
