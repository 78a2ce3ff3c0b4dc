//! Lists that are longer than one piece of memory: complete, valid and in order, in one answer or page by page; also
//! while they change, and honest when they can't be finished.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use jeton_core::change::{Actor, Event, Proposal};
use jeton_core::id::TokenId;
use jeton_core::limits::Limits;
use jeton_core::token::{SecretRecord, Token};
use jeton_server::Settings;
use jeton_store::Sqlite;
use jeton_testkit::{Jeton, Unreliable, request};
use serde_json::Value;

const CANVUS: &str = "/api/v1/users/1000/access-tokens";
const TOKENS: &str = "/api/v2/tokens";

/// Makes tokens like the owner's first until there are this many, in one transaction, and gives all their ids in order.
async fn fill(jeton: &Jeton, count: u32) -> Vec<String> {
    let first = jeton.token_of(&jeton.owner.secret);
    let template =
        jeton.store.token(jeton.account, first).await.unwrap().expect("the owner's first token").token;
    let key = &jeton.service.mint().key;
    let token = |number: u32| {
        let mut random = [0xff; 6];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let digest = key.digest(&format!("nobody's secret {number}"));
        Token {
            id: TokenId::new(template.issued_at, random),
            name: format!("token {number}"),
            secret: SecretRecord { digest, ..template.secret },
            ..template.clone()
        }
    };
    let proposal = |number: u32| Proposal {
        at: template.issued_at,
        account: jeton.account,
        actor: Actor::System,
        event: Event::TokenIssued { token: token(number) },
        expects: Vec::new(),
    };
    let have = u32::try_from(jeton.service.index().tokens_of_account(jeton.account)).unwrap();
    jeton.service.commit_for_tests((have..count).map(proposal).collect()).await.unwrap();
    [first].into_iter().chain((1..count).map(|number| token(number).id)).map(|id| id.to_string()).collect()
}

fn ids(tokens: &Value) -> Vec<String> {
    let id = |token: &Value| token.get("_id").or(token.get("id")).unwrap().as_str().unwrap().to_owned();
    tokens.as_array().unwrap().iter().map(id).collect()
}

/// A request for a list in one answer, in each dialect: the old versions of LaunchDarkly have no pages.
fn whole(jeton: &Jeton) -> [Request<Body>; 2] {
    let secret = jeton.owner.secret.as_str();
    [
        request("GET", CANVUS, &[("private-token", secret)], Body::empty()),
        request("GET", TOKENS, &[("authorization", secret), ("ld-api-version", "20160426")], Body::empty()),
    ]
}

/// The tokens in the body of either.
fn tokens(body: &[u8]) -> Vec<String> {
    let list: Value = serde_json::from_slice(body).unwrap();
    ids(list.get("items").unwrap_or(&list))
}

async fn page(jeton: &Jeton, path: &str) -> Value {
    jeton.call(&jeton.owner.secret, "GET", path, None).await.expect(200).json()
}

/// Around the edges of a piece, and far beyond.
#[tokio::test]
async fn a_list_in_one_answer_is_complete() {
    let jeton = Jeton::start().await;
    for count in [1, 24, 25, 26, 50, 51, 1001, 2500] {
        let expected = fill(&jeton, count).await;
        let [canvus, launchdarkly] = whole(&jeton);
        assert!(ids(&jeton.exchange(canvus).await.expect(200).json()) == expected, "{count}");
        let list = jeton.exchange(launchdarkly).await.expect(200).json();
        assert!(ids(&list["items"]) == expected, "{count}");
        assert_eq!(list["totalCount"], count);
        assert_eq!(list["_links"]["self"]["href"], format!("{TOKENS}?limit={count}&offset=0"));
    }
}

/// Along `next` from the first page and along `prev` from the last, in pages of any size.
#[tokio::test]
async fn links_lead_through_all_of_it_and_back() {
    let jeton = Jeton::start().await;
    let expected = fill(&jeton, 2001).await;
    for limit in [1000, 333] {
        let mut forwards = Vec::new();
        let mut at = Some(format!("{TOKENS}?limit={limit}"));
        let mut last = None;
        while let Some(path) = at {
            let page = page(&jeton, &path).await;
            assert_eq!(page["totalCount"], 2001);
            forwards.extend(ids(&page["items"]));
            let link = |name: &str| page["_links"][name]["href"].as_str().map(str::to_owned);
            last = last.or(link("last"));
            assert!(link("next").is_some() || link("last").is_none(), "the last page has neither");
            at = link("next");
        }
        assert!(forwards == expected, "{limit}");

        let mut backwards = Vec::new();
        let mut at = last;
        while let Some(path) = at {
            let page = page(&jeton, &path).await;
            backwards.extend(ids(&page["items"]).into_iter().rev());
            at = page["_links"]["prev"]["href"].as_str().map(str::to_owned);
        }
        backwards.reverse();
        assert!(backwards == expected, "{limit}");
    }
}

