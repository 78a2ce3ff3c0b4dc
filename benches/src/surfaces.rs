//! What it costs a server to be asked about a secret on each surface, beside plain axum and tonic that answer the like with
//! a constant: processor time, how many are answered, and how long an answer takes; caller authentication and counting
//! included.
//!
//! Every side has two turns in a round. In one, each connection asks as soon as it is answered, and the server's core is
//! busy. In the other all are asked at one moderate pace, at which the answer's time is that of the work and not of a
//! queue.

use std::io::{Write as _, stderr};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::fixed_route::{self, FixedRoute};
use crate::load::{self, Load, Traffic, Wire};
use crate::million;
use crate::options::Options;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};

/// Keep-alive connections.
const CLIENTS: usize = 16;
/// Secrets in one question of many.
const MANY: usize = 100;
/// So much of what the floor can answer is asked at the moderate pace.
const MODERATE: f64 = 0.2;
/// Questions with [`MANY`] secrets come so many times slower.
const SLOWER: f64 = 10.0;

const SIDES: usize = 10;
const FIXED_POST: usize = 7;
const FIXED_GET: usize = 8;
const FIXED_GRPC: usize = 9;

/// A way to ask: how many secrets a question is about, the floor it stands beside, and the goals.
struct Surface {
    name: &'static str,
    secrets: usize,
    floor: usize,
    cost: Option<f64>,
    p99: Option<f64>,
}

const SURFACES: [Surface; 7] = [
    Surface {
        name: "POST /oauth2/introspect",
        secrets: 1,
        floor: FIXED_POST,
        cost: Some(1.15),
        p99: Some(1.25),
    },
    Surface {
        name: "GET /verify/x-forwarded",
        secrets: 1,
        floor: FIXED_GET,
        cost: Some(1.1),
        p99: Some(1.25),
    },
    Surface {
        name: "GET /verify/x-original",
        secrets: 1,
        floor: FIXED_GET,
        cost: Some(1.1),
        p99: Some(1.25),
    },
    Surface { name: "ext_authz over HTTP", secrets: 1, floor: FIXED_GET, cost: None, p99: None },
    Surface { name: "POST /verify", secrets: 1, floor: FIXED_POST, cost: None, p99: None },
    Surface { name: "POST /verify, 100 secrets", secrets: MANY, floor: FIXED_POST, cost: None, p99: None },
    Surface { name: "ext_authz over gRPC", secrets: 1, floor: FIXED_GRPC, cost: Some(1.15), p99: Some(1.25) },
];
const ONE: usize = 4;
const SEVERAL: usize = 5;

/// What came of a turn.
struct Turn {
    /// Microseconds of processor time for an answer.
    cost: f64,
    /// Answers by the second.
    rate: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
}

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "surfaces")?;
    let data = scratch.join("data");
    let population = million::fill(options, &data)?;
    let server = Server::start_with(jeton, &data, None, &["--grpc-listen", "127.0.0.1:0"])?;
    let secrets: Vec<String> = population.secrets.into_iter().map(|(_, _, secret)| secret).collect();
    let mut sides = Sides::connect(options, &server, &secrets)?;
    let time = Duration::from_secs_f64(options.seconds);
    let pace = sides.load[FIXED_POST].run(time)?.rate * MODERATE;
    writeln!(stderr(), "pace     {pace:.0} questions a second where an answer's time is measured")?;
    // The second half of the turns is at the moderate pace.
    let series: Series<{ 2 * SIDES }, Turn> = take_turns(options.rounds, options.seed, |turn| {
        let (side, is_paced) = (turn % SIDES, turn >= SIDES);
        let slower = if side == SEVERAL { SLOWER } else { 1.0 };
        sides.load[side].pace(is_paced.then_some(pace / slower));
        let used = || if side >= FIXED_POST { sides.fixed.processor_time() } else { server.processor_time() };
        let before = used()?;
        let tally = sides.load[side].run(time)?;
        let cost = used()?.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(tally.all);
        Ok(Turn { cost, rate: tally.rate, p50: tally.p50, p99: tally.p99 })
    })?;
    for (side, surface) in SURFACES.iter().enumerate() {
        tell(surface, side, &series, report)?;
    }
    let middle = |side| series.spread_of(side, |turn| turn.cost).median;
    let each = (middle(SEVERAL) - middle(ONE)) / (MANY - 1) as f64;
    let name = format!("POST /verify, each of {MANY} secrets beyond the first");
    report.add(Figure::plain(name, each, "µs").goal(Goal::AtMost(1.0)))
}

