//! What it costs a server to be asked about a secret over HTTP, on each surface, beside plain axum that answers the like
//! with a constant: processor time, caller authentication and counting included.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::fixed_route::{self, FixedRoute};
use crate::load::Load;
use crate::options::Options;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};

/// Keep-alive connections.
const CLIENTS: usize = 16;
/// Secrets in one question of many.
const MANY: usize = 100;

const INTROSPECTION: usize = 0;
const FORWARD: usize = 1;
const ONE: usize = 2;
const SEVERAL: usize = 3;
const FIXED_POST: usize = 4;
const FIXED_GET: usize = 5;

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "surfaces")?;
    let server = Server::start(jeton, &scratch.join("data"), None)?;
    let mut client = server.client()?;
    let service = issue(&mut client, true)?;
    let mut secrets = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        secrets.push(issue(&mut client, false)?);
    }
    let form = format!("token={}", secrets[0]);
    let introspect = form_post("/oauth2/introspect", &service, &form);
    let forward = format!(
        "GET /verify/x-forwarded HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nauthorization: Bearer {}\r\n\
         x-forwarded-method: GET\r\nx-forwarded-uri: /a/b\r\n\r\n",
        secrets[0]
    )
    .into_bytes();
    let one = json!({ "secret": secrets[0] }).to_string();
    let several: Vec<_> = secrets.iter().map(|secret| json!({ "secret": secret })).collect();
    let one = client::post("/verify", "authorization", &service, &one);
    let several = client::post("/verify", "authorization", &service, &json!(several).to_string());
    let length = client.ask_well(&introspect)?.body.len();
    for request in [&forward, &one, &several] {
        client.ask_well(request)?;
    }
    let fixed = FixedRoute::start(&[0, length])?;
    let load = |request| Load::new(server.address, CLIENTS, request);
    let mut sides = [
        load(introspect)?,
        load(forward)?,
        load(one)?,
        load(several)?,
        Load::new(fixed.address, CLIENTS, form_post(&fixed_route::path(length), &service, &form))?,
        Load::new(fixed.address, CLIENTS, client::get(&fixed_route::path(0), "authorization", &service))?,
    ];
    let time = Duration::from_secs_f64(options.seconds);
    let series: Series<6> = take_turns(options.rounds, options.seed, |side| {
        let used = || if side >= FIXED_POST { fixed.processor_time() } else { server.processor_time() };
        let before = used()?;
        let tally = sides[side].run(time)?;
        Ok((used()? - before).as_secs_f64() * 1e6 / f64::from(tally.all))
    })?;
    let beside = |name: &str, side, floor| {
        Figure::plain(format!("{name}, processor time"), series.spread(side).median, "µs")
            .beside(series.spread(floor).median, series.ratio(side, floor))
    };
    report.add(beside("POST /oauth2/introspect", INTROSPECTION, FIXED_POST).goal(Goal::RatioAtMost(1.15)))?;
    report.add(beside("forward authentication", FORWARD, FIXED_GET).goal(Goal::RatioAtMost(1.1)))?;
    report.add(beside("POST /verify, one secret", ONE, FIXED_POST))?;
    let each = (series.spread(SEVERAL).median - series.spread(ONE).median) / (MANY - 1) as f64;
    let name = format!("POST /verify, each of {MANY} secrets beyond the first");
    report.add(Figure::plain(name, each, "µs").goal(Goal::AtMost(1.0)))
}

fn form_post(path: &str, secret: &str, form: &str) -> Vec<u8> {
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// Issues a token, and gives its secret.
fn issue(client: &mut Client, service: bool) -> Fallible<String> {
    let body = json!({ "role": "reader", "serviceToken": service }).to_string();
    let answer = client.ask(&client::post("/api/v2/tokens", "authorization", OWNER, &body))?;
    let token: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(token["token"].as_str().ok_or("a token without a secret")?.to_owned())
}
