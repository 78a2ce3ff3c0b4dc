//! The gateways of `examples/`, each a real one with that very configuration, between real clients, the real program and
//! something to protect.
//!
//! Every gateway has to keep the same promises; they are in [`keeps_its_promises`] and [`tells_clients_apart`]. Where one
//! can't, the difference is a field of [`Kind`], and stands in `examples/README.md`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use support::gateway::{Gateway, Ports, example, program};
use support::responder::Asked;
use support::upstream::Upstream;
use support::{Reply, Server, curl, left_out, owner_token, serve};
use tempfile::TempDir;

/// What tells one gateway from another.
#[derive(Clone, Copy)]
struct Kind {
    /// Its folder in `examples/`.
    folder: &'static str,
    /// What a client is told while jeton is down.
    down: u16,
    /// What a client is told that failed too often.
    limited: u16,
    /// Whether a client on loopback has that address for it, and not the gateway's other one.
    knows_loopback: bool,
}

/// Every header in which jeton says who asks.
const IDENTITY: [&str; 7] = [
    "x-jeton-subject",
    "x-jeton-token-id",
    "x-jeton-kind",
    "x-jeton-account",
    "x-jeton-email",
    "x-jeton-scopes",
    "x-jeton-expires",
];

/// The one thing that the good token may look at.
const FLAG: &str = "/projects/web/flags/dark-mode";
/// What it may not.
const SECRET_FLAG: &str = "/projects/secret/flags/dark-mode";

#[test]
fn nginx_keeps_its_promises() {
    let Some(nginx) = program("nginx", "JETON_TEST_NGINX") else {
        return left_out("nginx: scripts/test installs it");
    };
    protects(&Kind { folder: "nginx", down: 503, limited: 401, knows_loopback: true }, |dir, _| {
        let mut command = Command::new(&nginx);
        // One process: it is the one that is stopped.
        command.arg("-p").arg(dir).args(["-c", "nginx.conf", "-g", "daemon off; master_process off;"]);
        command
    });
}

#[test]
fn caddy_keeps_its_promises() {
    let Some(caddy) = program("caddy", "JETON_TEST_CADDY") else {
        return left_out("Caddy: scripts/test installs it and sets JETON_TEST_CADDY");
    };
    protects(&Kind { folder: "caddy", down: 503, limited: 429, knows_loopback: true }, |dir, _| {
        let mut command = Command::new(&caddy);
        command.args(["run", "--config", "Caddyfile"]).env("HOME", dir).env_remove("XDG_DATA_HOME");
        command
    });
}

#[test]
fn traefik_keeps_its_promises() {
    let Some(traefik) = program("traefik", "JETON_TEST_TRAEFIK") else {
        return left_out("Traefik: scripts/test installs it and sets JETON_TEST_TRAEFIK");
    };
    protects(&Kind { folder: "traefik", down: 500, limited: 429, knows_loopback: true }, |_, _| {
        let mut command = Command::new(&traefik);
        command.arg("--configFile=traefik.yaml");
        command
    });
}

#[test]
fn haproxy_keeps_its_promises() {
    let Some(haproxy) = program("haproxy", "JETON_TEST_HAPROXY") else {
        return left_out("HAProxy: scripts/test installs it");
    };
    protects(&Kind { folder: "haproxy", down: 503, limited: 429, knows_loopback: true }, |_, _| {
        let mut command = Command::new(&haproxy);
        command.args(["-db", "-f", "haproxy.cfg"]);
        command
    });
}

#[test]
fn envoy_keeps_its_promises_over_http() {
    envoy_keeps_its_promises("envoy");
}

#[test]
fn envoy_keeps_its_promises_over_grpc() {
    envoy_keeps_its_promises("envoy-grpc");
}

fn envoy_keeps_its_promises(folder: &'static str) {
    let Some(envoy) = program("envoy", "JETON_TEST_ENVOY") else {
        return left_out("Envoy: scripts/test installs it and sets JETON_TEST_ENVOY");
    };
    protects(&Kind { folder, down: 503, limited: 429, knows_loopback: folder == "envoy-grpc" }, |_, _| {
        let mut command = Command::new(&envoy);
        // Else it would leave shared memory behind, for a successor.
        command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"]);
        command
    });
}

