//! A cluster in the process: nodes on one store, each with a way to it that can be cut, in a time that passes when a test says
//! so. Nothing happens by itself: a test takes the turns of each node.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_server::Settings;
use jeton_service::{Joining, Membership, Monotonic, Service, TurnsBy};
use jeton_store::shared::{Node, NodeId};
use jeton_store::{SharedStore, Sqlite, Store};

use crate::registry::Registry;
use crate::server::mint;
use crate::{FakeClock, Jeton, Person, SeededEntropy, Unreliable};

/// For how long a node answers by itself.
pub const LEASE: Duration = Duration::from_secs(1);

/// Time as everybody's monotonic clock shows it: it stands until it is moved.
#[derive(Default)]
pub struct FakeMonotonic(AtomicU64);

impl FakeMonotonic {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

impl Monotonic for FakeMonotonic {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

/// What the nodes share.
pub struct Cluster {
    /// The time of all nodes.
    pub time: Arc<FakeMonotonic>,
    /// The database's clock.
    pub clock: Arc<FakeClock>,
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    max_staleness: Duration,
    /// The owner and the account, once the first node has founded them.
    founded: Option<(jeton_core::id::AccountId, Person)>,
    joined: u8,
}

/// A node: a whole server, and its way to the store.
pub struct InCluster {
    /// The server.
    pub jeton: Jeton,
    /// Its way to the store.
    pub way: Arc<Unreliable>,
}

impl Cluster {
    /// An empty store, and nobody yet.
    pub fn new() -> Self {
        Self::with_staleness(Duration::ZERO)
    }

    /// As [`Cluster::new`], of nodes that answer for longer than a lease.
    pub fn with_staleness(max_staleness: Duration) -> Self {
        let registry = Arc::<Registry>::default();
        Self {
            time: Arc::default(),
            clock: Arc::clone(&registry.clock),
            registry,
            store: Arc::new(Sqlite::in_memory().unwrap()),
            max_staleness,
            founded: None,
            joined: 0,
        }
    }

    /// Another node. The first founds the account.
    pub async fn join(&mut self) -> InCluster {
        self.joined += 1;
        let number = self.joined;
        let way = Arc::new(Unreliable::shared(Arc::clone(&self.store), Arc::clone(&self.registry)));
        let entropy = Arc::new(SeededEntropy::new(u64::from(number)));
        let node = Node {
            id: NodeId::new([number; 8]),
            name: format!("node {number}"),
            address: format!("127.0.0.1:{number}"),
            version: "0.1.0".to_owned(),
            lease: LEASE,
        };
        let max_staleness = self.max_staleness;
        let joining = Joining {
            store: Arc::clone(&way) as Arc<dyn SharedStore>,
            membership: Membership { node, poll: Duration::from_millis(50), max_staleness },
            mint: mint(),
            limits: Limits::default(),
            monotonic: Arc::clone(&self.time) as Arc<dyn Monotonic>,
            entropy: Arc::clone(&entropy) as _,
            turns: TurnsBy::Hand,
        };
        let service = Service::join(joining, &mut |_, _| {}).await.unwrap();
        let founded = self.founded.clone();
        let (store, clock) = (Arc::clone(&way) as Arc<dyn Store>, Arc::clone(&self.clock));
        let jeton = Jeton::around(service, store, clock, entropy, Settings::default(), founded).await;
        self.founded = Some((jeton.account, jeton.owner.clone()));
        InCluster { jeton, way }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

impl InCluster {
    /// Takes a turn. Whether it was well.
    pub fn turn(&self) -> bool {
        self.jeton.service.turn_for_tests()
    }
}

/// Looks whether something is done, without waiting for it.
pub fn poll<T>(work: &mut Pin<Box<impl Future<Output = T>>>) -> Option<T> {
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

/// Does something, while these nodes take turns.
pub async fn among<T>(nodes: &[&InCluster], work: impl Future<Output = T>) -> T {
    const MANY: u32 = 100_000;
    let mut work = Box::pin(work);
    for _ in 0..MANY {
        if let Some(done) = poll(&mut work) {
            return done;
        }
        for node in nodes {
            node.turn();
        }
        tokio::task::yield_now().await;
    }
    panic!("it is not done after {MANY} turns of each")
}
