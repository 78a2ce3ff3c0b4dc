//! A cluster, turn by turn: what each node may answer at every instant, and what a revocation waits for.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::Duration;

use jeton_testkit::cluster::{Cluster, InCluster, LEASE, among, poll};
use jeton_testkit::{Jeton, Reply};
use serde_json::json;

const TOKENS: &str = "/api/v2/tokens";
const INSTANT: Duration = Duration::from_millis(1);

/// A token made at a node: its id and its secret.
async fn create(at: &InCluster, among_nodes: &[&InCluster]) -> (String, String) {
    let owner = at.jeton.owner.secret.clone();
    let body = json!({ "role": "reader", "serviceToken": true }).to_string();
    let made = among(among_nodes, at.jeton.call(&owner, "POST", TOKENS, Some(&body))).await.expect(201);
    (made.string("_id"), made.string("token"))
}

/// What a gateway beside this node is told of a secret.
async fn ask(jeton: &Jeton, secret: &str) -> u16 {
    let authorization = format!("Bearer {secret}");
    let headers =
        [("authorization", authorization.as_str()), ("x-forwarded-uri", "/"), ("x-forwarded-method", "GET")];
    jeton.send("GET", "/verify/x-forwarded", &headers, "").await.status.as_u16()
}

fn delete<'a>(at: &'a InCluster, id: &str) -> impl Future<Output = Reply> + use<'a> {
    let (owner, path) = (at.jeton.owner.secret.clone(), format!("{TOKENS}/{id}"));
    async move { at.jeton.call(&owner, "DELETE", &path, None).await }
}

/// Begins a revocation, and goes on until it is durable and nothing is left of it but to be answered.
async fn begin_to_revoke<'a>(
    at: &'a InCluster,
    id: &str,
) -> std::pin::Pin<Box<impl Future<Output = Reply> + use<'a>>> {
    let before = at.jeton.service.index().revision();
    let mut revoking = Box::pin(delete(at, id));
    while at.jeton.service.index().revision() == before {
        assert!(poll(&mut revoking).is_none(), "nobody has answered it yet");
        // Only until it has been taken up: it may not be answered by a turn that is taken here for another reason.
        at.turn();
        tokio::task::yield_now().await;
    }
    revoking
}

/// Takes turns of one node until a request is answered.
async fn answered<T>(by: &InCluster, work: std::pin::Pin<Box<impl Future<Output = T>>>) -> T {
    among(&[by], work).await
}

/// For a while nothing but these nodes' turns happens, and the request stays unanswered.
async fn stays_open<T>(work: &mut std::pin::Pin<Box<impl Future<Output = T>>>, nodes: &[&InCluster]) {
    for _ in 0..5 {
        for node in nodes {
            node.turn();
        }
        tokio::task::yield_now().await;
        assert!(poll(work).is_none(), "it was answered too early");
    }
}

#[tokio::test]
async fn law_02_what_was_issued_at_one_node_works_at_every_other_at_once() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let (_, secret) = create(&one, &[&one]).await;
    // The other has not heard of it, and asks before it says no.
    let mut asking = Box::pin(ask(&two.jeton, &secret));
    assert_eq!(poll(&mut asking), None);
    two.turn();
    assert_eq!(asking.await, 200);
    assert_eq!(ask(&two.jeton, &secret).await, 200, "and from memory the next time");
    // Who asks about nothing is told so after the same look.
    let mut asking = Box::pin(ask(&two.jeton, "jtn_svc_0000000000000000000000000000000000000000002aBcDe"));
    assert_eq!(poll(&mut asking), Some(401), "what can't be a secret needs no look");
    let unknown = one.jeton.service.mint().format.generate(jeton_core::token::TokenKind::Service, &[5; 48]);
    let mut asking = Box::pin(ask(&two.jeton, unknown.expose()));
    assert_eq!(poll(&mut asking), None);
    two.turn();
    assert_eq!(asking.await, 401);
    one.turn();
}

#[tokio::test]
async fn law_01_a_revocation_is_answered_when_every_node_has_heard_of_it() {
    let mut cluster = Cluster::new();
    let (one, two, three) = (cluster.join().await, cluster.join().await, cluster.join().await);
    let (id, secret) = create(&one, &[&one, &two, &three]).await;
    for node in [&one, &two, &three] {
        node.turn();
        assert_eq!(ask(&node.jeton, &secret).await, 200);
    }
    let mut revoking = begin_to_revoke(&one, &id).await;
    assert_eq!(ask(&two.jeton, &secret).await, 200, "it is not answered yet, and not known there");
    stays_open(&mut revoking, &[&one]).await;
    // One has taken it in, and says so with its next beat; the other has not.
    two.turn();
    two.turn();
    stays_open(&mut revoking, &[&one, &two]).await;
    three.turn();
    stays_open(&mut revoking, &[&one, &two]).await;
    three.turn();
    answered(&one, revoking).await.expect(204);
    for node in [&one, &two, &three] {
        assert_eq!(among(&[node], ask(&node.jeton, &secret)).await, 401);
    }
}

