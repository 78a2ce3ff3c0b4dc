//! Random patches against a naive model: RFC 6902 by its letter on plain JSON, then what a token has to be.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

const MEMBERS: [&str; 7] =
    ["name", "description", "role", "customRoleIds", "inlineRole", "expiry", "defaultApiVersion"];

/// What is expected of a patch.
#[derive(Debug, PartialEq)]
enum Expected {
    Done(Value),
    Refused(u16),
}

/// Why a patch stops.
struct Stop(u16);

fn expected(token: &Value, operations: &[Value], roles: &[String; 2]) -> Expected {
    match outcome(token, operations, roles) {
        Ok(after) => Expected::Done(after),
        Err(Stop(status)) => Expected::Refused(status),
    }
}

fn outcome(token: &Value, operations: &[Value], roles: &[String; 2]) -> Result<Value, Stop> {
    for operation in operations {
        understood(operation)?;
    }
    let mut after = token.clone();
    for operation in operations {
        apply(&mut after, operation).ok_or(Stop(422))?;
    }
    canonical(token, after, roles).ok_or(Stop(400))
}

/// An operation that touches only what may be touched.
fn understood(operation: &Value) -> Result<(), Stop> {
    let changes = |name: &str| {
        operation[name].as_str().is_some_and(|path| MEMBERS.contains(&path.split('/').nth(1).unwrap_or("")))
    };
    let fine = match operation["op"].as_str().unwrap() {
        "test" => true,
        "move" => changes("path") && changes("from"),
        _ => changes("path"),
    };
    if fine { Ok(()) } else { Err(Stop(400)) }
}

fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// An index as RFC 6901 writes it: digits without a leading zero.
fn index(step: &str, below: usize) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit()));
    let index = step.parse().ok().filter(|_| plain)?;
    (index < below).then_some(index)
}

fn find<'a>(token: &'a Value, steps: &[String]) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(token) };
    match token {
        Value::Object(members) => find(members.get(step)?, rest),
        Value::Array(items) => find(&items[index(step, items.len())?], rest),
        _ => None,
    }
}

/// Gives the thing that holds the last step, and that step.
fn holder<'a, 's>(token: &'a mut Value, steps: &'s [String]) -> Option<(&'a mut Value, &'s str)> {
    let (step, rest) = steps.split_first()?;
    if rest.is_empty() {
        return Some((token, step));
    }
    match token {
        Value::Object(members) => holder(members.get_mut(step)?, rest),
        Value::Array(items) => {
            let at = index(step, items.len())?;
            holder(&mut items[at], rest)
        }
        _ => None,
    }
}

fn insert(token: &mut Value, path: &[String], value: Value) -> Option<()> {
    match holder(token, path)? {
        (Value::Object(members), name) => drop(members.insert(name.to_owned(), value)),
        (Value::Array(items), "-") => items.push(value),
        (Value::Array(items), step) => items.insert(index(step, items.len() + 1)?, value),
        _ => return None,
    }
    Some(())
}

