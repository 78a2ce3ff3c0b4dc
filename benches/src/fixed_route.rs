//! The floor under reads and verifications: axum and tonic, each with an answer that is a constant.
//!
//! Plain axum as its documentation shows it, and tonic's service as hyper runs it, on a runtime of one thread, in a process
//! of its own: no limits, no time-outs, no request ids, no authentication. Each route answers with a JSON document of a
//! fixed length; gRPC with a `CheckResponse` like the one that Envoy gets. No server of jeton's has these routes: it is
//! another process, which nothing but a benchmark starts.

use std::io::{Write as _, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse, HeaderValue, HeaderValueOption,
    HttpResponse, OkHttpResponse,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::Fallible;
use crate::machine::{self, Core};
use crate::subprocess::{Subprocess, Voice};

/// The headers of an answer over gRPC: as many as jeton's, and as long.
const HEADERS: [(&str, &str); 7] = [
    ("x-fixed-subject", "019b7ca98f2e9f6b9dae6f4c"),
    ("x-fixed-token-id", "019b7ca98f2e9f6b9dae6f4d"),
    ("x-fixed-kind", "personal"),
    ("x-fixed-account", "019b7ca98f2e9f6b9dae6f4e"),
    ("x-fixed-email", "first.last-10000@example.com"),
    ("x-fixed-scopes", "writer"),
    ("x-fixed-expires", "-"),
];

/// Serves a route for each of these lengths, and gRPC, until its input ends, and says at which addresses.
///
/// # Errors
/// If it can't listen.
pub fn fixed_route(lengths: &[usize]) -> Fallible<()> {
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
        let over_http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let over_grpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(stdout(), "{}\n{}", over_http.local_addr()?, over_grpc.local_addr()?)?;
        tokio::spawn(serve_grpc(over_grpc));
        Ok(axum::serve(over_http, routes).await?)
    })
}

async fn serve_grpc(listener: TcpListener) {
    let service = TowerToHyperService::new(AuthorizationServer::new(Constant));
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(connection);
    }
}

/// Lets everything through.
struct Constant;

#[tonic::async_trait]
impl Authorization for Constant {
    async fn check(
        &self,
        _: tonic::Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, tonic::Status> {
        let option = |(key, value): (&str, &str)| HeaderValueOption {
            header: Some(HeaderValue {
                key: key.to_owned(),
                value: value.to_owned(),
                ..HeaderValue::default()
            }),
            ..HeaderValueOption::default()
        };
        let response = OkHttpResponse { headers: HEADERS.map(option).to_vec(), ..OkHttpResponse::default() };
        let answer =
            CheckResponse { http_response: Some(HttpResponse::OkResponse(response)), ..Default::default() };
        Ok(tonic::Response::new(answer))
    }
}

/// Where the document of this length is.
pub(crate) fn path(length: usize) -> String {
    format!("/fixed/{length}")
}

/// The floor in its own process.
pub(crate) struct FixedRoute {
    process: Subprocess,
    pub(crate) address: SocketAddr,
    pub(crate) grpc_address: SocketAddr,
}

impl FixedRoute {
    /// Starts this program once more, as one that does nothing else.
    pub(crate) fn start(role: &[&str], lengths: &[usize]) -> Fallible<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(role).args(lengths.iter().map(usize::to_string));
        let mut process = Subprocess::start(&mut command, Voice::Output, Core::Server)?;
        let (address, grpc_address) = (process.line()?.parse()?, process.line()?.parse()?);
        Ok(Self { process, address, grpc_address })
    }

    pub(crate) fn processor_time(&self) -> Fallible<Duration> {
        machine::processor_time(self.process.id())
    }
}