/// By a second request for the same, whichever node it reaches and whoever sends it.
#[tokio::test]
async fn law_01_who_is_told_that_a_token_is_gone_is_told_so_when_every_node_has_heard_of_it() {
    let mut cluster = Cluster::new();
    let (one, two, three) = (cluster.join().await, cluster.join().await, cluster.join().await);
    let (id, secret) = create(&one, &[&one, &two, &three]).await;
    three.turn();
    let revoking = begin_to_revoke(&one, &id).await;
    let mut again = Box::pin(delete(&two, &id));
    stays_open(&mut again, &[&one, &two]).await;
    assert_eq!(ask(&three.jeton, &secret).await, 200, "neither is answered yet");
    three.turn();
    three.turn();
    answered(&two, again).await.expect(404);
    answered(&one, revoking).await.expect(204);
    assert_eq!(among(&[&three], ask(&three.jeton, &secret)).await, 401);
}

#[tokio::test]
async fn law_01_a_node_that_is_cut_off_stops_answering_before_the_revocation_is_answered() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let (id, secret) = create(&one, &[&one, &two]).await;
    two.turn();
    two.way.set_broken(true);
    let mut revoking = begin_to_revoke(&one, &id).await;
    stays_open(&mut revoking, &[&one, &two]).await;
    assert_eq!(ask(&two.jeton, &secret).await, 200);
    cluster.time.advance(LEASE.checked_sub(INSTANT).unwrap());
    one.turn();
    assert_eq!(ask(&two.jeton, &secret).await, 503, "it lives by a little less than the lease");
    stays_open(&mut revoking, &[&one, &two]).await;
    cluster.time.advance(INSTANT);
    answered(&one, revoking).await.expect(204);
    assert_eq!(ask(&two.jeton, &secret).await, 503);
    // The next revocation does not wait for whoever has been silent for a lease.
    let (id, _) = create(&one, &[&one]).await;
    answered(&one, Box::pin(delete(&one, &id))).await.expect(204);
    // It recovers by itself, and knows what has happened.
    two.way.set_broken(false);
    assert!(two.turn());
    assert_eq!(among(&[&two], ask(&two.jeton, &secret)).await, 401);
}

#[tokio::test]
async fn law_01_a_node_that_is_cut_off_after_its_commit_answers_when_nobody_can_contradict_it() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let (id, secret) = create(&one, &[&one, &two]).await;
    two.turn();
    let mut revoking = begin_to_revoke(&one, &id).await;
    one.way.set_broken(true);
    stays_open(&mut revoking, &[&one]).await;
    cluster.time.advance(LEASE);
    answered(&one, revoking).await.expect(204);
    assert_eq!(ask(&two.jeton, &secret).await, 503, "two has not beaten for a lease");
    one.way.set_broken(false);
    one.turn();
    two.turn();
}