#[tokio::test]
async fn any_offset_is_reached() {
    let jeton = Jeton::start().await;
    let expected = fill(&jeton, 2001).await;
    for offset in [0, 1, 999, 1000, 1001, 1998, 2000, 2001, 2002, 1_000_000] {
        let found = page(&jeton, &format!("{TOKENS}?limit=3&offset={offset}")).await;
        let rest: Vec<_> = expected.iter().skip(offset).take(3).cloned().collect();
        assert_eq!(ids(&found["items"]), rest, "{offset}");
        assert_eq!(found["totalCount"], 2001);
    }
    // As many as a page may hold, however many are asked for.
    let found = page(&jeton, &format!("{TOKENS}?limit=100000")).await;
    assert!(ids(&found["items"]) == expected[..1000]);
}

/// Whoever pages while others delete sees no token twice, and misses none that stays.
#[tokio::test]
async fn a_list_that_changes_while_it_is_paged() {
    let jeton = Jeton::start().await;
    let expected = fill(&jeton, 300).await;
    let mut seen = ids(&page(&jeton, &format!("{TOKENS}?limit=100")).await["items"]);
    for id in [&expected[150], &expected[299]] {
        jeton.call(&jeton.owner.secret, "DELETE", &format!("{TOKENS}/{id}"), None).await.expect(204);
    }
    seen.extend(ids(&page(&jeton, &format!("{TOKENS}?limit=100&offset=100")).await["items"]));
    seen.extend(ids(&page(&jeton, &format!("{TOKENS}?limit=100&offset=200")).await["items"]));
    let stayed: Vec<_> =
        expected.iter().filter(|id| ![&expected[150], &expected[299]].contains(id)).cloned().collect();
    assert!(seen == stayed, "{} and {}", seen.len(), stayed.len());
}

/// The whole list is read piece by piece, while its reader reads. What is deleted before its piece comes is left out, what
/// is made meanwhile stands at the end; nothing stands there twice, and it is valid JSON in any case.
#[tokio::test]
async fn a_list_that_changes_while_it_is_written() {
    for dialect in 0..2 {
        let jeton = Jeton::start().await;
        let expected = fill(&jeton, 3500).await;
        let request = whole(&jeton).into_iter().nth(dialect).unwrap();
        let mut body = jeton.open(request).await.into_body();
        let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        // The first piece is here, the next two may be under way: the first of these is out already, the others come last.
        for at in [3, 3400, 3499] {
            jeton
                .call(&jeton.owner.secret, "DELETE", &format!("{TOKENS}/{}", expected[at]), None)
                .await
                .expect(204);
        }
        let made = jeton.call(&jeton.owner.secret, "POST", CANVUS, Some(r#"{"description":"new"}"#)).await;
        let made = made.expect(200).string("id");
        text.extend(body.collect().await.unwrap().to_bytes());

        let mut stayed = expected.clone();
        stayed.remove(3499);
        stayed.remove(3400);
        let found = tokens(&text);
        let mut sorted = found.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), found.len(), "nothing twice");
        // The new id sorts among the others, since the clock stands still; it is there only where its piece was to come.
        let found: Vec<_> = found.into_iter().filter(|id| *id != made).collect();
        assert!(found == stayed, "{} and {}", found.len(), stayed.len());
        if dialect == 1 {
            let list: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(list["totalCount"], ids(&list["items"]).len(), "as many as there are in it");
        }
    }
}

/// Whoever may no longer read is read to no longer: only what is on the way already arrives.
#[tokio::test]
async fn a_list_whose_reader_is_revoked_ends() {
    for dialect in 0..2 {
        let jeton = Jeton::start().await;
        fill(&jeton, 3500).await;
        let request = whole(&jeton).into_iter().nth(dialect).unwrap();
        let mut body = jeton.open(request).await.into_body();
        let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        let own = format!("{TOKENS}/{}", jeton.token_of(&jeton.owner.secret));
        jeton.call(&jeton.owner.secret, "DELETE", &own, None).await.expect(204);
        assert!(cut_off(&mut body, &mut text).await);
        let found = String::from_utf8(text).unwrap().matches(r#":"token "#).count();
        assert!(found < 3400, "{found} tokens were still told");
    }
}

/// Reads on to the end. Whether that was no proper end, and does not look like one.
async fn cut_off(body: &mut Body, text: &mut Vec<u8>) -> bool {
    loop {
        match body.frame().await {
            Some(Ok(frame)) => text.extend(frame.into_data().unwrap()),
            Some(Err(_)) => return serde_json::from_slice::<Value>(text).is_err(),
            None => return false,
        }
    }
}

/// A list that can't be finished is cut off: one that only looks complete would be a lie.
#[tokio::test]
async fn a_list_that_cannot_be_finished() {
    let store = Arc::new(Unreliable::new(Arc::new(Sqlite::in_memory().unwrap())));
    let jeton = Jeton::on(store.clone(), Settings::default(), Limits::default()).await;
    fill(&jeton, 3500).await;
    for request in whole(&jeton) {
        let mut body = jeton.open(request).await.into_body();
        let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        store.set_broken(true);
        assert!(cut_off(&mut body, &mut text).await);
        store.set_broken(false);
    }
    // A reader that goes away halfway harms nobody.
    for request in whole(&jeton) {
        let mut body = jeton.open(request).await.into_body();
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(page(&jeton, TOKENS).await["totalCount"], 3500);
}