/// Apache knows who asks from introspection, and decides by itself what each path needs.
#[test]
fn apache_keeps_its_promises() {
    let Some(apache) = program("apache2", "JETON_TEST_APACHE") else {
        return left_out("Apache: scripts/test installs it, and its module oauth2");
    };
    let scene = Scene::open(
        &Kind { folder: "apache", down: 401, limited: 401, knows_loopback: true },
        "0",
        |dir, secret| {
            let mut command = Command::new(apache);
            command.args(["-X", "-f", "httpd.conf", "-d"]).arg(dir).env("JETON_SECRET", secret);
            command
        },
    );
    let (reader, writer) = (scene.token_with_role("reader"), scene.token_with_role("writer"));
    let bearer = |token: &Token| format!("Authorization: Bearer {}", token.secret);
    let (reads, writes) = (bearer(&reader), bearer(&writer));
    let asked = scene.passes(&format!("{FLAG}?x=1&y=%2F%20z"), &[&reads], &[]);
    assert_eq!(asked.what, format!("GET {FLAG}?x=1&y=%2F%20z"));
    assert_eq!(asked.header("authorization"), None, "the secret goes no further");
    named(&asked, &reader);
    strangers_are_refused(&scene);
    let post = ["-X", "POST"];
    scene.refused(403, FLAG, &[&reads, "X-Forwarded-Method: GET", "X-Original-Method: GET"], &post);
    named(&scene.passes(FLAG, &[&writes], &post), &writer);
    // The scope of a person's token outlives a demotion: Apache can't tell what they may by now, and lets them read.
    let person = format!("Authorization: Bearer {}", personal_token(&scene.server, &scene.owner, "writer"));
    scene.passes(FLAG, &[&person], &[]);
    scene.refused(403, FLAG, &[&person], &post);
    a_forged_identity_is_dropped(&scene, &reader, &[&reads]);
    bodies_arrive(&scene, &writes, (403, &reads));
    for path in TWISTED {
        let reply = scene.ask(path, &[&reads], &post);
        let reached = scene.upstream.reached();
        assert_eq!(matches!(reply.status, 400..=404), reached.is_empty(), "{path}: {reply:?} {reached:?}");
        // Only for /projects/ more is needed than a good token.
        assert!(reached.iter().all(|asked| !asked.what.contains("projects")), "{path}: {reached:?}");
    }
    nothing_is_asked_behind_its_back(&scene, &reads);
    what_is_open_is_open(&scene);
    for _ in 0..5 {
        let token = scene.token_with_role("reader");
        scene.passes(FLAG, &[&bearer(&token)], &[]);
        scene.revoke(&token);
        scene.refused(401, FLAG, &[&bearer(&token)], &[]);
    }
    fails_closed(scene, &[FLAG, "/me"]);
}

/// A gateway between a client and something to protect, with jeton at its side.
struct Scene {
    kind: Kind,
    gateway: Gateway,
    server: Server,
    upstream: Upstream,
    owner: String,
    data: TempDir,
}

/// A token, and what jeton calls it.
struct Token {
    id: String,
    secret: String,
    /// What it may, in jeton's words.
    scopes: &'static str,
}

