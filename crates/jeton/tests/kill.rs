//! `kill -9` in the middle of everything, again and again: nothing that was acknowledged is lost, and nothing that was
//! revoked lives.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde_json::json;
use support::http::Connection;
use support::{Server, serve};

const ROUNDS: u64 = 50;
const WORKERS: u64 = 4;
const OWNER: &str = "owner-secret-for-the-kill-test-0123456789";

/// What a client knows of a token, from acknowledged answers alone.
#[derive(Clone, Debug)]
struct Known {
    secret: String,
    name: String,
    /// A rename was sent and never answered: the name may be this one.
    perhaps: Option<String>,
    /// Secrets that an acknowledged reset has ended.
    ended: Vec<String>,
    revoked: bool,
}

type Book = BTreeMap<String, Known>;

/// Randomness from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Works on its own tokens until the connection dies; says of each acknowledged operation that it was.
fn work(address: &str, dice: &mut Dice, book: &mut Book, acknowledged: &Sender<()>) -> Option<()> {
    let mut connection = Connection::open(address).ok()?;
    loop {
        let living: Vec<String> =
            book.iter().filter(|(_, known)| !known.revoked).map(|(id, _)| id.clone()).collect();
        let pick = dice.roll(10);
        if living.len() < 3 || pick < 5 {
            let name = format!("made {}", dice.roll(1000));
            let body = json!({ "name": name, "role": "reader" }).to_string();
            let reply = connection.ask(OWNER, "POST", "/api/v2/tokens", &body).ok()?;
            assert_eq!(reply.status, 201, "{reply:?}");
            let known = Known {
                secret: reply.string("token"),
                name,
                perhaps: None,
                ended: Vec::new(),
                revoked: false,
            };
            book.insert(reply.string("_id"), known);
        } else {
            let id = living[usize::try_from(dice.roll(living.len() as u64)).unwrap()].clone();
            let path = format!("/api/v2/tokens/{id}");
            // Until it is answered nobody knows what became of it: a token in doubt is forgotten, a name is either.
            let known = book.remove(&id).unwrap();
            let known = match pick {
                5 | 6 => rename(&mut connection, &path, dice, &id, known, book)?,
                7 | 8 => {
                    let reply = connection.ask(OWNER, "POST", &format!("{path}/reset"), "").ok()?;
                    assert_eq!(reply.status, 200, "{reply:?}");
                    let mut known = known;
                    known.ended.push(std::mem::replace(&mut known.secret, reply.string("token")));
                    known
                }
                _ => {
                    let reply = connection.ask(OWNER, "DELETE", &path, "").ok()?;
                    assert_eq!(reply.status, 204, "{reply:?}");
                    Known { revoked: true, ..known }
                }
            };
            book.insert(id, known);
        }
        acknowledged.send(()).ok()?;
    }
}

fn rename(
    connection: &mut Connection,
    path: &str,
    dice: &mut Dice,
    id: &str,
    mut known: Known,
    book: &mut Book,
) -> Option<Known> {
    let name = format!("renamed {}", dice.roll(1000));
    known.perhaps = Some(name.clone());
    book.insert(id.to_owned(), known.clone());
    let patch = json!([{ "op": "replace", "path": "/name", "value": name }]).to_string();
    let reply = connection.ask(OWNER, "PATCH", path, &patch).ok()?;
    assert_eq!(reply.status, 200, "{reply:?}");
    Some(Known { name, perhaps: None, ..known })
}

/// Asks a server that came back for everything that was ever acknowledged.
fn check(address: &str, book: &mut Book) {
    let mut connection = Connection::open(address).unwrap();
    let mut works = |secret: &str| {
        let reply = connection.ask(secret, "GET", "/api/v2/caller-identity", "").unwrap();
        assert!(reply.status == 200 || reply.status == 401, "{reply:?}");
        (reply.status == 200).then(|| reply.json()["tokenName"].as_str().unwrap_or_default().to_owned())
    };
    for (id, known) in book {
        for ended in &known.ended {
            assert_eq!(works(ended), None, "{id}: a secret that was reset works again: {known:?}");
        }
        let name = works(&known.secret);
        if known.revoked {
            assert_eq!(name, None, "{id}: a revoked token works again: {known:?}");
            continue;
        }
        let name = name.unwrap_or_else(|| panic!("{id}: an acknowledged token is lost: {known:?}"));
        assert!(name == known.name || Some(&name) == known.perhaps.as_ref(), "{id} is {name:?}: {known:?}");
        known.name = name;
        known.perhaps = None;
    }
}

fn start(data_dir: &Path) -> Server {
    let mut command = serve(data_dir);
    command.args(["--token-rate", "0", "--failed-auth-rate", "0"]).env("JETON_OWNER_TOKEN", OWNER);
    Server::start_with(&mut command)
}

#[test]
fn law_01_and_03_hold_through_kill_9_at_any_instant() {
    let scratch = tempfile::tempdir().unwrap();
    let books: Vec<Mutex<Book>> = (0..WORKERS).map(|_| Mutex::default()).collect();
    let total = AtomicU64::new(0);
    for round in 0..ROUNDS {
        let server = start(scratch.path());
        for book in &books {
            check(server.address(), &mut book.lock().unwrap());
        }
        let address = server.address().to_owned();
        let (acknowledged, heard) = channel();
        let enough = 20 + Dice(round).roll(150);
        std::thread::scope(|scope| {
            for (worker, book) in (0..).zip(&books) {
                let (address, acknowledged) = (&address, acknowledged.clone());
                let mut dice = Dice(round * 1000 + worker);
                scope.spawn(move || work(address, &mut dice, &mut book.lock().unwrap(), &acknowledged));
            }
            drop(acknowledged);
            total.fetch_add(
                heard.iter().take(usize::try_from(enough).unwrap()).count() as u64,
                Ordering::Relaxed,
            );
            server.crash();
        });
    }
    let server = start(scratch.path());
    for book in &books {
        check(server.address(), &mut book.lock().unwrap());
    }
    server.stop();
    let store = jeton_store::Sqlite::open(&scratch.path().join("jeton.db"), "the kill test").unwrap();
    jeton_testkit::check_store(&store);
    let tokens: usize = books.iter().map(|book| book.lock().unwrap().len()).sum();
    println!("{ROUNDS} kills, {total:?} acknowledged operations, {tokens} tokens checked");
}
