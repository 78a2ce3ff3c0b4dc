//! What a gateway protects: a server that says yes to everything, and remembers what reached it.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::responder::{Asked, hear};

/// A server behind a gateway. It lives for as long as the test's process does.
pub(crate) struct Upstream {
    port: u16,
    reached: Arc<Mutex<Vec<Asked>>>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let reached = Arc::<Mutex<Vec<Asked>>>::default();
        let (reaching, accepting) = (Arc::clone(&reached), listener);
        std::thread::spawn(move || {
            for stream in accepting.incoming().flatten() {
                let reaching = Arc::clone(&reaching);
                std::thread::spawn(move || answer(stream, &reaching));
            }
        });
        Self { port, reached }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What has reached it since the last look.
    pub(crate) fn reached(&self) -> Vec<Asked> {
        std::mem::take(&mut self.reached.lock().unwrap())
    }
}

fn answer(stream: TcpStream, reached: &Mutex<Vec<Asked>>) {
    let mut stream = BufReader::new(stream);
    let asked = hear(&mut stream);
    // A gateway may open a connection and change its mind.
    if asked.what.is_empty() {
        return;
    }
    // Before the answer: whoever has that can count on finding it here.
    reached.lock().unwrap().push(asked);
    let _ = stream
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbehind");
}
