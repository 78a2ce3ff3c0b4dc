//! LaunchDarkly v2 through its outer door: the list, in pages and in one piece, and who finds what in it.
//!
//! Lists that are longer than one piece of memory are in `long_lists.rs`.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::role::BaseRole;
use jeton_core::timestamp::Timestamp;
use jeton_server::Settings;
use jeton_server::http::rate_limit::RateLimit;
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v2/tokens";

/// Makes tokens of these names with the owner's rights, beside the owner's first.
async fn with_tokens(names: &[&str]) -> Jeton {
    let jeton = Jeton::start().await;
    for name in names {
        let body = json!({ "name": name, "role": "reader" }).to_string();
        jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(&body)).await.expect(201);
    }
    jeton
}

async fn list(jeton: &Jeton, secret: &str, query: &str) -> Reply {
    jeton.call(secret, "GET", &format!("{TOKENS}{query}"), None).await
}

/// As an API version has it.
async fn list_in(jeton: &Jeton, version: &str, query: &str) -> Reply {
    let headers = [("authorization", jeton.owner.secret.as_str()), ("ld-api-version", version)];
    jeton.send("GET", &format!("{TOKENS}{query}"), &headers, "").await
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap_or_default()).collect()
}

/// Where the links lead, without the words that all have.
fn links(list: &Value) -> Value {
    let links = list["_links"].as_object().unwrap();
    let short = |link: &Value| link["href"].as_str().unwrap().strip_prefix(TOKENS).unwrap().to_owned();
    links.iter().map(|(name, link)| (name.clone(), Value::from(short(link)))).collect()
}

#[tokio::test]
async fn a_list_holds_what_a_single_token_holds() {
    let jeton = with_tokens(&["ci"]).await;
    let reply = list(&jeton, &jeton.owner.secret, "").await.expect(200);
    let (found, mut items) = (reply.json(), Vec::new());
    for item in found["items"].as_array().unwrap() {
        let path = format!("{TOKENS}/{}", item["_id"].as_str().unwrap());
        items.push(jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(200).json());
    }
    let expected = json!({
        "items": items,
        "_links": { "self": { "href": "/api/v2/tokens?limit=25&offset=0", "type": "application/json" } },
        "totalCount": 2,
    });
    assert_eq!(found, expected);
    assert!(
        items.iter().all(|token| token["token"].as_str().unwrap().len() == 4),
        "the end of the secret, no more"
    );
}

