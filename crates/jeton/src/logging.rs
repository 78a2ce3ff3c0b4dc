//! Log lines, on standard error: for people on a terminal, one JSON object a line otherwise.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use jeton_server::http::panic::message;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::Logging;
use crate::config::value::LogFormat;

/// Starts to log. A panic is logged too, wherever it happens.
pub(crate) fn start(logging: Logging) {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match logging.format {
        LogFormat::Text => lines.with_ansi(wants_colour()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let subscriber = Registry::default().with(lines.with_filter(filter(logging.level.0)));
    // It fails only if there is one already, and then there is nothing to be done.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(log_panic));
}

/// Only jeton's own crates say more than warnings, whatever is asked for: the libraries under HTTP may show headers when
/// they are told to talk, and headers hold secrets.
fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("jeton", level)
}

fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    tracing::error!(
        panic = message(panic.payload()),
        location,
        thread,
        backtrace,
        "a panic: this is a bug in jeton"
    );
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    /// Where a test reads what was logged.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_with_its_message_and_place() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        let panicked = tracing::subscriber::with_default(subscriber, || {
            std::panic::catch_unwind(|| panic!("the {}", "reason"))
        });
        std::panic::set_hook(before);
        assert!(panicked.is_err());
        let line = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(line.contains(r#""panic":"the reason""#) && line.contains("src/logging.rs:"), "{line}");
    }

    #[test]
    fn libraries_never_say_more_than_warnings() {
        let filter = filter(LevelFilter::TRACE);
        assert!(filter.would_enable("jeton", &Level::TRACE));
        assert!(filter.would_enable("jeton_server::http::connection", &Level::TRACE));
        assert!(filter.would_enable("h2::codec", &Level::WARN));
        assert!(!filter.would_enable("h2::codec", &Level::INFO));
    }

    #[test]
    fn a_low_level_holds_for_everybody() {
        let filter = super::filter(LevelFilter::ERROR);
        assert!(!filter.would_enable("jeton_service", &Level::WARN));
        assert!(!filter.would_enable("h2::codec", &Level::WARN));
    }
}