/// Whoever is told that a token is dead already relies on it as much as the one who killed it.
#[tokio::test]
async fn law_01_nobody_is_told_that_it_is_dead_already_before_it_is() {
    let mut cluster = Cluster::new();
    let (one, two, three) = (cluster.join().await, cluster.join().await, cluster.join().await);
    let (id, secret) = create(&one, &[&one, &two, &three]).await;
    three.turn();
    let mut revoking = begin_to_revoke(&one, &id).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut again = Box::pin(two.jeton.send("POST", "/oauth2/revoke", &form, format!("token={secret}")));
    // It begins before this node has heard of the revocation, and finds the token gone in the database.
    assert!(poll(&mut again).is_none());
    stays_open(&mut again, &[&one, &two]).await;
    assert_eq!(ask(&three.jeton, &secret).await, 200);
    three.turn();
    three.turn();
    among(&[&one, &two], async {
        assert_eq!((&mut again).await.status, 200);
        (&mut revoking).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn law_01_a_node_that_comes_in_between_loads_what_was_done() {
    let mut cluster = Cluster::new();
    let one = cluster.join().await;
    let (id, secret) = create(&one, &[&one]).await;
    let revoking = begin_to_revoke(&one, &id).await;
    let two = cluster.join().await;
    assert_eq!(among(&[&two], ask(&two.jeton, &secret)).await, 401);
    among(&[&one, &two], revoking).await.expect(204);
}

#[tokio::test]
async fn law_09_a_node_that_cannot_prove_that_it_is_fresh_says_so_on_every_surface() {
    let mut cluster = Cluster::new();
    let node = cluster.join().await;
    let (_, secret) = create(&node, &[&node]).await;
    node.way.set_broken(true);
    cluster.time.advance(LEASE);
    let bearer = format!("Bearer {secret}");
    let basic = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let jeton = &node.jeton;
    let json = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let forward =
        [("authorization", bearer.as_str()), ("x-forwarded-uri", "/"), ("x-forwarded-method", "GET")];
    for (method, path, headers, body) in [
        ("GET", "/api/v2/caller-identity", &basic[..], String::new()),
        ("GET", "/api/v1/users/1000/access-tokens", &basic[..], String::new()),
        ("POST", TOKENS, &json[..], "{}".to_owned()),
        ("POST", "/oauth2/introspect", &basic[..], format!("token={secret}")),
        ("POST", "/oauth2/revoke", &basic[1..], format!("token={secret}")),
        (
            "POST",
            "/api/v1/users/login",
            &json[1..],
            r#"{"email":"owner@example.com","password":"x"}"#.to_owned(),
        ),
        ("POST", "/verify", &json[..], json!({ "secret": secret }).to_string()),
        ("GET", "/verify/x-forwarded", &forward[..], String::new()),
        ("GET", "/ext-authz/", &basic[..1], String::new()),
        ("GET", "/changes", &basic[..1], String::new()),
        ("GET", "/explain?action=viewProject&resource=proj/a", &basic[..1], String::new()),
        ("GET", "/readyz", &[][..], String::new()),
    ] {
        let reply = jeton.send(method, path, headers, body).await;
        assert_eq!(reply.status, 503, "{method} {path}: {reply:?}");
    }
    jeton.send("GET", "/healthz", &[], "").await.expect(200);
    node.way.set_broken(false);
    node.turn();
    assert_eq!(ask(jeton, &secret).await, 200);
    jeton.send("GET", "/readyz", &[], "").await.expect(200);
}

/// What an operator gets who prefers old answers to none: they say how old they may be.
#[tokio::test]
async fn a_node_may_be_told_to_answer_for_longer() {
    let mut cluster = Cluster::with_staleness(LEASE * 2);
    let node = cluster.join().await;
    let (_, secret) = create(&node, &[&node]).await;
    let age = async || {
        let headers = [("authorization", &*secret), ("x-forwarded-uri", "/"), ("x-forwarded-method", "GET")];
        let reply = node.jeton.send("GET", "/verify/x-forwarded", &headers, "").await;
        let age = reply.headers.get("age").map(|age| age.to_str().unwrap().to_owned());
        (reply.status.as_u16(), age)
    };
    node.turn();
    node.way.set_broken(true);
    assert_eq!(age().await, (200, None));
    cluster.time.advance(LEASE + LEASE / 2);
    assert_eq!(age().await, (200, Some("2".to_owned())));
    cluster.time.advance(LEASE + LEASE / 2);
    assert_eq!(age().await, (503, Some("3".to_owned())));
    node.way.set_broken(false);
    node.turn();
    assert_eq!(age().await, (200, None));
}

/// The latest instant counts, whichever node saw it.
#[tokio::test]
async fn what_was_used_at_one_node_is_known_at_another_after_a_while() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let owner = one.jeton.owner.clone();
    cluster.clock.advance(Duration::from_mins(5));
    one.turn();
    two.turn();
    assert_eq!(ask(&one.jeton, &owner.secret).await, 200);
    let seen = one.jeton.service.now().as_millis();
    one.jeton.service.flush_last_used().await.unwrap();
    two.jeton.service.flush_last_used().await.unwrap();
    let path = format!("/api/v2/members/{}", owner.id);
    let member = among(&[&two], two.jeton.call(&owner.secret, "GET", &path, None)).await.expect(200);
    let text = String::from_utf8_lossy(&member.body).into_owned();
    assert!(text.contains(&format!("\"_lastSeen\":{seen}")), "{seen} {text}");
}

#[tokio::test]
async fn a_node_says_how_it_stands() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    one.turn();
    cluster.time.advance(LEASE / 2);
    let ready = one.jeton.send("GET", "/readyz", &[], "").await.expect(200);
    assert_eq!(String::from_utf8_lossy(&ready.body), r#"{"ageMs":500,"revision":3,"status":"ready"}"#);
    let metrics = async |node: &InCluster| {
        let reply = node.jeton.send("GET", "/metrics", &[], "").await.expect(200);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let ours = ["jeton_knowledge_age_milliseconds ", "jeton_lease_expired ", "jeton_other_nodes "];
        ours.map(|name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned())
    };
    assert_eq!(metrics(&one).await, ["500", "0", "1"]);
    cluster.time.advance(LEASE);
    assert_eq!(metrics(&one).await, ["1500", "1", "1"]);
    two.turn();
}

/// What was done at one node is seen by whoever is sent to another one next.
#[tokio::test]
async fn requests_see_what_was_answered_before_anywhere() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let (id, _) = create(&one, &[&one]).await;
    let owner = two.jeton.owner.secret.clone();
    let listed = among(&[&two], two.jeton.call(&owner, "GET", TOKENS, None)).await.expect(200);
    assert!(String::from_utf8_lossy(&listed.body).contains(&id));
    // And changed there, although this node has not been told how it looks since.
    let path = format!("{TOKENS}/{id}");
    let rename = r#"[{"op":"replace","path":"/name","value":"renamed"}]"#;
    among(&[&one, &two], one.jeton.call(&owner, "PATCH", &path, Some(rename))).await.expect(200);
    among(&[&one, &two], two.jeton.call(&owner, "PATCH", &path, Some(rename))).await.expect(200);
    let (log, next) = (one.jeton.log().await, two.jeton.log().await);
    assert_eq!(log, next);
    one.turn();
    two.turn();
}

/// Commits of two nodes that come between one another.
#[tokio::test]
async fn each_takes_in_what_the_other_committed_before_its_own() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    for _ in 0..5 {
        create(&one, &[&one]).await;
        create(&two, &[&two]).await;
    }
    let revision = two.jeton.service.index().revision();
    assert_eq!(revision.number(), 3 + 10);
    one.turn();
    assert_eq!(one.jeton.service.index().image(), two.jeton.service.index().image());
}