impl Scene {
    /// Clients may fail so often. The command for the gateway is given its folder, and the secret of a service that may ask
    /// about others.
    fn open(kind: &Kind, failures: &str, command: impl FnOnce(&Path, &str) -> Command) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut jeton = serve(data.path());
        jeton.arg("--route-map").arg(example("routes.toml")).args(["--failed-auth-rate", failures]);
        jeton.args(["--grpc-listen", "127.0.0.1:0"]);
        let server = Server::start_with(&mut jeton);
        let upstream = Upstream::start();
        let port =
            |name: &str| server.ready()[name].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
        let ports = Ports::new(port("address"), port("grpc_address"), upstream.port());
        let owner = owner_token(data.path());
        let asker = service_token(&server, &owner, json!({ "role": "reader" })).1;
        let gateway = Gateway::start(kind.folder, ports, |dir| command(dir, &asker));
        Self { kind: *kind, gateway, server, upstream, owner, data }
    }

    /// Makes a service token that may read the flags of one project, and make new ones there.
    fn token(&self) -> Token {
        let may = |action: &str| json!({ "effect": "allow", "actions": [action], "resources": ["proj/web:env/*:flag/*"] });
        let policy = json!({ "inlineRole": [may("readFlag"), may("createFlag")] });
        let (id, secret) = service_token(&self.server, &self.owner, policy);
        Token { id, secret, scopes: "policy" }
    }

    /// Makes a service token with a base role.
    fn token_with_role(&self, role: &'static str) -> Token {
        let (id, secret) = service_token(&self.server, &self.owner, json!({ "role": role }));
        Token { id, secret, scopes: role }
    }

    fn revoke(&self, token: &Token) {
        let authorization = format!("Authorization: {}", self.owner);
        let url = self.server.url(&format!("/api/v2/tokens/{}", token.id));
        assert_eq!(curl(&["-X", "DELETE", "-H", &authorization, &url]).status, 204);
    }

    /// Asks through the gateway, with these headers and whatever else curl is to do.
    fn ask(&self, path: &str, headers: &[&str], more: &[&str]) -> Reply {
        let headers = headers.iter().flat_map(|header| ["-H", header]);
        self.gateway.ask(path, &headers.chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// A request that has to pass, as it came out on the other side.
    fn passes(&self, path: &str, headers: &[&str], more: &[&str]) -> Asked {
        let reply = self.ask(path, headers, more);
        assert_eq!((reply.status, reply.body.as_str()), (200, "behind"), "{path} {headers:?}");
        let mut reached = self.upstream.reached();
        assert_eq!(reached.len(), 1, "{reached:?}");
        reached.remove(0)
    }

    /// A request that must not pass, and what its sender is told.
    fn refused(&self, status: u16, path: &str, headers: &[&str], more: &[&str]) -> Reply {
        let reply = self.ask(path, headers, more);
        assert_eq!(reply.status, status, "{path} {headers:?} {reply:?}");
        let reached = self.upstream.reached();
        assert!(reached.is_empty(), "{path} {headers:?} {reached:?}");
        reply
    }
}

fn port_of(server: &Server, address: &str) -> u16 {
    server.ready()[address].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Makes a service token: its id, and its secret.
fn service_token(server: &Server, owner: &str, mut scope: Value) -> (String, String) {
    scope["serviceToken"] = json!(true);
    token(server, owner, scope)
}

/// Makes a token of the owner's own with a base role: its secret.
fn personal_token(server: &Server, owner: &str, role: &str) -> String {
    token(server, owner, json!({ "role": role })).1
}

fn token(server: &Server, owner: &str, mut scope: Value) -> (String, String) {
    scope["name"] = json!("a token");
    let (authorization, body) = (format!("Authorization: {owner}"), scope.to_string());
    let url = server.url("/api/v2/tokens");
    let reply = curl(&["-H", &authorization, "-H", "Content-Type: application/json", "-d", &body, &url]);
    assert_eq!(reply.status, 201, "{reply:?}");
    let text = |name: &str| reply.json()[name].as_str().unwrap().to_owned();
    (text("_id"), text("token"))
}

/// A gateway that asks jeton about every request, with what it does for clients who come too often.
fn protects(kind: &Kind, command: impl Fn(&Path, &str) -> Command) {
    tells_clients_apart(&Scene::open(kind, "3/3600", &command));
    keeps_its_promises(Scene::open(kind, "0", &command));
}

/// Whoever fails too often is told so, and nobody else behind the same gateway: also not whoever has a good token and comes
/// from the same address.
fn tells_clients_apart(scene: &Scene) {
    // Loopback is where gateways are, so a client of whom they say that is nobody in particular.
    let Some(address) = other_address() else {
        return left_out("the limit on failures: this machine has no address but loopback");
    };
    let good = format!("Authorization: Bearer {}", scene.token().secret);
    let (bad, limited, from_there) =
        ("Authorization: Bearer nonsense", scene.kind.limited, ["--interface", &address]);
    for _ in 0..3 {
        // 401 as often as is left: the gateway was asked from loopback while it started.
        let status = scene.ask(FLAG, &[bad], &from_there).status;
        assert!(status == 401 || status == limited, "{status}");
    }
    let told = scene.refused(limited, FLAG, &[bad], &[&["-i"], &from_there[..]].concat());
    assert_eq!(told.body.to_lowercase().contains("\nretry-after: "), limited == 429, "{told:?}");
    let as_if = ["X-Forwarded-For: 203.0.113.7", "X-Real-IP: 203.0.113.7", "Forwarded: for=203.0.113.7"];
    scene.refused(limited, FLAG, &[&[bad], &as_if[..]].concat(), &from_there);
    scene.passes(FLAG, &[&good], &from_there);
    // What jeton itself says, also where the gateway has no word for it.
    let counted = |client: &str| {
        let client = format!("X-Forwarded-For: {client}");
        curl(&["-H", bad, "-H", &client, &scene.server.url("/verify/x-forwarded")]).status
    };
    assert_eq!([counted(&address), counted("203.0.113.7")], [429, 401]);
    if scene.kind.knows_loopback {
        scene.refused(401, FLAG, &[bad], &[]);
    }
    scene.passes(FLAG, &[&good], &[]);
}

/// An address of this machine that is not loopback, if it has one: from where it would go elsewhere. Nothing is sent.
fn other_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.7:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

fn keeps_its_promises(scene: Scene) {
    let token = scene.token();
    let authorization = format!("Authorization: Bearer {}", token.secret);
    a_good_token_passes_and_is_named(&scene, &token);
    others_are_refused(&scene, &authorization);
    forgeries_change_nothing(&scene, &token, &authorization);
    bodies_arrive(&scene, &authorization, (403, &authorization));
    twisted_paths_lead_nowhere(&scene, &authorization);
    nothing_is_asked_behind_its_back(&scene, &authorization);
    what_is_open_is_open(&scene);
    connections_to_jeton_are_kept(&scene, &authorization);
    scene.passes(FLAG, &[&authorization], &[]);
    scene.revoke(&token);
    scene.refused(401, FLAG, &[&authorization], &[]);
    fails_closed(scene, &[FLAG, SECRET_FLAG, "/public/x"]);
}

/// However it is presented: the request arrives as it was, with the token's names in place of its secret.
fn a_good_token_passes_and_is_named(scene: &Scene, token: &Token) {
    let secret = &token.secret;
    let presented = [
        format!("Authorization: Bearer {secret}"),
        format!("Authorization: {secret}"),
        format!("Private-Token: {secret}"),
    ];
    for header in presented {
        let path = format!("{FLAG}?x=1&y=%2F%20z");
        let asked = scene.passes(&path, &[&header, "X-Other: kept"], &[]);
        assert_eq!(asked.what, format!("GET {path}"));
        assert_eq!(asked.header("x-other"), Some("kept"));
        named(&asked, token);
        for name in ["authorization", "private-token"] {
            assert_eq!(asked.header(name), None, "the secret goes no further: {asked:?}");
        }
        assert_eq!(scene.ask(FLAG, &[&header], &["-I"]).status, 200);
        assert_eq!(scene.upstream.reached()[0].what, format!("HEAD {FLAG}"));
    }
}

/// Every header is there once, with jeton's value.
fn named(asked: &Asked, token: &Token) {
    let named: Vec<_> = IDENTITY.iter().map(|name| only(asked, name)).collect();
    let account = only(asked, "x-jeton-account");
    assert!(account.len() == 24 && account.bytes().all(|byte| byte.is_ascii_hexdigit()), "{asked:?}");
    assert_eq!(named, [&token.id, &token.id, "service", account, "-", token.scopes, "-"]);
}

/// The value of a header that is there once, under any name that a program behind could take for it.
fn only<'a>(asked: &'a Asked, name: &str) -> &'a str {
    let same = |known: &str| known.replace('_', "-") == name;
    let values: Vec<_> = asked.headers.iter().filter(|(known, _)| same(known)).collect();
    assert_eq!(values.len(), 1, "{name}: {asked:?}");
    &values[0].1
}