fn take(token: &mut Value, path: &[String]) -> Option<Value> {
    match holder(token, path)? {
        (Value::Object(members), name) => members.remove(name),
        (Value::Array(items), step) => {
            let at = index(step, items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

fn apply(token: &mut Value, operation: &Value) -> Option<()> {
    let path = steps(operation["path"].as_str().unwrap());
    let from = steps(operation["from"].as_str().unwrap_or_default());
    // No place in a token is deeper than this.
    if path.len() > 4 || from.len() > 4 {
        return None;
    }
    match operation["op"].as_str().unwrap() {
        "add" => insert(token, &path, operation["value"].clone()),
        "remove" => take(token, &path).map(drop),
        // The one liberty: a member of a token that has no value can be replaced.
        "replace" if path.len() == 1 => insert(token, &path, operation["value"].clone()),
        "replace" => {
            find(token, &path)?;
            take(token, &path)?;
            insert(token, &path, operation["value"].clone())
        }
        "move" => {
            let value =
                (!(path.len() > from.len() && path.starts_with(&from))).then(|| take(token, &from))??;
            insert(token, &path, value)
        }
        "copy" => {
            let value = find(token, &from)?.clone();
            insert(token, &path, value)
        }
        "test" => (find(token, &path)? == &operation["value"]).then_some(()),
        _ => None,
    }
}

/// What stands in a member; nothing where there is `null`.
fn given<'a>(token: &'a Value, name: &str) -> Option<&'a Value> {
    token.get(name).filter(|value| !value.is_null())
}

/// The token as it is shown, if it is one. `None` if no token can be like this.
fn canonical(before: &Value, mut after: Value, roles: &[String; 2]) -> Option<Value> {
    for name in ["name", "description"] {
        let text = given(&after, name).map_or(Some(""), Value::as_str)?;
        if text.is_empty() {
            after.as_object_mut()?.remove(name);
        }
    }
    match given(&after, "expiry") {
        None => drop(after.as_object_mut()?.remove("expiry")),
        Some(expiry) if expiry.as_i64()? > NOW || before["expiry"] == *expiry => {}
        Some(_) => return None,
    }
    let version = given(&after, "defaultApiVersion").map_or(Some(0), Value::as_i64)?;
    match version {
        0 => after["defaultApiVersion"] = json!(20_240_415),
        20_160_426 | 20_191_212 | 20_210_729 | 20_220_603 | 20_240_415 => {}
        _ => return None,
    }
    let scope = scope(&after, roles)?;
    let members = after.as_object_mut()?;
    for name in ["role", "customRoleIds", "inlineRole"] {
        members.remove(name);
    }
    members.insert(scope.0.to_owned(), scope.1);
    Some(after)
}

/// The one member that says what the token may do. What is wrong in another is wrong all the same.
fn scope(token: &Value, roles: &[String; 2]) -> Option<(&'static str, Value)> {
    let role = given(token, "role").map_or(Some(""), Value::as_str)?;
    let mut ids = Vec::new();
    for id in given(token, "customRoleIds").map_or(Some(&[][..]), items)? {
        let id = role_id(id.as_str()?, roles)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let statements = given(token, "inlineRole").map_or(Some(&[][..]), items)?;
    let statements = statements.iter().map(statement).collect::<Option<Vec<_>>>()?;
    match (given(token, "role"), &ids[..], &statements[..]) {
        (Some(_), [], []) => ["reader", "writer", "admin"].contains(&role).then(|| ("role", json!(role))),
        (None, [_, ..], []) => Some(("customRoleIds", json!(ids))),
        (None, [], [_, ..]) => Some(("inlineRole", json!(statements))),
        _ => None,
    }
}

fn items(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

fn role_id<'a>(name: &str, roles: &'a [String; 2]) -> Option<&'a String> {
    match name {
        "deploy" => Some(&roles[0]),
        "other" => Some(&roles[1]),
        _ => roles.iter().find(|role| *role == name),
    }
}

/// A statement as it is shown, if it is one.
fn statement(value: &Value) -> Option<Value> {
    let mut shown = json!({ "effect": value.as_object()?.get("effect")?.as_str()? });
    let mut given = [false; 4];
    let lists = ["resources", "notResources", "actions", "notActions"];
    for (name, given) in lists.into_iter().zip(&mut given) {
        let list = value.get(name).filter(|list| !list.is_null()).map_or(Some(&[][..]), items)?;
        for item in list {
            let text = item.as_str()?;
            let fine = if name.ends_with("esources") {
                ["proj/*", "proj/x"].contains(&text)
            } else {
                !text.is_empty()
            };
            fine.then_some(())?;
        }
        if !list.is_empty() {
            *given = true;
            shown[name] = json!(list);
        }
    }
    let effect = shown["effect"] == "allow" || shown["effect"] == "deny";
    (effect && given[0] != given[1] && given[2] != given[3]).then_some(shown)
}

/// Values that fit somewhere, and values that fit nowhere.
fn value() -> impl Strategy<Value = Value> {
    let statement = json!({ "effect": "allow", "resources": ["proj/*"], "actions": ["*"] });
    prop_oneof![
        4 => prop_oneof![Just("ci"), Just(""), Just("reader"), Just("writer"), Just("owner"), Just("deploy"), Just("other"), Just("nowhere"), Just("allow"), Just("deny"), Just("proj/x")]
            .prop_map(Value::from),
        2 => prop_oneof![Just(NOW), Just(NOW + 1), Just(-1), Just(0), Just(20_191_212), Just(20_240_415)].prop_map(Value::from),
        1 => prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!(1.5)), Just(json!({})), Just(json!([]))],
        1 => prop_oneof![Just(json!(["deploy"])), Just(json!(["other", "deploy", "other"])), Just(json!(["nowhere"])), Just(json!([5]))],
        1 => prop_oneof![
            Just(json!([statement])),
            Just(statement.clone()),
            Just(json!([{ "effect": "deny", "notResources": ["proj/x"], "notActions": ["a", "b"], "resources": [] }])),
            Just(json!([{ "effect": "deny" }])),
        ],
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(&MEMBERS[..]).prop_map(|name| format!("/{name}")),
        2 => sample(&["0", "1", "-", "01", "x"]).prop_map(|step| format!("/customRoleIds/{step}")),
        1 => sample(&["0", "1", "-"]).prop_map(|step| format!("/inlineRole/{step}")),
        1 => sample(&[
            "/inlineRole/0/effect", "/inlineRole/0/actions", "/inlineRole/0/actions/0", "/inlineRole/0/resources/-",
            "/inlineRole/0/notActions", "/inlineRole/0/new", "/inlineRole/0/actions/0/x", "/name/0",
        ]).prop_map(str::to_owned),
        1 => sample(&["/ownerId", "/serviceToken", "/_member/role", "/nowhere", "/a~1b"])
            .prop_map(str::to_owned),
    ]
}

