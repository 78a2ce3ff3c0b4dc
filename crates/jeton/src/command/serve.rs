//! `jeton serve`: start, serve, stop.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton_core::digest::ServerKey;
use jeton_server::Apps;
use jeton_server::http::{self, ConnectionLimits, Listener};
use jeton_service::{Clock as _, Failure, Service};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::layers::Layers;
use crate::config::{Config, Resolver};
use crate::fault::Fault;
use crate::first_start::FirstStart;
use crate::installation::Plan;
use crate::signals::{self, Signals};
use crate::system::{SystemClock, SystemEntropy, utc};
use crate::tls::{self, Certificate};
use crate::{data_dir, logging};

/// How often is written down when tokens were last used: as much of it may a crash lose.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// How often the files of a TLS certificate are looked at: a change is taken up after twice as long at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often changes are looked for that are older than the log is kept.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Left to commits between two steps of forgetting.
const BETWEEN_COMPACTIONS: Duration = Duration::from_millis(20);

/// For what still runs when everything has been answered or cut.
const LAST_GRACE: Duration = Duration::from_secs(1);

pub(crate) fn run(layers: &Layers) -> Result<(), Fault> {
    let started = Instant::now();
    let config = Resolver::new(layers).config()?;
    logging::start(config.logging);
    for stranger in layers.strangers() {
        tracing::warn!("{stranger}");
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(&config, started));
    runtime.shutdown_timeout(LAST_GRACE);
    ended.and_then(end)
}

/// Threads that take work from one another, as many as there are cores. With a single core there is nobody to take it from,
/// and no reason to pay for the asking: a tenth of what a verification costs.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = if cores == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    builder.worker_threads(cores).thread_name("worker").enable_all().build()
}

/// Lets go of the service, which finishes what it was asked for, unless its database keeps it waiting: then it is finished
/// when the process is. Nobody was told that it is done.
fn end(service: Service) -> Result<(), Fault> {
    let astray = service.is_astray();
    let (gone, waiting) = std::sync::mpsc::channel();
    let ending = move || {
        drop(service);
        let _ = gone.send(());
    };
    std::thread::Builder::new().name("ending".to_owned()).spawn(ending)?;
    if waiting.recv_timeout(LAST_GRACE).is_err() {
        tracing::warn!("the database does not answer: what was not answered may have been done, or not");
    }
    if astray {
        return Err(Fault::failed(
            "the database has gone another way than this server knows it: start this server again, so that it reads the \
             database anew",
        ));
    }
    Ok(())
}

/// Starts, serves and stops.
///
/// The address is taken before the database is opened: clients that come early wait in the backlog instead of being
/// turned away, and whoever finds the database taken learns the address at which it is served. Until the server is
/// ready a signal ends the process on the spot, which is safe at any instant; all but SIGHUP, which asks for a reload and
/// has to wait for something that can be reloaded.
async fn serve(config: &Config, started: Instant) -> Result<Service, Fault> {
    let hangups = signals::hangups()?;
    let certificate = config.tls.clone().map(Certificate::open).transpose()?;
    data_dir::prepare(&config.storage.data_dir)?;
    let entropy = Arc::new(SystemEntropy::new()?);
    let encrypted = |listener: Listener| match &certificate {
        Some(certificate) => listener.with_tls(certificate.shown()),
        None => listener,
    };
    let listener = encrypted(config.listen.bind().await?);
    let grpc_listener = grpc_listener(config).await?.map(encrypted);
    let service = open(config, &listener, &entropy).await?;
    let first_start = FirstStart {
        service: &service,
        owner: &config.owner,
        storage: &config.storage,
        address: listener.address(),
        tls_cert: config.tls.as_ref().map(|files| &files.cert),
        entropy: &entropy,
    };
    first_start.run().await?;
    let apps = jeton_server::apps(service.clone(), settings(config, &service.mint().key, &entropy));
    let signals = Signals::listen()?;
    tracing::info!(
        address = %listener.address(),
        grpc_address = grpc_listener.as_ref().map(|listener| listener.address().to_string()),
        tls = config.tls.is_some(),
        database = %config.storage.database,
        revision = service.index().revision().number(),
        tokens = service.index().tokens(),
        startup_ms = millis(started.elapsed()),
        "ready"
    );
    let flushing = tokio::spawn(flush_regularly(service.clone()));
    let forgetting = tokio::spawn(forget_regularly(service.clone(), config.streams.log_retention));
    let reloading = tokio::spawn(tls::follow(certificate, hangups, LOOK_EVERY));
    let told_to_stop = async {
        tokio::select! {
            () = signals.first() => {}
            () = gone_astray(&service) => {}
        }
        // They would not end by themselves before the drain does.
        service.end_watches();
    };
    let cut = serve_all(apps, listener, grpc_listener, &config.costs.connections, told_to_stop).await;
    flushing.abort();
    forgetting.abort();
    reloading.abort();
    let leaving = async {
        flush(service.clone()).await;
        blocking(service.clone(), |service| async move { service.leave().await }).await;
    };
    if tokio::time::timeout(LAST_GRACE, leaving).await.is_err() {
        tracing::warn!("the database does not answer: the other servers wait for this one, for one lease");
    }
    tracing::info!(
        cut_connections = cut,
        revision = service.index().revision().number(),
        uptime_s = started.elapsed().as_secs(),
        "stopped"
    );
    Ok(service)
}