fn strangers_are_refused(scene: &Scene) {
    scene.refused(401, FLAG, &[], &[]);
    let foreign = "jtn_svc_00000000000000000000000000000000000000000000";
    for bad in ["nonsense", "Bearer nonsense", foreign, "Basic bm9ib2R5Om5vdGhpbmc="] {
        scene.refused(401, FLAG, &[&format!("Authorization: {bad}")], &[]);
    }
}

fn others_are_refused(scene: &Scene, authorization: &str) {
    strangers_are_refused(scene);
    scene.refused(403, SECRET_FLAG, &[authorization], &[]);
    scene.refused(403, FLAG, &[authorization], &["-X", "DELETE"]);
    scene.refused(403, "/nowhere", &[authorization], &[]);
    scene.refused(401, "/nowhere", &[], &[]);
}

/// Whatever a client says about its own request or about itself.
fn forgeries_change_nothing(scene: &Scene, token: &Token, authorization: &str) {
    let as_if = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Uri: /projects/web/flags/dark-mode",
        "X-Original-Method: GET",
        "X-Original-URI: /projects/web/flags/dark-mode",
        "X-Original-URL: /projects/web/flags/dark-mode",
        "X-Http-Method-Override: GET",
        authorization,
    ];
    scene.refused(403, SECRET_FLAG, &as_if, &[]);
    scene.refused(403, FLAG, &as_if, &["-X", "DELETE"]);
    let needing_less = format!("{SECRET_FLAG}?action=readFlag&resource=proj/web:env/x:flag/x");
    scene.refused(403, &needing_less, &as_if, &[]);
    let public = [
        "X-Forwarded-Uri: /public/x",
        "X-Original-URI: /public/x",
        "X-Forwarded-For: 127.0.0.1",
        "X-Jeton-Credential: x",
    ];
    scene.refused(401, FLAG, &public, &[]);
    a_forged_identity_is_dropped(scene, token, &as_if);
}

