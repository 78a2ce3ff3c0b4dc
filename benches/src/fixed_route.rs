//! The floor under reads: axum, and a route that answers with a constant.
//!
//! Plain axum as its documentation shows it, on a runtime of one thread, in a process of its own: no limits, no
//! time-outs, no request ids, no authentication. Each route answers with a JSON document of a fixed length.

use std::io::{Write as _, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::Fallible;
use crate::machine;
use crate::subprocess::Subprocess;

/// Serves a route for each of these lengths, until its input ends, and says at which address.
pub(crate) fn run(lengths: &[usize]) -> Fallible<()> {
    let mut routes = Router::new();
    for &length in lengths {
        let body: &'static str = format!("\"{}\"", "x".repeat(length.saturating_sub(2))).leak();
        let answer = move || async move { ([(CONTENT_TYPE, "application/json")], body) };
        // A handler that takes the body has it read, as any that answers a POST.
        let posted = move |_: Bytes| async move { ([(CONTENT_TYPE, "application/json")], body) };
        routes = routes.route(&path(length), get(answer).post(posted));
    }
    std::thread::spawn(move || serve(routes).map_err(|error| error.to_string()));
    std::io::copy(&mut stdin(), &mut std::io::sink())?;
    Ok(())
}

fn serve(routes: Router) -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(stdout(), "{}", listener.local_addr()?)?;
        Ok(axum::serve(listener, routes).await?)
    })
}

/// Where the document of this length is.
pub(crate) fn path(length: usize) -> String {
    format!("/fixed/{length}")
}

/// The floor in its own process.
pub(crate) struct FixedRoute {
    process: Subprocess,
    pub(crate) address: SocketAddr,
}

impl FixedRoute {
    pub(crate) fn start(lengths: &[usize]) -> Fallible<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("fixed-route").args(lengths.iter().map(usize::to_string));
        let mut process = Subprocess::start(&mut command)?;
        let address = process.line()?.parse()?;
        Ok(Self { process, address })
    }

    pub(crate) fn processor_time(&self) -> Fallible<Duration> {
        machine::processor_time(self.process.id())
    }
}
