//! The client of OAuth that most of Rust uses, unmodified: introspection (RFC 7662) and revocation (RFC 7009).
//!
//! Usage: jeton-clients-rust BASE_URL SECRET
//!
//! Prints a line for each step and ends with the number of steps; any surprise is a panic. The client revokes over https
//! only, so between it and jeton stands here what stands there in life: a gateway on the same machine, which speaks plain
//! HTTP to jeton and says that it was asked over TLS.

use std::io::{Error, Read, Write};
use std::net::TcpStream;

use oauth2::basic::{BasicClient, BasicErrorResponse};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl,
    RequestTokenError, RevocationUrl, StandardRevocableToken, TokenIntrospectionResponse, http,
};
use serde_json::{Value, json};

const UNKNOWN: &str = "nothing-that-anybody-has-ever-issued";

struct Gateway {
    address: String,
}

impl Gateway {
    fn pass_on(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let mut head =
            format!("{} {target} HTTP/1.1\r\nHost: internal\r\nConnection: close\r\n", request.method());
        head += &format!("X-Forwarded-Host: {}\r\nX-Forwarded-Proto: https\r\n", self.address);
        for (name, value) in request.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        head += &format!("Content-Length: {}\r\n\r\n", request.body().len());
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(&[head.as_bytes(), request.body()].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(answer[..end].to_vec()).expect("text");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let mut response = http::Response::builder().status(status);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            response = response.header(name, value);
        }
        Ok(response.body(answer[end + 4..].to_vec()).expect("a response"))
    }

    fn json(&self, method: &str, path: &str, secret: &str, body: Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", secret)
            .header("content-type", "application/json");
        let answer =
            self.pass_on(request.body(body.to_string().into_bytes()).expect("a request")).expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_slice(answer.body()).expect("JSON")
    }
}

struct Client {
    gateway: Gateway,
    introspection: String,
    revocation: String,
    steps: u32,
}

type Refused = RequestTokenError<Error, BasicErrorResponse>;

impl Client {
    fn step(&mut self, what: &str, holds: bool) {
        assert!(holds, "{what}");
        self.steps += 1;
        println!("ok {} {what}", self.steps);
    }

    fn introspect(
        &self,
        token: &str,
        (secret, way): (&str, &AuthType),
    ) -> Result<oauth2::basic::BasicTokenIntrospectionResponse, Refused> {
        let client = BasicClient::new(ClientId::new("any id: with/everything".to_owned()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_auth_type(way.clone())
            .set_introspection_url(IntrospectionUrl::new(self.introspection.clone()).expect("an address"));
        let token = AccessToken::new(token.to_owned());
        client.introspect(&token).request(&|request| self.gateway.pass_on(request))
    }

    /// The error that a revocation ends with; empty if it is done.
    fn revoke(&self, token: &str, (secret, way): (&str, &AuthType)) -> String {
        let client = BasicClient::new(ClientId::new("x".to_owned()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_auth_type(way.clone())
            .set_revocation_url(RevocationUrl::new(self.revocation.clone()).expect("an address"));
        let token = StandardRevocableToken::AccessToken(AccessToken::new(token.to_owned()));
        let asked = client.revoke_token(token).expect("an address with https");
        match asked.request(&|request| self.gateway.pass_on(request)) {
            Ok(()) => String::new(),
            Err(RequestTokenError::ServerResponse(answer)) => answer.error().to_string(),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// What a refusal says, which has to be in words that the client understands.
    fn refusal(&self, token: &str, who: (&str, &AuthType)) -> String {
        match self.introspect(token, who) {
            Err(RequestTokenError::ServerResponse(answer)) => answer.error().to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn main() {
    let [base, owner] = [1, 2].map(|at| std::env::args().nth(at).expect("BASE_URL SECRET"));
    let address = base.strip_prefix("http://").expect("a plain address").to_owned();
    let gateway = Gateway { address: address.clone() };
    let metadata = gateway.json("GET", "/.well-known/oauth-authorization-server", &owner, Value::Null);
    let made = |body: Value| gateway.json("POST", "/api/v2/tokens", &owner, body);
    let asker = made(json!({ "name": "gateway", "serviceToken": true, "role": "reader" }));
    let person = made(json!({ "role": "reader", "expiry": 4_000_000_000_000_i64 }));
    let [asker, person, id] =
        [&asker["token"], &person["token"], &person["_id"]].map(|it| it.as_str().expect("text"));
    let endpoint = |name: &str| metadata[name].as_str().expect("an address").to_owned();
    let (introspection, revocation) = (endpoint("introspection_endpoint"), endpoint("revocation_endpoint"));
    let mut client =
        Client { introspection, revocation, gateway: Gateway { address: address.clone() }, steps: 0 };
    client
        .step("the issuer is what the gateway was asked", metadata["issuer"] == format!("https://{address}"));
    for (name, way) in
        [("client_secret_basic", AuthType::BasicAuth), ("client_secret_post", AuthType::RequestBody)]
    {
        let told = client.introspect(person, (asker, &way)).expect("an answer");
        client.step(&format!("introspects with {name}"), told.active() && told.jti() == Some(id));
        client.step(
            "reads the scope",
            told.scopes().is_some_and(|all| all.len() == 1 && all[0].as_str() == "reader"),
        );
        client.step(
            "reads the kind of token",
            told.token_type() == Some(&oauth2::basic::BasicTokenType::Bearer),
        );
        client.step("reads when it ends", told.exp().is_some_and(|at| at.timestamp() == 4_000_000_000));
        let told = client.introspect(UNKNOWN, (asker, &way)).expect("an answer");
        client.step("learns nothing of an unknown one", !told.active() && told.sub().is_none());
        client.step("a wrong secret", client.refusal(person, (UNKNOWN, &way)) == "invalid_client");
        client.step("who may not ask", client.refusal(asker, (person, &way)) == "insufficient_scope");
        client.step(
            "a wrong secret revokes nothing",
            client.revoke(person, (UNKNOWN, &way)) == "invalid_client",
        );
    }
    let (basic, post) = ((asker, &AuthType::BasicAuth), (asker, &AuthType::RequestBody));
    client.step("and it lives", client.introspect(person, basic).expect("an answer").active());
    client.step("revokes", client.revoke(person, basic).is_empty());
    client.step("and it is dead", !client.introspect(person, basic).expect("an answer").active());
    client.step("revokes what is dead", client.revoke(person, post).is_empty());
    println!("{} steps", client.steps);
}