/// Links lead to pages that exist and are others: clients page by them, and read limit and offset out of `self`.
#[tokio::test]
async fn pages() {
    let jeton = with_tokens(&["b", "c", "d", "e"]).await;
    for (query, found, expected) in [
        (
            "?limit=2",
            vec!["First token", "b"],
            json!({ "self": "?limit=2&offset=0", "next": "?limit=2&offset=2", "last": "?limit=2&offset=4" }),
        ),
        (
            "?limit=2&offset=2",
            vec!["c", "d"],
            json!({
                "self": "?limit=2&offset=2", "first": "?limit=2&offset=0", "prev": "?limit=2&offset=0",
                "next": "?limit=2&offset=4", "last": "?limit=2&offset=4",
            }),
        ),
        (
            "?limit=2&offset=4",
            vec!["e"],
            json!({ "self": "?limit=2&offset=4", "first": "?limit=2&offset=0", "prev": "?limit=2&offset=2" }),
        ),
        // An offset between the pages.
        (
            "?limit=2&offset=1",
            vec!["b", "c"],
            json!({
                "self": "?limit=2&offset=1", "first": "?limit=2&offset=0", "prev": "?limit=2&offset=0",
                "next": "?limit=2&offset=3", "last": "?limit=2&offset=4",
            }),
        ),
        // All on one page.
        ("?limit=5", vec!["First token", "b", "c", "d", "e"], json!({ "self": "?limit=5&offset=0" })),
        ("", vec!["First token", "b", "c", "d", "e"], json!({ "self": "?limit=25&offset=0" })),
        (
            "?offset=4",
            vec!["e"],
            json!({
                "self": "?limit=25&offset=4", "first": "?limit=25&offset=0", "prev": "?limit=25&offset=0",
            }),
        ),
        // Beyond the end: empty, and the way back.
        (
            "?limit=2&offset=5",
            vec![],
            json!({ "self": "?limit=2&offset=5", "first": "?limit=2&offset=0", "prev": "?limit=2&offset=3" }),
        ),
        (
            "?limit=2&offset=1000000",
            vec![],
            json!({ "self": "?limit=2&offset=1000000", "first": "?limit=2&offset=0", "prev": "?limit=2&offset=3" }),
        ),
        (
            "?offset=9223372036854775807",
            vec![],
            json!({
                "self": "?limit=25&offset=9223372036854775807", "first": "?limit=25&offset=0",
                "prev": "?limit=25&offset=0",
            }),
        ),
        // A large limit is taken as the largest.
        ("?limit=1000", vec!["First token", "b", "c", "d", "e"], json!({ "self": "?limit=1000&offset=0" })),
        ("?limit=1001", vec!["First token", "b", "c", "d", "e"], json!({ "self": "?limit=1000&offset=0" })),
        (
            "?limit=9223372036854775807",
            vec!["First token", "b", "c", "d", "e"],
            json!({ "self": "?limit=1000&offset=0" }),
        ),
        // The first of several counts, an empty one is none, and what nobody knows is ignored.
        (
            "?limit=4&limit=1&offset=&sort=-name&filter=x&expand=y",
            vec!["First token", "b", "c", "d"],
            json!({
                "self": "?limit=4&offset=0", "next": "?limit=4&offset=4", "last": "?limit=4&offset=4",
            }),
        ),
    ] {
        let page = list(&jeton, &jeton.owner.secret, query).await.expect(200).json();
        assert_eq!(names(&page), found, "{query}");
        assert_eq!(links(&page), expected, "{query}");
        assert_eq!(page["totalCount"], 5, "{query}: over all pages");
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_used_says_which_part() {
    let jeton = Jeton::start().await;
    for (query, message) in [
        ("?limit=abc", "limit must be an integer and not negative"),
        ("?limit=-1", "limit must be an integer and not negative"),
        ("?limit=1.5", "limit must be an integer and not negative"),
        ("?limit=%20", "limit must be an integer and not negative"),
        ("?limit=%FF", "limit must be an integer and not negative"),
        ("?limit=99999999999999999999", "limit must be an integer and not negative"),
        ("?limit=0", "limit must be at least 1"),
        ("?offset=abc", "offset must be an integer and not negative"),
        ("?offset=-1", "offset must be an integer and not negative"),
        ("?limit=2&offset=1e3", "offset must be an integer and not negative"),
        ("?showAll=maybe", "showAll must be true or false"),
    ] {
        // In every version of the API, paged or not.
        for version in ["20240415", "20160426"] {
            let reply = list_in(&jeton, version, query).await.expect(400).json();
            assert_eq!(
                (&reply["code"], &reply["message"]),
                (&json!("invalid_request"), &json!(message)),
                "{query}"
            );
        }
    }
}

/// From 20240415 on there are pages; before, the whole list, unless somebody asks for a page.
#[tokio::test]
async fn old_versions_have_no_pages() {
    let names: Vec<String> = (0..30).map(|number| format!("token {number}")).collect();
    let jeton = with_tokens(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let paged =
        json!({ "self": "?limit=25&offset=0", "next": "?limit=25&offset=25", "last": "?limit=25&offset=25" });
    let whole = json!({ "self": "?limit=31&offset=0" });
    let two =
        json!({ "self": "?limit=2&offset=0", "next": "?limit=2&offset=2", "last": "?limit=2&offset=30" });
    let rest =
        json!({ "self": "?limit=25&offset=30", "first": "?limit=25&offset=0", "prev": "?limit=25&offset=5" });

    for (version, query, length, expected) in [
        ("20240415", "", 25, &paged),
        ("beta", "", 25, &paged),
        ("20220603", "", 31, &whole),
        ("20210729", "", 31, &whole),
        ("20191212", "", 31, &whole),
        ("20160426", "", 31, &whole),
        ("20160426", "?limit=", 31, &whole),
        ("20160426", "?limit=2", 2, &two),
        ("20160426", "?offset=30", 1, &rest),
    ] {
        let page = list_in(&jeton, version, query).await.expect(200).json();
        assert_eq!(page["items"].as_array().unwrap().len(), length, "{version} {query}");
        assert_eq!(&links(&page), expected, "{version} {query}");
        assert_eq!(page["totalCount"], 31, "{version} {query}");
    }

    // Without the header, the token's own version decides.
    let body = json!({ "role": "admin", "defaultApiVersion": 20_220_603 }).to_string();
    let old = jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(&body)).await.expect(201).string("token");
    let page = list(&jeton, &old, "").await.expect(200).json();
    assert_eq!(links(&page), json!({ "self": "?limit=32&offset=0" }));
    let page = list(&jeton, &old, "?showAll=true").await.expect(200).json();
    assert_eq!(links(&page), json!({ "self": "?limit=32&offset=0&showAll=true" }));
}

/// Everybody finds the service tokens and their own personal ones; an administrator who asks for it, everybody's.
#[tokio::test]
async fn who_finds_what() {
    let jeton = Jeton::start().await;
    let writer = jeton.add_member(1001, BaseRole::Writer).await;
    let admin = jeton.add_member(1002, BaseRole::Admin).await;
    let nobody = jeton.add_member(1003, BaseRole::NoAccess).await;
    let make = async |secret: &str, name: &str, role: &str, service: bool| {
        let body = json!({ "name": name, "role": role, "serviceToken": service }).to_string();
        jeton.call(secret, "POST", TOKENS, Some(&body)).await.expect(201).string("token")
    };
    let reading = make(&writer.secret, "writer's reading", "reader", false).await;
    let machine = make(&admin.secret, "machine", "reader", true).await;
    let machine_admin = make(&admin.secret, "machine admin", "admin", true).await;
    let reading_admin = make(&admin.secret, "admin's reading", "reader", false).await;
    let everything = vec![
        "First token",
        "Recovered access",
        "Recovered access",
        "Recovered access",
        "writer's reading",
        "machine",
        "machine admin",
        "admin's reading",
    ];
    let writers = vec!["Recovered access", "writer's reading", "machine", "machine admin"];
    let admins = vec!["Recovered access", "machine", "machine admin", "admin's reading"];
    let machines = vec!["machine", "machine admin"];

    for (who, secret, without, with) in [
        ("the owner", &jeton.owner.secret, vec!["First token", "machine", "machine admin"], &everything),
        ("an administrator", &admin.secret, admins.clone(), &everything),
        ("a reading token of an administrator", &reading_admin, admins.clone(), &admins),
        ("a writer", &writer.secret, writers.clone(), &writers),
        ("a reading token of a writer", &reading, writers.clone(), &writers),
        (
            "a member without access",
            &nobody.secret,
            vec!["Recovered access", "machine", "machine admin"],
            &vec!["Recovered access", "machine", "machine admin"],
        ),
        ("a service token", &machine, machines.clone(), &machines),
        ("an administrator's service token", &machine_admin, machines.clone(), &everything),
    ] {
        for (query, expected) in [("", &without), ("?showAll=false", &without), ("?showAll=true", with)] {
            let page = list(&jeton, secret, query).await.expect(200).json();
            assert_eq!(&names(&page), expected, "{who} {query}");
            assert_eq!(page["totalCount"], expected.len(), "{who} {query}: of what is visible, and no more");
        }
    }
}

/// An old client sends `True`. A page keeps the flag in its links.
#[tokio::test]
async fn show_all_in_every_spelling() {
    let jeton = Jeton::start().await;
    jeton.add_member(1001, BaseRole::Writer).await;
    for (query, count) in [
        ("?showAll=true", 2),
        ("?showAll=True", 2),
        ("?showAll=TRUE", 2),
        ("?showAll=1", 2),
        ("?showAll", 2),
        ("?showAll=false", 1),
        ("?showAll=False", 1),
        ("?showAll=0", 1),
        ("?showall=true", 1),
        ("?showAll=false&showAll=true", 1),
    ] {
        let page = list(&jeton, &jeton.owner.secret, query).await.expect(200).json();
        assert_eq!(page["totalCount"], count, "{query}");
    }
    let page = list(&jeton, &jeton.owner.secret, "?limit=1&showAll=True").await.expect(200).json();
    let expected = json!({
        "self": "?limit=1&offset=0&showAll=true",
        "next": "?limit=1&offset=1&showAll=true",
        "last": "?limit=1&offset=1&showAll=true",
    });
    assert_eq!(links(&page), expected);
}

/// Oldest first, by the instant of making and then by id, so that pages don't shift.
#[tokio::test]
async fn the_order_is_that_of_making_even_when_the_clock_goes_back() {
    // What a clock that goes back does to rates is in `limits.rs`.
    let unlimited = RateLimit { requests: 0, window: Duration::ZERO };
    let settings = Settings { token_requests: unlimited, ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let make = async |name: &str| {
        let body = json!({ "name": name, "role": "reader" }).to_string();
        jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(&body)).await.expect(201);
    };
    make("one").await;
    make("two").await;
    jeton.clock.advance(Duration::from_hours(1));
    make("an hour later").await;
    // The clock was wrong: what is made from now on is as old as it says, and stands there.
    let start = jeton.service.now().as_millis() - 3_600_000;
    jeton.clock.set(Timestamp::from_millis(start + 1));
    make("corrected").await;
    jeton.clock.set(Timestamp::from_millis(start - 1));
    make("too early").await;

    let page = list(&jeton, &jeton.owner.secret, "").await.expect(200).json();
    assert_eq!(names(&page), ["too early", "First token", "one", "two", "corrected", "an hour later"]);
    let keys: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| (token["creationDate"].as_i64(), token["_id"].as_str()))
        .collect();
    assert!(keys.is_sorted(), "{keys:?}");
}