fn tell(
    surface: &Surface,
    side: usize,
    series: &Series<{ 2 * SIDES }, Turn>,
    report: &mut Report,
) -> Fallible<()> {
    let (name, secrets) = (surface.name, surface.secrets as f64);
    let beside = |what: &str, paced: usize, unit, share: f64, figure: fn(&Turn) -> f64| {
        let (side, floor) = (side + paced, surface.floor + paced);
        let value = series.spread_of(side, figure).median * share;
        let by = series.spread_of(floor, figure).median;
        let ratio = series.ratio_of(side, floor, figure).times(share);
        Figure::plain(format!("{name}: {what}"), value, unit).beside(by, ratio)
    };
    let aimed = |figure: Figure, goal: Option<f64>| match goal {
        Some(goal) => figure.goal(Goal::RatioAtMost(goal)),
        None => figure,
    };
    let cost = beside("processor time for a verification", 0, "µs", secrets.recip(), |turn| turn.cost);
    report.add(aimed(cost, surface.cost))?;
    report.add(beside("verifications", 0, "/s", secrets, |turn| turn.rate))?;
    if surface.secrets > 1 {
        // At another pace than the floor's, so a ratio would say nothing.
        let alone = |figure: fn(&Turn) -> f64| series.spread_of(side + SIDES, figure).median;
        report.add(Figure::plain(format!("{name}: answer, p50"), alone(|turn| turn.p50), "µs"))?;
        return report.add(Figure::plain(format!("{name}: answer, p99"), alone(|turn| turn.p99), "µs"));
    }
    report.add(beside("answer, p50", SIDES, "µs", 1.0, |turn| turn.p50))?;
    report.add(aimed(beside("answer, p99", SIDES, "µs", 1.0, |turn| turn.p99), surface.p99))
}

/// Everything that takes turns, connected.
struct Sides {
    load: Vec<Load>,
    fixed: FixedRoute,
}

impl Sides {
    fn connect(options: &Options, server: &Server, secrets: &[String]) -> Fallible<Self> {
        let mut client = server.client()?;
        let service = issue(&mut client)?;
        let introspect = |secret: &String| post_form("/oauth2/introspect", &service, secret);
        // How long the floor's documents are to be.
        let length = client.ask_well(&introspect(&secrets[0]))?.body.len();
        let fixed = FixedRoute::start(options.fixed_route, &[0, length])?;
        let constant = |secret: &String| post_form(&fixed_route::path(length), &service, secret);
        let got = |secret: &String| gateway(&fixed_route::path(0), secret, FORWARDED);
        let grpc = server.grpc_address.ok_or("a server without an address for gRPC")?;
        let each = |make: &dyn Fn(&String) -> Vec<u8>| secrets.iter().map(make).collect::<Vec<_>>();
        let checks = |address: SocketAddr| {
            let authority = address.to_string();
            each(&|secret| load::frames(&authority, &load::check_question(secret)))
        };
        let asking = |wire, address, requests| Load::of(vec![Traffic::new(wire, address, CLIENTS, requests)]);
        let at = server.address;
        let several = secrets.chunks_exact(MANY.min(secrets.len())).take(64);
        let load = vec![
            asking(Wire::Http1, at, each(&introspect)),
            asking(Wire::Http1, at, each(&|secret| forward(secret, None))),
            asking(Wire::Http1, at, each(&|secret| gateway("/verify/x-original", secret, ORIGINAL))),
            asking(Wire::Http1, at, each(&|secret| gateway("/ext-authz/a/b", secret, ENVOYS))),
            asking(Wire::Http1, at, each(&|secret| verify(&service, &json!({ "secret": secret })))),
            asking(Wire::Http1, at, several.map(|some| verify(&service, &listed(some))).collect()),
            asking(Wire::Grpc, grpc, checks(grpc)),
            asking(Wire::Http1, fixed.address, each(&constant)),
            asking(Wire::Http1, fixed.address, each(&got)),
            asking(Wire::Grpc, fixed.grpc_address, checks(fixed.grpc_address)),
        ];
        Ok(Self { load, fixed })
    }
}

fn listed(secrets: &[String]) -> serde_json::Value {
    let repeated = secrets.iter().cycle().take(MANY);
    json!(repeated.map(|secret| json!({ "secret": secret })).collect::<Vec<_>>())
}

/// A question to `POST /verify`.
pub(crate) fn verify(service: &str, body: &serde_json::Value) -> Vec<u8> {
    client::post("/verify", "authorization", service, &body.to_string())
}

/// What a gateway asks before it lets a request through, for a client at an address if it names one.
pub(crate) fn forward(secret: &str, client: Option<Ipv4Addr>) -> Vec<u8> {
    let client = client.map(|address| format!("x-forwarded-for: {address}\r\n")).unwrap_or_default();
    gateway("/verify/x-forwarded", secret, &format!("{client}{FORWARDED}"))
}

/// What the request is about, as Traefik, Caddy and HAProxy say it.
const FORWARDED: &str = "x-forwarded-method: GET\r\nx-forwarded-uri: /a/b\r\n";
/// As nginx says it.
const ORIGINAL: &str = "x-original-method: GET\r\nx-original-uri: /a/b\r\n";

/// What Envoy adds of its own, over HTTP: what the request is about stands in the address.
const ENVOYS: &str = "x-envoy-internal: true\r\nx-forwarded-proto: http\r\n";

/// A gateway's question, whose headers say what the request is about.
fn gateway(path: &str, secret: &str, about: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nauthorization: Bearer {secret}\r\n{about}\r\n"
    )
    .into_bytes()
}

/// A secret in a form, as introspection takes it.
pub(crate) fn post_form(path: &str, service: &str, secret: &str) -> Vec<u8> {
    let form = format!("token={secret}");
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nauthorization: Bearer {service}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// Issues a service token to ask with, and gives its secret.
fn issue(client: &mut Client) -> Fallible<String> {
    let body = json!({ "role": "reader", "serviceToken": true }).to_string();
    let answer = client.ask(&client::post("/api/v2/tokens", "authorization", OWNER, &body))?;
    let token: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(token["token"].as_str().ok_or("a token without a secret")?.to_owned())
}