fn a_forged_identity_is_dropped(scene: &Scene, token: &Token, honest: &[&str]) {
    let mallory: Vec<_> = IDENTITY.iter().map(|name| format!("{name}: mallory")).collect();
    let mut headers: Vec<_> = mallory.iter().map(String::as_str).chain(honest.iter().copied()).collect();
    named(&scene.passes(FLAG, &headers, &[]), token);
    // Twice, and hidden from the gateway in the name of a hop (RFC 9110, section 7.6.1).
    headers.extend(["X-Jeton-Subject: eve", "Connection: X-Jeton-Subject, X-Jeton-Kind"]);
    named(&scene.passes(FLAG, &headers, &[]), token);
    // In other spelling, for programs behind that see no difference. To refuse it is good too.
    let spelled = [&["x_jeton_subject: mallory", "X_Jeton-Kind: mallory"], honest].concat();
    match scene.ask(FLAG, &spelled, &[]).status {
        200 => named(&scene.upstream.reached()[0], token),
        status => assert!(matches!(status, 400 | 403) && scene.upstream.reached().is_empty()),
    }
}

/// Whoever could switch to another protocol behind the gateway's back would ask there for whatever they like, with nobody
/// between: HTTP/2 without TLS is the one that many servers agree to.
fn nothing_is_asked_behind_its_back(scene: &Scene, authorization: &str) {
    let settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA";
    let socket = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
    let alone: &[&str] = &["Upgrade: h2c"];
    let beside: [&[&str]; 4] = [
        &["Upgrade: websocket, h2c"],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: h2c", "Upgrade: websocket"],
        &["Upgrade: websocket", "Upgrade: h2c"],
    ];
    for connection in ["Connection: Upgrade, HTTP2-Settings", "Connection: keep-alive, upgrade"] {
        for upgrade in [&[alone], &beside[..]].concat() {
            let headers = [&[authorization, connection, settings], upgrade, &socket].concat();
            let reply = scene.ask(FLAG, &headers, &[]);
            let reached = scene.upstream.reached();
            let is_h2c = |(name, value): &(String, String)| name == "upgrade" && value.contains("h2c");
            let asked_for_it = reached.iter().any(|asked| asked.headers.iter().any(is_h2c));
            assert!(!asked_for_it, "{headers:?} {reached:?}");
            assert!(matches!(reply.status, 200 | 400 | 403), "{headers:?} {reply:?}");
        }
    }
}

/// For whoever may; others are refused with that status.
fn bodies_arrive(scene: &Scene, authorization: &str, (status, other): (u16, &str)) {
    let body = "0123456789abcdef".repeat(8 * 1024);
    let file = scene.data.path().join("body");
    std::fs::write(&file, &body).unwrap();
    let sent = format!("@{}", file.display());
    let more = ["--data-binary", &sent, "-H", "Content-Type: text/plain"];
    let asked = scene.passes("/projects/web/flags", &[authorization], &more);
    assert_eq!(asked.what, "POST /projects/web/flags");
    assert!(asked.body == body, "{} bytes", asked.body.len());
    // A refusal comes at once, and does not wait for a body that nobody reads.
    scene.refused(status, "/projects/secret/flags", &[other], &more);
    scene.refused(401, "/projects/web/flags", &[], &more);
}