#[tokio::test]
async fn a_stream_at_one_node_tells_what_was_done_at_another() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let owner = two.jeton.owner.secret.clone();
    let mut lines = among(&[&two], two.jeton.listen(&owner, "/changes")).await;
    lines.ready().await;
    let (id, _) = create(&one, &[&one]).await;
    two.turn();
    two.jeton.settle();
    let told = lines.ready().await.join("\n");
    assert!(told.contains(&id), "{told}");
    one.turn();
}

/// By the database's clock, whatever those of the machines say; and it does not go back.
#[tokio::test]
async fn tokens_expire_by_the_clock_of_the_database() {
    let mut cluster = Cluster::new();
    let node = cluster.join().await;
    let owner = node.jeton.owner.secret.clone();
    let soon = node.jeton.service.now().as_millis() + 10_000;
    let body = json!({ "role": "reader", "expiry": soon }).to_string();
    let made = among(&[&node], node.jeton.call(&owner, "POST", TOKENS, Some(&body))).await.expect(201);
    let secret = made.string("token");
    // It is carried forward by the node's own, for as long as nothing else is heard.
    cluster.time.advance(LEASE / 2);
    assert_eq!(node.jeton.service.now().as_millis(), soon - 9_500);
    cluster.clock.advance(Duration::from_secs(10));
    assert!(node.turn());
    assert_eq!(among(&[&node], ask(&node.jeton, &secret)).await, 401);
    // A fail-over to a machine whose clock is slow revives nothing.
    cluster.clock.set(jeton_core::timestamp::Timestamp::from_millis(soon - 5_000));
    assert!(node.turn());
    assert_eq!(among(&[&node], ask(&node.jeton, &secret)).await, 401);
}

#[tokio::test]
async fn a_node_that_leaves_is_waited_for_no_longer() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    let (id, _) = create(&one, &[&one, &two]).await;
    two.jeton.service.leave().await.unwrap();
    answered(&one, Box::pin(delete(&one, &id))).await.expect(204);
    two.turn();
}

/// A node that slept for longer than the log is kept can't go on from what it knows, and does not pretend to.
#[tokio::test]
async fn a_node_that_was_away_for_too_long_has_to_begin_anew() {
    let mut cluster = Cluster::new();
    let (one, two) = (cluster.join().await, cluster.join().await);
    for _ in 0..3 {
        create(&one, &[&one]).await;
    }
    cluster.clock.advance(Duration::from_mins(1));
    one.turn();
    one.jeton.service.forget_changes(Duration::from_secs(1)).await.unwrap();
    cluster.time.advance(LEASE);
    assert!(!two.turn() && two.jeton.service.is_astray());
    assert!(!two.turn(), "and it stays so");
    assert_eq!(ask(&two.jeton, &one.jeton.owner.secret).await, 503);
    // What it holds differs from the store, as it knows.
    std::mem::forget(two.jeton);
}
