//! Building the index from the store, when a service starts: the store reads and decodes, and beside it another thread
//! loads. Each takes about half of the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use jeton_core::change::Change;
use jeton_core::snapshot::Record;
use jeton_index::Index;
use jeton_store::Store;

use crate::start::StartError;

/// Records that change threads at once: so many that the changing doesn't count, so few that they stay in the cache.
const BATCH: usize = 256;
/// Batches that may wait to be loaded. More would only take memory.
const AHEAD: usize = 8;

/// Hears how many tokens are loaded, and how many there are.
pub type Progress<'a> = dyn FnMut(u64, u64) + Send + 'a;

enum Part {
    /// Comes first, so that the table is made once, in its final size.
    Room(usize),
    Records(Vec<Record>),
}

/// The index, and the change that it ends with.
pub(crate) async fn rebuild(
    store: &dyn Store,
    progress: &mut Progress<'_>,
) -> Result<(Index, Option<Change>), StartError> {
    let (parts, to_load) = sync_channel(AHEAD);
    let loading = thread::Builder::new().name("loading".to_owned()).spawn(move || load(&to_load))?;
    let total = AtomicU64::new(0);
    let announced = parts.clone();
    let mut announce = |tokens: u64| {
        total.store(tokens, Ordering::Relaxed);
        send(&announced, Part::Room(usize::try_from(tokens + tokens / 16).unwrap_or(usize::MAX)));
    };
    let (mut batch, mut tokens) = (Vec::with_capacity(BATCH), 0);
    let mut sink = |record| {
        tokens += u64::from(matches!(record, Record::Credential(_)));
        batch.push(record);
        if batch.len() == BATCH {
            send(&parts, Part::Records(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))));
            progress(tokens, total.load(Ordering::Relaxed));
        }
    };
    let head = store.snapshot(&mut announce, &mut sink).await?;
    send(&parts, Part::Records(batch));
    drop((parts, announced));
    let mut index = loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    index.built(head.revision);
    Ok((index, head.change))
}

/// It fails only if the other thread has panicked, which is heard of when that is waited for.
fn send(parts: &SyncSender<Part>, part: Part) {
    let _ = parts.send(part);
}

fn load(parts: &Receiver<Part>) -> Index {
    let mut index = Index::with_capacity(0);
    for part in parts {
        match part {
            Part::Room(tokens) => index = Index::with_capacity(tokens),
            Part::Records(records) => index.load(records),
        }
    }
    index
}