/// Anything at all: most of it can't be done.
fn any_operation() -> impl Strategy<Value = Value> {
    let with_value = (sample(&["add", "replace"]), path(), value())
        .prop_map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }));
    let from = (sample(&["move", "copy"]), path(), path())
        .prop_map(|(op, from, path)| json!({ "op": op, "from": from, "path": path }));
    prop_oneof![
        5 => with_value,
        2 => path().prop_map(|path| remove(&path)),
        1 => from,
        1 => (path(), value()).prop_map(|(path, value)| op("test", &path, value)),
    ]
}

/// What a client might mean: most of it can be done.
fn meant_operation() -> impl Strategy<Value = Value> {
    let set = |name: &'static str, values: Vec<Value>| {
        (sample(&["add", "replace"]), proptest::sample::select(values))
            .prop_map(move |(word, value)| op(word, name, value))
    };
    let texts = || vec![json!("ci"), json!("cd"), json!(""), json!(null)];
    prop_oneof![
        set("/name", texts()),
        set("/description", texts()),
        set("/expiry", vec![json!(NOW + 1), json!(NOW + 2)]),
        set("/defaultApiVersion", vec![json!(20_191_212), json!(20_240_415), json!(0)]),
        sample(&["/name", "/description", "/expiry", "/defaultApiVersion"]).prop_map(remove),
        (sample(&["/name", "/description"]), sample(&["/name", "/description"]))
            .prop_map(|(from, path)| json!({ "op": "copy", "from": from, "path": path })),
        set("/customRoleIds/-", vec![json!("deploy"), json!("other")]),
        set("/inlineRole/0/effect", vec![json!("allow"), json!("deny")]),
        Just(op("test", "/serviceToken", false)),
    ]
}

/// From one scope to another: before or after the old one is taken away.
fn switch() -> impl Strategy<Value = Vec<Value>> {
    let scopes = [
        ("/role", json!("writer")),
        ("/customRoleIds", json!(["other"])),
        ("/inlineRole", json!([{ "effect": "deny", "resources": ["proj/x"], "actions": ["a"] }])),
    ];
    (0..3_usize, 0..3_usize, any::<bool>()).prop_map(move |(from, to, before)| {
        let mut operations = vec![op("replace", scopes[to].0, scopes[to].1.clone())];
        operations.insert(usize::from(!before), remove(scopes[from].0));
        operations
    })
}

fn operations() -> impl Strategy<Value = Vec<Value>> {
    let meant = || proptest::collection::vec(meant_operation(), 1..4);
    prop_oneof![
        2 => proptest::collection::vec(any_operation(), 0..3),
        3 => meant(),
        2 => switch(),
        1 => (switch(), meant()).prop_map(|(switch, meant)| [switch, meant].concat()),
    ]
}

fn sample(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(texts)
}

fn token() -> impl Strategy<Value = Value> {
    let scope = prop_oneof![
        Just(json!({ "role": "reader" })),
        Just(json!({ "customRoleIds": ["deploy"] })),
        Just(json!({ "inlineRole": [{ "effect": "allow", "resources": ["proj/*"], "actions": ["*"] }] })),
    ];
    (scope, any::<bool>(), any::<bool>()).prop_map(|(mut token, named, ends)| {
        if named {
            token["name"] = json!("ci");
        }
        if ends {
            token["expiry"] = json!(NOW + 1);
        }
        token
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, rng_seed: RngSeed::Fixed(6902), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_patch_does_what_the_model_says(
        stories in proptest::collection::vec((token(), proptest::collection::vec(operations(), 1..4)), 8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let jeton = Jeton::start().await;
            let roles = [role(&jeton, "deploy").await, role(&jeton, "other").await];
            for (created, patches) in stories {
                let (path, _) = create(&jeton, &created).await;
                let mut token = get(&jeton, &path).await;
                for operations in patches {
                    let expected = expected(&token, &operations, &roles);
                    let reply = patch(&jeton, &path, &json!(operations)).await;
                    let found = match reply.status.as_u16() {
                        200 => Expected::Done(reply.json()),
                        status => Expected::Refused(status),
                    };
                    assert_eq!(found, expected, "{token}\n{operations:?}\n{reply:?}");
                    if let Expected::Done(after) = expected {
                        token = after;
                    }
                    assert_eq!(get(&jeton, &path).await, token);
                }
            }
        });
    }
}
