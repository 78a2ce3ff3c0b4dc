//! A stream, as its reader sees it: line by line, when the reader wants to look.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::task::unconstrained;

/// The lines of a stream. No line of any may hold a secret.
#[derive(Debug)]
pub struct Lines {
    body: Body,
    part: String,
    whole: VecDeque<String>,
    end: Option<End>,
}

/// How a stream came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// In good order.
    Clean,
    /// The connection was cut.
    Cut,
}

impl Lines {
    /// Reads the body of an answer.
    pub fn of(response: Response<Body>) -> Self {
        Self { body: response.into_body(), part: String::new(), whole: VecDeque::new(), end: None }
    }

    /// The next line, as soon as there is one. `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        while self.whole.is_empty() && self.end.is_none() {
            let frame = self.body.frame().await;
            self.take(frame);
        }
        self.whole.pop_front()
    }

    /// The next line that is no sign of life, as JSON. `None` at the end.
    pub async fn news(&mut self) -> Option<Value> {
        loop {
            let line = self.next().await?;
            if !line.is_empty() {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }

    /// Every line that can be had without waiting for anything.
    pub async fn ready(&mut self) -> Vec<String> {
        while self.nibble().await {}
        self.whole.drain(..).collect()
    }

    /// Takes the next piece, which may be less than a line, or many. `false` if there is none to be had without waiting.
    pub async fn nibble(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let look = poll_fn(|cx| match std::pin::pin!(self.body.frame()).poll(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending => Poll::Ready(None),
        });
        // Outside of the task's budget, which would make it look as if there were nothing.
        let Some(frame) = unconstrained(look).await else { return false };
        self.take(frame);
        true
    }

    /// As [`Lines::ready`], without the signs of life, as JSON.
    pub async fn ready_news(&mut self) -> Vec<Value> {
        let lines = self.ready().await;
        lines.iter().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How the stream ended, if it has.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    fn take(&mut self, frame: Option<Result<Frame<Bytes>, axum::Error>>) {
        match frame {
            None => self.end = Some(End::Clean),
            Some(Err(_)) => self.end = Some(End::Cut),
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                self.part.push_str(std::str::from_utf8(&data).unwrap());
                while let Some((line, rest)) = self.part.split_once('\n') {
                    assert!(!line.contains("jtn_"), "a secret in a stream: {line}");
                    self.whole.push_back(line.to_owned());
                    self.part = rest.to_owned();
                }
            }
        }
        assert!(self.end != Some(End::Clean) || self.part.is_empty(), "half a line: {}", self.part);
    }
}
