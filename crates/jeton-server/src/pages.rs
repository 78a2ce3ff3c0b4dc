//! Lists without pages, whatever their length: read from the store piece by piece, and written while the client reads.
//!
//! A list that fits into one piece, as nearly all do, is an ordinary answer. A longer one holds the memory of two pieces
//! at the most, however slowly its reader takes it. If the store fails halfway the connection is cut: a list that only
//! looks complete would be a lie.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame as BodyFrame;
use jeton_service::{Start, TokenPage, TokenView, Visible};
use tokio::sync::mpsc;

use crate::ask::Ask;
use crate::trouble::Trouble;

/// Tokens in one piece.
const PIECE: usize = 1000;

/// What stands around the tokens. What comes after them may tell how many there were.
pub(crate) struct Frame<A> {
    pub(crate) before: &'static str,
    pub(crate) after: A,
}

/// Answers with the whole list, each token written by `write`, with commas between.
pub(crate) async fn answer<A, W>(
    ask: Ask,
    visible: Visible,
    frame: Frame<A>,
    write: W,
) -> Result<Response, Trouble>
where
    A: FnOnce(u64) -> String + Send + 'static,
    W: Fn(&TokenView) -> serde_json::Result<String> + Send + 'static,
{
    let first = ask.service().list(&ask.session, visible, Start::Offset(0), PIECE).await?;
    let mut writer = Writer { write, count: 0 };
    let mut text = frame.before.to_owned();
    writer.append(&mut text, &first).map_err(|_| Trouble::Internal)?;
    let body = if first.total <= first.items.len() as u64 {
        text.push_str(&(frame.after)(writer.count));
        Body::from(text)
    } else {
        let (pieces, body) = mpsc::channel(1);
        tokio::spawn(rest(ask, visible, first.end, text, writer, frame.after, pieces));
        Body::new(Pieces(body))
    };
    let json = HeaderValue::from_static("application/json");
    Ok((StatusCode::OK, [(CONTENT_TYPE, json)], body).into_response())
}

type Piece = Result<Bytes, io::Error>;

async fn rest<A, W>(
    ask: Ask,
    visible: Visible,
    mut end: Option<jeton_core::id::TokenId>,
    mut text: String,
    mut writer: Writer<W>,
    after: A,
    pieces: mpsc::Sender<Piece>,
) where
    A: FnOnce(u64) -> String,
    W: Fn(&TokenView) -> serde_json::Result<String>,
{
    while let Some(start) = end {
        // A reader that has gone away ends the work.
        if pieces.send(Ok(Bytes::from(std::mem::take(&mut text)))).await.is_err() {
            return;
        }
        let page = ask.service().list(&ask.session, visible, Start::After(start), PIECE).await;
        let written = page.map_err(io::Error::other).and_then(|page| {
            writer.append(&mut text, &page)?;
            Ok(page.end)
        });
        match written {
            Ok(next) => end = next,
            Err(error) => {
                let _ = pieces.send(Err(error)).await;
                return;
            }
        }
    }
    text.push_str(&after(writer.count));
    let _ = pieces.send(Ok(Bytes::from(text))).await;
}

struct Writer<W> {
    write: W,
    count: u64,
}

impl<W: Fn(&TokenView) -> serde_json::Result<String>> Writer<W> {
    fn append(&mut self, text: &mut String, page: &TokenPage) -> serde_json::Result<()> {
        for view in &page.items {
            if self.count > 0 {
                text.push(',');
            }
            text.push_str(&(self.write)(view)?);
            self.count += 1;
        }
        Ok(())
    }
}

/// A body that comes from a channel.
struct Pieces(mpsc::Receiver<Piece>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, io::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(BodyFrame::data)))
    }
}
