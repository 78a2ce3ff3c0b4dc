//! A way from one process to another that a test can close, or make silent, while both of its ends live.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// What becomes of what is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Passage {
    /// It arrives.
    Open,
    /// Connections break, and no new ones are made: the process at the other end has gone.
    Shut,
    /// Nothing arrives, and nobody says so: the machine at the other end has gone.
    Silent,
    /// What the server says is lost, and what is said to it arrives.
    Mute,
    /// What the server says arrives, and what is said to it is lost.
    Deaf,
}

pub(crate) struct Wire {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    passage: Passage,
    /// Connections from both ends. That some of them have ended hurts nobody.
    clients: Vec<TcpStream>,
    servers: Vec<UnixStream>,
}

impl Wire {
    /// To the server at this socket, for as long as the test process lives.
    pub(crate) fn to(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Mutex::new(Shared { passage: Passage::Open, clients: Vec::new(), servers: Vec::new() }));
        let accepted = Arc::clone(&shared);
        spawn(move || {
            for client in listener.incoming() {
                connect(client.unwrap(), &server, &accepted);
            }
        });
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks the connections that there are, as the system does when nobody has acknowledged anything for long enough.
    pub(crate) fn give_up(&self) {
        self.shared.lock().unwrap().end_all();
    }

    /// What was on its way when a wire fell silent is lost, so its connections break when it is opened again.
    pub(crate) fn set(&self, passage: Passage) {
        let mut shared = self.shared.lock().unwrap();
        shared.passage = passage;
        if matches!(passage, Passage::Open | Passage::Shut) {
            shared.end_all();
        }
    }
}

impl Shared {
    fn end_all(&mut self) {
        self.clients.drain(..).for_each(|client| drop(client.shutdown(Shutdown::Both)));
        self.servers.drain(..).for_each(|server| drop(server.shutdown(Shutdown::Both)));
    }
}

fn connect(client: TcpStream, server: &PathBuf, shared: &Arc<Mutex<Shared>>) {
    let mut all = shared.lock().unwrap();
    match all.passage {
        Passage::Shut => {}
        Passage::Silent | Passage::Mute | Passage::Deaf => all.clients.push(client),
        Passage::Open => {
            let Ok(server) = UnixStream::connect(server) else { return };
            let ways = (client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone());
            let (Ok(client_out), Ok(server_out), Ok(client_kept), Ok(server_kept)) = ways else { return };
            all.clients.push(client_kept);
            all.servers.push(server_kept);
            let _ = client.set_nodelay(true);
            let (there, back) = (Arc::clone(shared), Arc::clone(shared));
            spawn(move || {
                let is_lost = || matches!(there.lock().unwrap().passage, Passage::Silent | Passage::Deaf);
                if carry(&client, &server_out, is_lost) {
                    let _ = (client.shutdown(Shutdown::Both), server_out.shutdown(Shutdown::Both));
                }
            });
            spawn(move || {
                let is_lost = || matches!(back.lock().unwrap().passage, Passage::Silent | Passage::Mute);
                if carry(&server, &client_out, is_lost) {
                    let _ = (server.shutdown(Shutdown::Both), client_out.shutdown(Shutdown::Both));
                }
            });
        }
    }
}

/// Carries what one says to the other; whether the other one is told that it has ended.
fn carry<From, To>(from: &From, to: &To, is_lost: impl Fn() -> bool) -> bool
where
    for<'a> &'a From: Read,
    for<'a> &'a To: Write,
{
    let (mut from, mut to) = (from, to);
    let mut buffer = vec![0; 65536];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let lost = is_lost();
        if read == 0 || (!lost && to.write_all(&buffer[..read]).is_err()) {
            return !lost;
        }
    }
}