/// Comes to an end when this node can't go on from what it knows. Whoever keeps servers running starts it again.
async fn gone_astray(service: &Service) {
    while !service.is_astray() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Serves at one address, or at both, until told to stop: how many connections had to be cut then.
async fn serve_all(
    apps: Apps,
    listener: Listener,
    grpc_listener: Option<Listener>,
    limits: &ConnectionLimits,
    told_to_stop: impl Future<Output = ()>,
) -> usize {
    // Whoever holds the other end hears that this one is gone.
    let (serving, mut stopping) = watch::channel(());
    let stop = async {
        told_to_stop.await;
        drop(serving);
    };
    let over_http = http::serve(listener, apps.http, limits.clone(), stop);
    let over_grpc = async {
        let listener = grpc_listener?;
        let stop = async {
            let _ = stopping.changed().await;
        };
        Some(http::serve(listener, apps.grpc, limits.clone(), stop).await)
    };
    let (over_http, over_grpc) = tokio::join!(over_http, over_grpc);
    over_http.cut + over_grpc.map_or(0, |drained| drained.cut)
}

/// Takes the address for gRPC, if there is one.
async fn grpc_listener(config: &Config) -> Result<Option<Listener>, Fault> {
    let Some(address) = &config.grpc_listen else { return Ok(None) };
    let listener = address.bind().await.map_err(|error| {
        // What to do about it is said of the other address.
        Fault::failed(error.to_string().replace("--listen", "--grpc-listen"))
    })?;
    Ok(Some(listener))
}

async fn open(config: &Config, listener: &Listener, entropy: &Arc<SystemEntropy>) -> Result<Service, Fault> {
    let (process, since) = (std::process::id(), utc(SystemClock.now()));
    let holder = format!("process {process}, listening on {}, since {since}", listener.address());
    let plan = Plan {
        storage: &config.storage,
        format: &config.format,
        limits: config.limits,
        holder: &holder,
        lease: config.cluster.lease,
    };
    plan.serve(&config.cluster, listener.address(), entropy).await
}

fn settings(config: &Config, key: &ServerKey, entropy: &SystemEntropy) -> jeton_server::Settings {
    let costs = &config.costs;
    jeton_server::Settings {
        token_requests: costs.token_rate,
        failed_authentications: costs.failed_auth_rate,
        failed_logins: costs.failed_login_rate,
        max_body_bytes: costs.max_body_bytes,
        body_timeout: costs.body_timeout,
        stream_keepalive: config.streams.keepalive,
        tls: config.tls.is_some(),
        verify: config.verify.clone(),
        version: env!("CARGO_PKG_VERSION"),
        server_id: server_id(key),
        seeds: std::array::from_fn(|_| u64::from_ne_bytes(*entropy.bytes())),
    }
}

/// Names the installation for ever, and on every node alike: it follows from the server key, of whose fingerprint it is
/// a part, and reveals nothing of it. In the form of a UUID whose maker chose its bits (version 8, RFC 9562).
fn server_id(key: &ServerKey) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&key.fingerprint()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = format!("{:032x}", u128::from_be_bytes(bytes));
    [&number[..8], &number[8..12], &number[12..16], &number[16..20], &number[20..]].join("-")
}

/// Forgets old changes, a few at a time: commits go on in between.
async fn forget_regularly(service: Service, retention: Duration) {
    loop {
        tokio::time::sleep(FORGET_EVERY.min(retention)).await;
        while blocking(service.clone(), move |service| async move { service.forget_changes(retention).await })
            .await
            .unwrap_or(false)
        {
            tokio::time::sleep(BETWEEN_COMPACTIONS).await;
        }
    }
}

async fn flush_regularly(service: Service) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        flush(service.clone()).await;
    }
}

/// What fails is in the log already, and is tried again the next time.
async fn flush(service: Service) {
    blocking(service, |service| async move { service.flush_last_used().await }).await;
}

/// Runs work of the service on a thread that may wait for a disk. `None` if it failed.
async fn blocking<T, Work>(service: Service, work: impl FnOnce(Service) -> Work + Send + 'static) -> Option<T>
where
    T: Send + 'static,
    Work: Future<Output = Result<T, Failure>>,
{
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work(service)).ok()).await.ok().flatten()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_id_is_a_uuid_that_follows_from_the_key() {
        let key = |byte: u8| ServerKey::new([byte; 32].into());
        let id = server_id(&key(1));
        let groups: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "8", "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_eq!(id, server_id(&key(1)));
        assert_ne!(id, server_id(&key(2)));
    }
}
