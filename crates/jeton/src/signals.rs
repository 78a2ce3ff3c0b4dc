//! Signals: the first asks the server to stop in good order, the second ends it at once. SIGHUP asks for a reload.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::fault::Fault;

/// Waits for SIGTERM and SIGINT.
pub(crate) struct Signals(watch::Receiver<bool>);

impl Signals {
    /// Takes the signals over from the system, which would end the process at the first.
    pub(crate) fn listen() -> Result<Self, Fault> {
        let (told, asked) = watch::channel(false);
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(follow(terminate, interrupt, told));
        Ok(Self(asked))
    }

    /// Ready when the first signal has come.
    pub(crate) async fn first(mut self) {
        // An error says that nobody listens any more, and then it is time to stop as well.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// SIGHUP, taken over from the system, which would end the process.
pub(crate) fn hangups() -> Result<Signal, Fault> {
    Ok(signal(SignalKind::hangup())?)
}

async fn follow(mut terminate: Signal, mut interrupt: Signal, told: watch::Sender<bool>) {
    let name = next(&mut terminate, &mut interrupt).await;
    tracing::info!(signal = name, "stopping: requests that run are finished; a second signal ends them");
    let _ = told.send(true);
    let name = next(&mut terminate, &mut interrupt).await;
    tracing::warn!(signal = name, "ended at once, at the second signal");
    exit_at_once();
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Whoever asks twice does not want to wait for anything, least of all for a disk or a handler that hangs. Nothing that
/// was acknowledged is lost by it.
#[expect(clippy::disallowed_methods, reason = "to skip what destructors wait for is the purpose")]
fn exit_at_once() -> ! {
    std::process::exit(1)
}