/// Paths that mean one thing to one server and something else to the next.
const TWISTED: [&str; 18] = [
    "/projects/web/flags/..%2F..%2Fsecret%2Fflags%2Fdark-mode",
    "/projects/web/flags/../../secret/flags/dark-mode",
    "/projects/web/flags/%2e%2e/%2E%2E/secret/flags/dark-mode",
    "/projects/web/flags/..%252f..%252fsecret%252fflags%252fdark-mode",
    "/public/../projects/secret/flags/dark-mode",
    "/public/..%2fprojects/secret/flags/dark-mode",
    "/public/..;/projects/secret/flags/dark-mode",
    "/public/..%5cprojects%5csecret%5cflags%5cdark-mode",
    "/public/.%2e/projects/secret/flags/dark-mode",
    "/public//../projects/secret/flags/dark-mode",
    "//projects/secret/flags/dark-mode",
    "/projects//secret/flags/dark-mode",
    "/projects%2Fsecret/flags/dark-mode",
    "/./projects/secret/flags/dark-mode",
    "/projects/secret/flags/dark-mode;/public/x",
    "/projects/secret/flags/dark-mode%00/public/x",
    "/projects/secret/flags/dark-mode%3fx",
    "/PROJECTS/secret/flags/dark-mode",
];

/// As no client should ask: some servers cut a fragment off, others take it for a part of the path.
const FRAGMENTS: [&str; 3] = [
    "/public/x#/../../projects/secret/flags/dark-mode",
    "/projects/web/flags/x#/../../../secret/flags/dark-mode",
    "/public/x?y#/../../projects/secret/flags/dark-mode",
];

fn twisted_paths_lead_nowhere(scene: &Scene, authorization: &str) {
    let whole = FRAGMENTS.map(|target| ("/", ["--request-target", target]));
    for (path, more) in TWISTED.map(|path| (path, ["-H", "X-Other: x"])).into_iter().chain(whole) {
        let reply = scene.ask(path, &[authorization], &more);
        let reached = scene.upstream.reached();
        for asked in &reached {
            assert!(is_allowed(&asked.what), "{path} {more:?} became {asked:?}");
        }
        assert!(
            matches!(reply.status, 400..=404) == reached.is_empty(),
            "{path} {more:?}: {reply:?} {reached:?}"
        );
    }
}

/// Whether a request leads to what the token may see, however it is read.
fn is_allowed(what: &str) -> bool {
    let once = percent_decode_str(what).decode_utf8_lossy();
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    let plain = ["..", "//", "\\", ";", "\0"].iter().all(|odd| !twice.contains(odd));
    plain && (twice.starts_with("GET /projects/web/flags/") || twice.starts_with("GET /public/"))
}

/// Nobody is named where nobody was asked who they are.
fn what_is_open_is_open(scene: &Scene) {
    let asked = scene.passes("/public/a/b.css", &["X-Jeton-Subject: mallory"], &[]);
    assert_eq!(asked.what, "GET /public/a/b.css");
    for name in IDENTITY {
        assert_eq!(only(&asked, name), "-");
    }
}

/// Many requests over few connections, though each client comes over a new one.
fn connections_to_jeton_are_kept(scene: &Scene, authorization: &str) {
    let ports = ["address", "grpc_address"].map(|name| port_of(&scene.server, name));
    let before = clients_of(ports);
    for _ in 0..20 {
        scene.passes(FLAG, &[authorization], &[]);
    }
    let opened = clients_of(ports).difference(&before).count();
    assert!(opened <= 4, "{opened} connections for 20 requests");
}

/// The ports from which a port of this machine was connected to, as far as the kernel remembers: for a minute after a
/// connection's end.
fn clients_of(ports: [u16; 2]) -> HashSet<u16> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = |address: &str| u16::from_str_radix(address.rsplit_once(':').unwrap().1, 16).unwrap();
    let ends = table.lines().skip(1).map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        (port(columns.next().unwrap()), port(columns.next().unwrap()))
    });
    let other = |(local, remote): (u16, u16)| match (ports.contains(&local), ports.contains(&remote)) {
        (true, false) => Some(remote),
        (false, true) => Some(local),
        _ => None,
    };
    ends.filter_map(other).collect()
}

fn fails_closed(scene: Scene, paths: &[&str]) {
    let authorization = format!("Authorization: Bearer {}", scene.token().secret);
    scene.passes(FLAG, &[&authorization], &[]);
    let Scene { kind, gateway, server, upstream, .. } = scene;
    server.stop();
    for arguments in [&["-H", &authorization][..], &[]] {
        for path in paths {
            let reply = gateway.ask(path, arguments);
            assert_eq!(reply.status, kind.down, "{path} {reply:?}");
        }
    }
    let reached = upstream.reached();
    assert!(reached.is_empty(), "{reached:?}");
    gateway.stop();
}
