//! A server that says what a test tells it to, and remembers what it was asked: for what a real one does not do yet, or
//! does only when something is wrong with it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// What it was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Method and target; empty if the client hung up before it said anything.
    pub(crate) what: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A server that gives these answers, one after the other, each on a connection of its own.
pub(crate) struct Responder {
    address: String,
    answering: JoinHandle<Vec<Asked>>,
}

impl Responder {
    /// Each answer is a status, what else stands in its head, and a body.
    pub(crate) fn start(answers: &[(u16, &str, &str)]) -> Self {
        Self::start_with(answers, None)
    }

    /// Does the same through TLS.
    pub(crate) fn encrypted(answers: &[(u16, &str, &str)], config: ServerConfig) -> Self {
        Self::start_with(answers, Some(Arc::new(config)))
    }

    fn start_with(answers: &[(u16, &str, &str)], config: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers: Vec<String> = answers
            .iter()
            .map(|(status, head, body)| {
                let length = body.len();
                format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{head}\r\n{body}"
                )
            })
            .collect();
        let answer = move |text: &String| {
            let stream = listener.accept().unwrap().0;
            stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
            match &config {
                None => answer(stream, text),
                Some(config) => {
                    let connection = ServerConnection::new(config.clone()).unwrap();
                    answer(StreamOwned::new(connection, stream), text)
                }
            }
        };
        let answering = std::thread::spawn(move || answers.iter().map(answer).collect());
        Self { address, answering }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked, when it has given all its answers.
    pub(crate) fn asked(self) -> Vec<Asked> {
        self.answering.join().unwrap()
    }
}

fn answer(stream: impl Read + Write, text: &str) -> Asked {
    let mut stream = BufReader::new(stream);
    let asked = hear(&mut stream);
    if !asked.what.is_empty() {
        stream.get_mut().write_all(text.as_bytes()).unwrap();
        stream.get_mut().flush().unwrap();
    }
    asked
}

/// Reads a request whole.
pub(super) fn hear(stream: &mut BufReader<impl Read>) -> Asked {
    let mut line = || {
        let mut line = String::new();
        let read = stream.read_line(&mut line);
        read.ok().map(|_| line.trim_end().to_owned()).unwrap_or_default()
    };
    let what = line().strip_suffix(" HTTP/1.1").unwrap_or_default().to_owned();
    let mut asked = Asked { what, headers: Vec::new(), body: String::new() };
    while let Some((name, value)) = line().split_once(':') {
        asked.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    stream.take(length).read_to_string(&mut asked.body).unwrap();
    asked
}
