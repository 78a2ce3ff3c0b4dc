//! News: one node tells the others that it has written something, so that they need not wait until they look by themselves.
//!
//! It goes by `NOTIFY`. Nothing rests on it but haste: an engine that has no such thing, and a pooler that loses it, make the
//! others some milliseconds later. So what comes of telling is not waited for.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use super::Address;
use super::commit::PREPARE;
use super::session::{ReadError, Session};
use crate::shared::NodeId;

const LISTEN: &str = "LISTEN jeton";

/// What wakes a node that waits.
#[derive(Default)]
pub(super) struct Ears {
    /// Under which name this node tells others, and does not hear itself.
    own: OnceLock<String>,
    woken: Notify,
}

impl Ears {
    /// From now on it is told in this node's name what it writes.
    pub(super) fn name(&self, node: NodeId) {
        let _ = self.own.set(node.to_string());
    }

    /// Ends the waiting of whoever waits, or comes to wait next.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    pub(super) async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.woken.notified()).await;
    }

    /// A session that hears what others tell.
    pub(super) async fn listen(self: &Arc<Self>, address: &Address) -> Result<Session, ReadError> {
        let ears = Arc::clone(self);
        let session = Session::hearing(address, move |message| ears.hear(&message)).await?;
        session.client.batch_execute(PREPARE).await?;
        if session.client.batch_execute(LISTEN).await.is_err() {
            tracing::debug!(
                "this database knows no LISTEN: changes of other nodes are heard of a little later"
            );
        }
        Ok(session)
    }

    fn hear(&self, message: &AsyncMessage) {
        let AsyncMessage::Notification(told) = message else { return };
        if self.own.get().is_none_or(|own| own != told.payload()) {
            self.wake();
        }
    }

    /// Tells the others, without waiting for it. The session is in no transaction.
    pub(super) fn spread(&self, session: &Session) {
        let Some(own) = self.own.get() else { return };
        let sql = format!("NOTIFY jeton, '{own}'");
        // The first poll hands the statement to the connection, and nobody is interested in its answer.
        let _ = pin!(session.client.batch_execute(&sql)).poll(&mut Context::from_waker(Waker::noop()));
    }
}
