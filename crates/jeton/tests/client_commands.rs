//! The commands that ask a running server: the real program against a real server, and, for what a real one does only when
//! something is wrong with it, against one that says what it is told to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use serde_json::{Value, json};
use support::responder::{Asked, Responder};
use support::terminal::Seated;
use support::{Ended, Server, jeton, owner_token, run, run_with_input, serve};
use tempfile::{TempDir, tempdir};

/// A server, a home to log in from, and the owner's secret.
struct World {
    dir: TempDir,
    server: Server,
    owner: String,
}

impl World {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        let server = Server::start(&dir.path().join("data"));
        let owner = owner_token(&dir.path().join("data"));
        Self { dir, server, owner }
    }

    /// A command of somebody who has not logged in.
    fn stranger(&self, line: &str) -> Command {
        at_home(self.dir.path(), line)
    }

    /// A command of somebody with a secret.
    fn with(&self, secret: &str, line: &str) -> Command {
        let mut command = self.stranger(line);
        command.env("JETON_URL", self.server.url("")).env("JETON_TOKEN", secret);
        command
    }

    fn owner(&self, line: &str) -> Command {
        self.with(&self.owner, line)
    }

    fn profile(&self) -> PathBuf {
        self.dir.path().join("home/jeton/profile.toml")
    }

    fn log_in(&self) -> Ended {
        let line = format!("login --url {}", self.server.url(""));
        run_with_input(&mut self.stranger(&line), &format!("{}\n", self.owner))
    }

    /// The tokens that the owner sees.
    fn tokens(&self) -> Vec<Value> {
        self.server.list(&self.owner).json()["items"].as_array().unwrap().clone()
    }

    /// The id of the token with a name.
    fn id(&self, name: &str) -> String {
        let token = self.tokens().into_iter().find(|token| token["name"] == name);
        token.unwrap_or_else(|| panic!("no token {name}"))["_id"].as_str().unwrap().to_owned()
    }
}

fn at_home(dir: &Path, line: &str) -> Command {
    let mut command = jeton(&line.split_whitespace().collect::<Vec<_>>());
    command.env("XDG_CONFIG_HOME", dir.join("home"));
    // A proxy is nothing that a token is sent to.
    command.env("http_proxy", "http://127.0.0.1:1").env("HTTP_PROXY", "http://127.0.0.1:1");
    command
}

/// Without what a server says differently each time.
fn without_ids(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let hex = |part: &str| {
            part.len() >= 24 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        };
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let last = bare.rsplit('/').next().unwrap_or(bare);
        if hex(last) { word.replace(last, "ID") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_login_is_checked_and_kept_for_its_owner_alone() {
    let world = World::new();
    let (url, profile) = (world.server.url(""), world.profile());
    let expected = format!(
        "logged in at {url} as owner@localhost (owner), with the personal token `First token`\nkept in {}\n",
        profile.display()
    );
    assert_eq!(world.log_in().success(), expected);
    assert_eq!(profile.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(profile.parent().unwrap().metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    let kept = std::fs::read_to_string(&profile).unwrap();
    assert_eq!(kept, format!("url = \"{url}\"\ntoken = \"{}\"\n", world.owner));
    assert_eq!(
        std::fs::read_dir(profile.parent().unwrap()).unwrap().count(),
        1,
        "nothing unfinished is left"
    );
    assert!(run(&mut world.stranger("token list")).success().contains("First token"));

    std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o644)).unwrap();
    let warned = run(&mut world.stranger("token list")).stderr;
    assert!(
        warned.starts_with(&format!("note: others may read the token in {}: chmod 600", profile.display()))
    );

    // What does not work is not kept, and does not replace what does.
    let refused = run_with_input(&mut world.stranger(&format!("login --url {url}")), "not-a-token\n");
    let (message, code) = refused.error();
    assert!(
        message.starts_with("the server says: Invalid access token (401 unauthorized, request "),
        "{message}"
    );
    assert!(refused.stderr.contains("hint: nothing was stored: check what was given"), "{refused:?}");
    assert_eq!((code, std::fs::read_to_string(&profile).unwrap()), (1, kept));

    let gone = format!(
        "removed {}; the token that was in it works until it is revoked or expires\n",
        profile.display()
    );
    assert_eq!(run(&mut world.stranger("logout")).success(), gone);
    assert!(!profile.exists());
    assert_eq!(run(&mut world.stranger("logout")).success(), "nobody was logged in: there is no profile\n");
    assert_eq!(world.server.status_for(&world.owner), 200, "a logout revokes nothing");
}

#[test]
fn what_is_missing_is_told_before_anything_is_asked() {
    let world = World::new();
    for (command, expected) in [
        (
            &mut world.stranger("token list"),
            "no server is named: run `jeton login`, or give --url or JETON_URL, and a token in JETON_TOKEN".to_owned(),
        ),
        (&mut world.stranger("login"), "no server is named: say which, like --url http://127.0.0.1:8080".to_owned()),
        (
            &mut world.stranger("token list --url http://127.0.0.1:1"),
            "there is no token for http://127.0.0.1:1: run `jeton login --url http://127.0.0.1:1`, or give one in \
             JETON_TOKEN"
                .to_owned(),
        ),
        (
            &mut world.stranger("token list --url 127.0.0.1:1"),
            "--url: `127.0.0.1:1` is not the address of a server (it begins with neither http:// nor https://): write \
             http://HOST:PORT, https://HOST or unix:PATH"
                .to_owned(),
        ),
        (
            &mut world.stranger("login --url http://127.0.0.1:1"),
            "nothing was given as token: type it at the terminal, or give it on standard input".to_owned(),
        ),
        (
            &mut world.owner("token create --name x --role reader --expires 2001-01-01T00:00:00Z"),
            "--expires: this instant is past: give one to come".to_owned(),
        ),
    ] {
        assert_eq!(run(command).error(), (expected, 2));
    }
    for line in [
        "token create --name x",
        "token create --name x --role owner",
        "token create --name x --role reader --inline x.json",
        "token create --name x --role reader --expires tomorrow",
        "token get jtn_pat_UhTiZf9Rf7WRHOeJdp6xyYzCE28cwGAUuGnkSpnw2tVF3Q",
        "token list --limit 0",
        "token list --token x",
        "role edit x",
        "member set-role x",
        "completions tcsh",
    ] {
        assert_eq!(run(&mut world.owner(line)).code(), 2, "{line}");
    }
}

#[test]
fn the_token_of_a_profile_goes_to_no_other_server() {
    let world = World::new();
    world.log_in().success();
    let elsewhere = Responder::start(&[]);
    let url = elsewhere.url();
    for command in [
        &mut world.stranger(&format!("token list --url {url}")),
        world.stranger("token list").env("JETON_URL", &url),
    ] {
        let (message, code) = run(command).error();
        assert!(message.contains("goes nowhere else"), "{message}");
        assert_eq!(code, 2);
    }
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn a_tokens_life() {
    let world = World::new();
    let made = run(&mut world.owner("token create --name deploy --role writer --service --expires 90d"));
    let id = world.id("deploy");
    let secret = made.stdout.strip_suffix('\n').unwrap().to_owned();
    assert!(secret.starts_with("jtn_svc_") && !secret.contains(char::is_whitespace), "{made:?}");
    assert!(!made.stderr.contains(&secret), "{made:?}");
    assert!(
        made.stderr
            .starts_with(&format!("made the service token `deploy` (id {id}), rights: writer, expires 20"))
    );
    assert!(
        made.stderr.ends_with("(in 90d)\nthe secret is shown only now: keep it in a safe place\n"),
        "{made:?}"
    );
    assert_eq!(world.server.status_for(&secret), 200);

    let listed = run(&mut world.owner("token list"));
    let lines: Vec<Vec<&str>> = listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = [&id, "deploy", "(service)", "writer", "just", "now", "in", "90d"];
    assert_eq!(lines[2], row, "{listed:?}");
    assert_eq!(listed.stderr, "2 tokens\n");
    assert!(!listed.stdout.contains('\u{1b}'), "no colours for who is no terminal");
    let paged = run(&mut world.owner("token list --all --limit 1"));
    assert_eq!(paged.stderr, "1 to 1 of 2 tokens; the next: jeton token list --all --offset 1\n");
    let json: Value = serde_json::from_str(&run(&mut world.owner("token list --json")).success()).unwrap();
    assert_eq!(json["totalCount"], 2);

    let renamed = run(&mut world.owner(&format!("token rename {id} deploy-eu"))).success();
    assert_eq!(renamed, format!("renamed: it is now the service token `deploy-eu` (id {id})\n"));
    let sheet = run(&mut world.owner(&format!("token get {id}"))).success();
    assert!(
        sheet.starts_with(&format!("Id         {id}\nName       deploy-eu\nKind       service\n")),
        "{sheet}"
    );

    let graced = run(&mut world.owner(&format!("token rotate {id} --grace 1h")));
    let second = graced.stdout.trim_end().to_owned();
    assert!(graced.stderr.starts_with(&format!(
        "a new secret for the service token `deploy-eu` (id {id}); the old one works"
    )));
    assert_eq!((world.server.status_for(&secret), world.server.status_for(&second)), (200, 200));
    let rotated = run(&mut world.owner(&format!("token rotate {id} --yes")));
    let third = rotated.stdout.trim_end().to_owned();
    assert_eq!((world.server.status_for(&second), world.server.status_for(&third)), (401, 200));

    let revoked = run(&mut world.owner(&format!("token revoke {id} --yes"))).success();
    assert_eq!(revoked, format!("revoked {id}: its secret is dead\n"));
    assert_eq!(world.server.status_for(&third), 401);
    let again = run(&mut world.owner(&format!("token revoke {id} --yes")));
    assert_eq!(
        without_ids(&again.error().0),
        "the server says: There is no such access token (404 not_found, request ID)"
    );
    assert!(again.stderr.ends_with("\n  hint: `jeton token list` shows what there is\n"), "{again:?}");
}

#[test]
fn a_policy_comes_from_a_file_or_from_standard_input() {
    let world = World::new();
    let policy = json!([{ "effect": "allow", "actions": ["*"], "resources": ["member/*:token/*"] }]);
    let file = world.dir.path().join("policy.json");
    std::fs::write(&file, policy.to_string()).unwrap();
    let line = format!("token create --name filed --json --inline {}", file.display());
    let made: Value = serde_json::from_str(&run(&mut world.owner(&line)).success()).unwrap();
    assert_eq!(made["inlineRole"], policy);
    assert!(made["token"].as_str().unwrap().starts_with("jtn_pat_"));
    let piped = &mut world.owner("token create --name piped --inline -");
    run_with_input(piped, &policy.to_string()).success();
    let sheet = run(&mut world.owner(&format!("token get {}", world.id("piped")))).success();
    assert!(
        sheet.contains("Rights     a policy of 1 statement\n") && sheet.contains("\"member/*:token/*\""),
        "{sheet}"
    );

    for (input, expected) in [("{}", "it is no list"), ("[", "EOF while parsing a list")] {
        let refused = run_with_input(&mut world.owner("token create --name x --inline -"), input);
        let (message, code) = refused.error();
        assert!(message.starts_with(&format!("standard input holds no policy ({expected}")), "{message}");
        assert_eq!(code, 1);
    }
}

#[test]
fn what_kills_needs_a_terminal_or_a_word() {
    let world = World::new();
    let secret = run(&mut world.owner("token create --name doomed --role reader")).success();
    let (id, secret) = (world.id("doomed"), secret.trim_end());
    for (line, doom) in [
        (
            format!("token revoke {id}"),
            "this revokes the personal token `doomed` of owner@localhost (id ID), for good",
        ),
        (
            format!("token rotate {id}"),
            "this gives a new secret to the personal token `doomed` of owner@localhost (id ID), and kills the old one at \
             once",
        ),
    ] {
        let refused = run(&mut world.owner(&line));
        let (message, code) = refused.error();
        let expected = format!(
            "nothing was done, since there is no terminal to ask at: {doom}: its secret ends in {}, never used. Whoever uses \
             it is refused from then on",
            &secret[secret.len() - 4..]
        );
        assert!(without_ids(&message).starts_with(&expected), "{message}");
        assert!(refused.stderr.ends_with("\n  hint: say --yes if that is what you want\n"), "{refused:?}");
        assert_eq!((code, refused.stdout.as_str()), (2, ""));
    }
    assert_eq!(world.tokens().len(), 2);

    let mut seated = Seated::start(&mut world.owner(&format!("token revoke {id}")));
    seated.shows("Go on? [y/N] ");
    seated.types("\n");
    let declined = seated.ends();
    assert!(declined.stderr.contains("this revokes the personal token `doomed`"), "{declined:?}");
    assert!(declined.stderr.ends_with("error: nothing was done\r\n"), "{declined:?}");
    assert_eq!((declined.code(), world.server.status_for(secret)), (1, 200));

    let mut seated = Seated::start(&mut world.owner(&format!("token rotate {id}")));
    seated.shows("Go on? [y/N] ");
    seated.types("y\n");
    let rotated = seated.ends().success();
    assert_eq!(world.server.status_for(secret), 401);
    assert_eq!(world.server.status_for(rotated.trim_end()), 200, "the secret is alone even so");
}

#[test]
fn a_token_is_typed_unseen_and_the_terminal_sees_again_afterwards() {
    let world = World::new();
    let mut seated = Seated::start(&mut world.stranger("login"));
    seated.shows("Server [http://127.0.0.1:8080]: ");
    seated.types(&format!("{}\n", world.server.url("")));
    seated.shows("Token: ");
    seated.types(&format!("{}\n", world.owner));
    let ended = seated.ends();
    assert!(!ended.stderr.contains(&world.owner), "{ended:?}");
    assert!(ended.stdout.starts_with("logged in at "), "{ended:?}");

    let mut seated = Seated::start(&mut world.stranger("login"));
    seated.shows(&format!("Server [{}]: ", world.server.url("")));
    seated.types("\n");
    seated.shows("Token: ");
    seated.types("half\u{3}");
    let ended = seated.ends();
    assert!(
        ended.stderr.ends_with("error: nothing was done\r\n") && !ended.stderr.contains("half"),
        "{ended:?}"
    );
    assert_eq!(ended.code(), 1);
}

#[test]
fn a_refusal_says_what_to_do() {
    let world = World::new();
    let reader = run(&mut world.owner("token create --name narrow --role reader")).success();
    let denied = run(&mut world.with(reader.trim_end(), "token create --name more --role reader"));
    let told = without_ids(&denied.stderr.replace('\n', " "));
    let (told, _) = told.split_once(" hint:").unwrap();
    let (message, wanted) = told.split_once(" on member/").unwrap();
    assert_eq!(
        message,
        "error: the server says: Access to the requested resource was denied (403 forbidden, request ID)   asked for: \
         createAccessToken"
    );
    assert!(wanted.contains(":token/"), "{wanted}");
    let unknown = run(&mut world.with("nonsense", "token list"));
    assert_eq!(
        without_ids(&unknown.error().0),
        "the server says: Invalid access token (401 unauthorized, request ID)"
    );
    let hint = "\n  hint: the token in JETON_TOKEN is unknown here, expired or revoked: give another, or unset it to use \
                the one of `jeton login`; `jeton check` tells whether it was mistyped\n";
    assert!(unknown.stderr.ends_with(hint), "{unknown:?}");
    let strange = run(&mut world.with("se\u{7}cret", "token list"));
    let expected =
        "the token holds characters that no token has: copy it again, all of it and nothing else".to_owned();
    assert_eq!(strange.error(), (expected, 2));

    let url = world.server.url("");
    let silent = run(world.owner("token list").env("JETON_URL", "http://127.0.0.1:1"));
    let expected = "no server answers at http://127.0.0.1:1 (Connection refused (os error 111))".to_owned();
    assert_eq!(silent.error(), (expected, 1));
    assert!(silent.stderr.contains("hint: is it running? `jeton serve` starts one here"), "{silent:?}");
    let encrypted = url.replace("http:", "https:");
    let no_tls = run(world.owner("token list").env("JETON_URL", &encrypted));
    assert!(
        no_tls.error().0.starts_with(&format!("the server at {encrypted} cannot be reached through TLS"))
    );
}

#[test]
fn a_socket_of_this_machine_is_asked_too() {
    let dir = tempdir().unwrap();
    let (data, socket) = (dir.path().join("data"), dir.path().join("s"));
    let mut command = jeton(&["serve", "--listen", &format!("unix:{}", socket.display()), "--data-dir"]);
    let server = Server::start_with(command.arg(&data));
    let mut list = at_home(dir.path(), &format!("token list --url unix:{}", socket.display()));
    let listed = run(list.env("JETON_TOKEN", owner_token(&data))).success();
    assert!(listed.contains("First token"), "{listed}");
    server.stop();
}

/// What a terminal of so many columns shows.
fn on_a_terminal(columns: u16, command: &Command) -> Ended {
    let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let mut shell = Command::new("sh");
    // All three are the terminal here.
    shell.args(["-c", &format!("stty cols {columns}; exec {} >&2", words.join(" "))]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Seated::start(&mut shell).ends()
}

#[test]
fn a_list_is_as_wide_as_its_terminal_and_keeps_ids_in_one_piece() {
    let world = World::new();
    let long = "Continuous integration of the web team";
    run(world.owner("token create --role reader --name").arg(long)).success();
    let id = world.id(long);
    let mut list = world.owner("token list");
    list.env("NO_COLOR", "1");
    let wide = on_a_terminal(80, &list).stderr;
    let row = wide.lines().find(|line| line.contains(&id)).unwrap();
    assert!(row.contains("reader") && row.contains("Continuous") && !row.contains("team"), "{wide}");
    assert!(wide.lines().all(|line| line.trim_end().chars().count() <= 80), "{wide}");
    let narrow = on_a_terminal(50, &list).stderr;
    assert!(narrow.contains(&format!("ID       {id}\r\nNAME     Continuous")), "{narrow}");
    assert!(!narrow.contains('\u{1b}'), "NO_COLOR is heard: {narrow:?}");
    list.env_remove("NO_COLOR");
    assert!(on_a_terminal(80, &list).stderr.contains("\u{1b}[1mID"));
}

#[test]
fn names_that_would_command_a_terminal_are_made_harmless() {
    let world = World::new();
    run(world.owner("token create --role reader").args(["--name", "a\u{1b}[31mred\u{7}"])).success();
    let listed = run(&mut world.owner("token list")).success();
    assert!(listed.contains("a\u{fffd}[31mred\u{fffd}") && !listed.contains('\u{1b}'), "{listed:?}");
}

/// A command against a server that answers as it is told; what it said, and what the server was asked.
fn told(answers: &[(u16, &str, &str)], line: &str, input: &str) -> (Ended, Vec<Asked>) {
    let dir = tempdir().unwrap();
    let responder = Responder::start(answers);
    let mut command = at_home(dir.path(), line);
    let ended = run_with_input(command.env("JETON_URL", responder.url()).env("JETON_TOKEN", "t"), input);
    (ended, responder.asked())
}

const MEMBER: &str = r#"{"_id":"507f1f77bcf86cd799439011","_links":{},"email":"a@example.com","role":"writer","customRoles":[],"firstName":"A","_pendingInvite":true,"_verified":false,"mfa":"disabled","_lastSeen":0,"creationDate":1}"#;

fn members() -> String {
    format!(r#"{{"items":[{MEMBER}],"totalCount":1,"_links":{{}}}}"#)
}

#[test]
fn members_are_asked_for_as_the_api_wants_it() {
    let members = members();
    let found = "GET /api/v2/members?filter=query%3AA%40example%2Ecom&limit=100&offset=0";
    let one = "/api/v2/members/507f1f77bcf86cd799439011";
    let changed = json!([
        { "op": "replace", "path": "/role", "value": "reader" },
        { "op": "replace", "path": "/customRoles", "value": ["k1", "k2"] },
    ]);
    let added = json!([{ "email": "a@example.com", "role": "writer", "firstName": "A" }]);
    let none = json!([{ "op": "replace", "path": "/customRoles", "value": [] }]);
    for (line, answers, asked, body, says) in [
        (
            "member list --limit 5",
            vec![(200, &*members)],
            vec!["GET /api/v2/members?limit=5&offset=0".to_owned()],
            None,
            "  LAST SEEN\n",
        ),
        (
            "member me",
            vec![(200, MEMBER)],
            vec!["GET /api/v2/members/me".to_owned()],
            None,
            "State      invited\n",
        ),
        (
            "member get x/../y",
            vec![(200, MEMBER)],
            vec!["GET /api/v2/members/x%2F%2E%2E%2Fy".to_owned()],
            None,
            "E-mail     a@example.com\n",
        ),
        (
            "member get A@example.com",
            vec![(200, &*members), (200, MEMBER)],
            vec![found.to_owned(), format!("GET {one}")],
            None,
            "a@example.com",
        ),
        (
            "member add a@example.com --role writer --first-name A",
            vec![(201, &*members)],
            vec!["POST /api/v2/members".to_owned()],
            Some(&added),
            "added a@example.com (writer, id 507f1f77bcf86cd799439011)\n",
        ),
        (
            "member set-role A@example.com --role reader --custom-role k1,k2",
            vec![(200, &*members), (200, MEMBER)],
            vec![found.to_owned(), format!("PATCH {one}")],
            Some(&changed),
            "changed: a@example.com has the role writer\n",
        ),
        (
            "member set-role x --no-custom-roles",
            vec![(200, MEMBER)],
            vec!["PATCH /api/v2/members/x".to_owned()],
            Some(&none),
            "changed",
        ),
        (
            "member remove x --yes",
            vec![(204, "")],
            vec!["DELETE /api/v2/members/x".to_owned()],
            None,
            "removed x: their personal tokens are dead\n",
        ),
    ] {
        let answers: Vec<_> = answers.into_iter().map(|(status, body)| (status, "", body)).collect();
        let (ended, seen) = told(&answers, line, "");
        assert_eq!(
            seen.iter().map(|asked| asked.what.clone()).collect::<Vec<_>>(),
            asked,
            "{line}: {ended:?}"
        );
        let last = seen.last().unwrap();
        assert_eq!(body.cloned(), (!last.body.is_empty()).then(|| last.json()), "{line}");
        assert_eq!(
            (last.header("authorization"), last.header("ld-api-version")),
            (Some("t"), Some("20240415"))
        );
        assert!(ended.stdout.contains(says), "{line}: {ended:?}");
        assert_eq!(ended.code(), 0);
    }
    let (ended, _) =
        told(&[(200, "", r#"{"items":[],"totalCount":0}"#)], "member get nobody@example.com", "");
    assert_eq!(
        ended.error(),
        ("there is no member with the e-mail address nobody@example.com".to_owned(), 1)
    );
    let (ended, _) = told(&[(200, "", MEMBER)], "member remove x", "");
    let (message, code) = ended.error();
    assert!(
        message.contains("this removes a@example.com (writer, id 507f1f77bcf86cd799439011) from the account"),
        "{message}"
    );
    assert_eq!(code, 2);
}

#[test]
fn roles_are_asked_for_as_the_api_wants_it() {
    const ROLE: &str = r#"{"_id":"i","_links":{},"key":"k","name":"K","policy":[{"effect":"allow","actions":["*"],"resources":["proj/*"]}]}"#;
    const POLICY: &str = r#"[{"effect":"allow","actions":["*"],"resources":["proj/*"]}]"#;
    let roles = format!(r#"{{"items":[{ROLE}],"totalCount":30,"_links":{{}}}}"#);
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    let made = json!({ "key": "k", "name": "K", "policy": policy, "basePermissions": "reader" });
    let changed = json!([
        { "op": "replace", "path": "/description", "value": "d" },
        { "op": "replace", "path": "/policy", "value": policy },
    ]);
    for (line, (status, answer), asked, body, says) in [
        (
            "role list",
            (200, &*roles),
            "GET /api/v2/roles?limit=25&offset=0",
            None,
            "k    K     1           -\n",
        ),
        ("role get k", (200, ROLE), "GET /api/v2/roles/k", None, "Name    K\n"),
        (
            "role create k --name K --policy - --base-permissions reader",
            (201, ROLE),
            "POST /api/v2/roles",
            Some(&made),
            "made the role k (`K`, id i)\n",
        ),
        (
            "role edit k --policy - --description d",
            (200, ROLE),
            "PATCH /api/v2/roles/k",
            Some(&changed),
            "changed the role k (`K`, id i)\n",
        ),
        ("role delete k --yes", (204, ""), "DELETE /api/v2/roles/k", None, "deleted the role k\n"),
    ] {
        let (ended, seen) = told(&[(status, "", answer)], line, POLICY);
        assert_eq!(seen[0].what, asked, "{line}: {ended:?}");
        assert_eq!(body.cloned(), (!seen[0].body.is_empty()).then(|| seen[0].json()), "{line}");
        assert!(ended.stdout.contains(says), "{line}: {ended:?}");
        assert_eq!(ended.code(), 0);
    }
    let (ended, _) = told(&[(200, "", ROLE)], "role delete k", "");
    let (message, code) = ended.error();
    assert!(
        message.contains("this deletes the role k (`K`, id i), a policy of 1 statement, for good. Members"),
        "{message}"
    );
    assert_eq!(code, 2);
    let (ended, _) = told(
        &[(409, "", r#"{"code":"optimistic_locking_error","message":"moved"}"#)],
        "role edit k --name x",
        "",
    );
    assert!(
        ended.stderr.ends_with("hint: somebody else changed it at the same moment: try again\n"),
        "{ended:?}"
    );
}

#[test]
fn a_password_gives_a_token_that_is_kept() {
    let dir = tempdir().unwrap();
    let responder =
        Responder::start(&[(200, "", r#"{"token":"session-token","user":{"id":1000}}"#), (200, "", MEMBER)]);
    let url = responder.url();
    let mut command = at_home(dir.path(), "login --email a@example.com --url");
    let printed = run_with_input(command.arg(&url), "pass word\n").success();
    let who = "a@example.com (writer), with a login that lasts 24 hours";
    assert!(printed.starts_with(&format!("logged in at {url} as {who}\n")), "{printed}");
    let asked = responder.asked();
    assert_eq!(asked[0].what, "POST /api/v1/users/login");
    assert_eq!(asked[0].json(), json!({ "email": "a@example.com", "password": "pass word" }));
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(
        (asked[1].what.as_str(), asked[1].header("authorization")),
        ("GET /api/v2/members/me", Some("session-token"))
    );
    let kept = std::fs::read_to_string(dir.path().join("home/jeton/profile.toml")).unwrap();
    assert_eq!(kept, format!("url = \"{url}\"\ntoken = \"session-token\"\nlogin = true\n"));

    let refused = r#"{"msg":"Invalid username or password."}"#;
    let (ended, _) = told(&[(401, "", refused)], "login --email a@example.com", "wrong\n");
    assert_eq!(ended.error(), ("the server says: Invalid username or password. (401)".to_owned(), 1));
}

/// A logout ends what a password made, says so if it can't, and never keeps the profile for it.
#[test]
fn a_logout_ends_a_login_and_says_if_it_cannot() {
    for (status, answer, code) in
        [(200, "{}", 0), (401, r#"{"msg":"Invalid token"}"#, 0), (503, r#"{"msg":"later"}"#, 1)]
    {
        let dir = tempdir().unwrap();
        let responder = Responder::start(&[(status, "", answer)]);
        let profile = dir.path().join("home/jeton/profile.toml");
        std::fs::create_dir_all(profile.parent().unwrap()).unwrap();
        let kept = format!("url = \"{}\"\ntoken = \"session-token\"\nlogin = true\n", responder.url());
        std::fs::write(&profile, kept).unwrap();
        std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o600)).unwrap();
        let ended = run(&mut at_home(dir.path(), "logout"));
        assert_eq!(ended.code(), code, "{ended:?}");
        let said =
            if code == 0 { "the login that was in it is dead" } else { "could not be ended at http://127" };
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains(said), "{ended:?}");
        assert!(!profile.exists());
        let asked = responder.asked();
        assert_eq!(
            (asked[0].what.as_str(), asked[0].header("authorization"), asked[0].json()),
            ("POST /api/v1/users/logout", Some("session-token"), json!({}))
        );
    }
}

#[test]
fn whoever_is_no_jeton_is_told_so_and_followed_nowhere() {
    let elsewhere = Responder::start(&[]);
    let location = format!("Location: {}/x\r\n", elsewhere.url());
    for ((status, head, body), message, hint) in [
        ((302, &*location, ""), "does not speak as jeton does (302)", "jeton follows nobody with a token"),
        (
            (502, "", "<html>"),
            "does not speak as jeton does (502)",
            "a proxy answers, and does not reach jeton",
        ),
        ((404, "", "nothing"), "does not speak as jeton does (404)", "check the address: is it a jeton?"),
        (
            (429, "Retry-After: 7\r\n", r#"{"code":"rate_limited","message":"slow"}"#),
            "slow (429 rate_limited)",
            "wait 7 s",
        ),
        (
            (503, "X-Request-Id: r1\r\n", r#"{"message":"down"}"#),
            "down (503, request r1)",
            "the server's log says more",
        ),
        ((200, "", "<html>"), "cannot be understood", "is it a jeton, and of this version?"),
    ] {
        let (ended, _) = told(&[(status, head, body)], "token list", "");
        assert!(ended.error().0.contains(message), "{ended:?}");
        assert!(ended.stderr.contains(hint), "{ended:?}");
        assert_eq!((ended.code(), ended.stdout.as_str()), (1, ""));
    }
    assert!(elsewhere.asked().is_empty());
}

/// A server's certificate for `localhost`, and the root that signed it, in a file.
fn certificate(root: &Path) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut ours = CertificateParams::new(Vec::new()).unwrap();
    ours.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(root, ours.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(ours, key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = key.serialize_der().try_into().unwrap();
    config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()
}

#[test]
fn a_certificate_is_believed_if_its_root_is_and_nothing_is_said_otherwise() {
    let dir = tempdir().unwrap();
    let root = dir.path().join("root.pem");
    let config = certificate(&root);
    let answers = [(200, "", r#"{"items":[],"totalCount":0}"#)];
    let ask = |host: &str, line: &str, trusted: Option<&Path>| {
        let responder = Responder::encrypted(&answers, config.clone());
        let url = responder.address().replace("127.0.0.1", &format!("https://{host}"));
        let mut command = at_home(dir.path(), line);
        command.env("JETON_URL", &url).env("JETON_TOKEN", "t");
        if let Some(root) = trusted {
            command.env("JETON_CA_CERT", root);
        }
        (run(&mut command), responder.asked().remove(0), url)
    };
    let flag = format!("token list --ca-cert {}", root.display());
    for (line, trusted) in [("token list", Some(root.as_path())), (&flag, None)] {
        let (ended, asked, _) = ask("localhost", line, trusted);
        assert_eq!((ended.code(), asked.header("authorization")), (0, Some("t")), "{ended:?}");
    }
    for (host, trusted) in [("localhost", None), ("127.0.0.1", Some(root.as_path()))] {
        let (ended, asked, url) = ask(host, "token list", trusted);
        let (message, code) = ended.error();
        assert!(
            message.starts_with(&format!("the server at {url} cannot be trusted (invalid peer certificate"))
        );
        assert!(
            ended.stderr.contains("hint: if its certificate is signed by a root of your own"),
            "{ended:?}"
        );
        assert_eq!((code, asked.what.as_str()), (1, ""));
    }
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let line = format!("token list --url https://127.0.0.1:1 --ca-cert {}", empty.display());
    let (message, code) = run(at_home(dir.path(), &line).env("JETON_TOKEN", "t")).error();
    assert!(message.ends_with(
        "holds no roots to trust (there is no certificate in it): name a PEM file with certificates in it"
    ));
    assert_eq!(code, 2);
}

#[test]
fn a_secret_that_cannot_be_printed_is_not_lost_in_silence() {
    let world = World::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = world.owner("token create --name lost --role reader");
    let ended = command.stdout(full).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let hint = format!("revoke the token: jeton token revoke {}\n", world.id("lost"));
    assert!(said.ends_with(&hint), "{said}");
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for (shell, begins) in [("bash", "_jeton() {"), ("zsh", "#compdef jeton"), ("fish", "# Print an optspec")]
    {
        let script = run(&mut jeton(&["completions", shell])).success();
        assert!(script.starts_with(begins) && script.contains("rotate"), "{shell}: {}", &script[..200]);
    }
    assert!(run(&mut jeton(&["man"])).success().contains(".TH jeton 1"));
    let dir = tempdir().unwrap();
    let pages = dir.path().join("man1");
    run(jeton(&["man"]).arg(&pages)).success();
    let page = std::fs::read_to_string(pages.join("jeton-token-rotate.1")).unwrap();
    assert!(page.contains("jeton token rotate 019b7ca98f2e6f9b6dae6f4c \\-\\-grace 1h"), "{page}");
    assert!(page.contains("Exit codes: 0 it is done"), "{page}");
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), 43);
}

/// What a stranger does with nothing but the README and `--help`: a member, a role, a token with that role, and a
/// forbidden call that is explained.
#[test]
fn a_member_a_role_a_token_and_a_refusal_explained() {
    let world = World::new();
    let policy = world.dir.path().join("policy.json");
    let statements = r#"[{"effect":"allow","actions":["createAccessToken"],"resources":["service-token/*"]},
        {"effect":"deny","actions":["deleteAccessToken"],"resources":["service-token/*"]}]"#;
    std::fs::write(&policy, statements).unwrap();
    let owner = |line: &str| run(&mut world.owner(line)).success();
    owner(&format!("role create ops --name Ops --policy {}", policy.display()));
    assert!(owner("role get ops").contains("deleteAccessToken"));
    owner("member add ada@example.com --role reader");
    assert!(owner("member get ada@example.com").contains("reader"));
    owner("member set-role ada@example.com --role writer");
    assert!(owner("member list").contains("writer"));

    let secret = owner("token create --name deploys --custom-role ops");
    let secret = secret.trim();
    let with = |line: &str| run(&mut world.with(secret, line));
    let made = with("token create --name machine --role reader --service");
    assert!(made.success().starts_with("jtn_svc_"));
    let machine = world.id("machine");
    let refused = with(&format!("token revoke {machine} --yes"));
    assert_eq!(refused.code(), 1);
    let explain = format!("`jeton explain deleteAccessToken service-token/{machine}`");
    assert!(refused.stderr.contains(&explain), "{refused:?}");
    let denied_by =
        r#"  denied by: {"actions":["deleteAccessToken"],"effect":"deny","resources":["service-token/*"]}"#;
    assert!(refused.stderr.contains(denied_by), "{refused:?}");

    let told = with(&format!("explain deleteAccessToken service-token/{machine}")).success();
    assert!(
        told.starts_with("Denied: in the token's scope, statement 1 of the role ops denies it\n"),
        "{told}"
    );
    assert!(told.contains("ops") && told.contains("/1 {"), "{told}");
    let other =
        owner(&format!("explain createAccessToken service-token/new --token {}", world.id("deploys")));
    assert!(other.starts_with("Allowed: "), "{other}");
    owner("role delete ops --yes");
    assert_eq!(with("token create --name more --role reader --service").code(), 1, "the role was all it had");
    owner("member remove ada@example.com --yes");
    assert!(!owner("member list").contains("ada@example.com"));
}

#[test]
fn a_password_logs_in_for_a_day() {
    let dir = tempdir().unwrap();
    let mut command = serve(&dir.path().join("data"));
    let server = Server::start_with(command.env("JETON_OWNER_PASSWORD", "correct horse"));
    let line = format!("login --url {} --email owner@localhost", server.url(""));
    let refused = run_with_input(&mut at_home(dir.path(), &line), "wrong horse\n");
    assert!(refused.code() == 1 && refused.stderr.contains("Invalid username or password"), "{refused:?}");
    run_with_input(&mut at_home(dir.path(), &line), "correct horse\n").success();
    let shown = run(&mut at_home(dir.path(), "member me")).success();
    assert!(shown.contains("owner@localhost"), "{shown}");
    let listed = run(&mut at_home(dir.path(), "token list --json")).success();
    assert!(!listed.contains("jtn_log") && listed.contains("\"totalCount\":1"), "{listed}");

    let profile = std::fs::read_to_string(dir.path().join("home/jeton/profile.toml")).unwrap();
    let secret = profile.split('"').find(|word| word.starts_with("jtn_log_")).unwrap();
    assert_eq!(server.status_for(secret), 200);
    let gone = run(&mut at_home(dir.path(), "logout")).success();
    assert!(gone.ends_with("; the login that was in it is dead\n"), "{gone}");
    assert_eq!(server.status_for(secret), 401);
}

#[test]
fn a_member_is_added_with_a_password_and_logs_in() {
    let world = World::new();
    let line = "member add ada@example.com --role writer --with-password";
    run_with_input(&mut world.owner(line), "correct horse\n").success();
    let line = format!("login --url {} --email ada@example.com", world.server.url(""));
    let said = run_with_input(&mut world.stranger(&line), "correct horse\n").success();
    assert!(said.contains(" as ada@example.com (writer), with a login that lasts 24 hours\n"), "{said}");
    assert_eq!(
        run(&mut world.owner(&format!("{} --with-password", "member add b@c --role reader"))).code(),
        2
    );
}

/// What jeton's own calls refuse is told in their words, which are not those of either API.
#[test]
fn an_explanation_that_cannot_be_given_says_why() {
    let world = World::new();
    let refused = run(&mut world.owner("explain createMember nonsense"));
    let (message, code) = refused.error();
    assert!(
        message.starts_with("the server says: resource names no resource: give one like member/ID"),
        "{message}"
    );
    assert_eq!(code, 1);
    let unknown = run(&mut world.owner("explain createMember member/new --token 0123456789abcdef01234567"));
    assert!(unknown.stderr.contains("hint: `jeton token list` shows what there is"), "{unknown:?}");
    // Not even a secret in the wrong place gets into a log.
    let secret = run(&mut world.owner(&format!("explain createMember member/new --token {}", world.owner)));
    assert!(secret.code() == 2 && secret.stderr.contains("may be a secret"), "{secret:?}");
    let got = run(&mut world.owner(&format!("token get {}", world.owner)));
    assert!(got.code() == 2 && got.stderr.contains("may be a secret"), "{got:?}");
    assert!(![secret.stderr, got.stderr].concat().contains(&world.owner), "and nobody repeats it");
}

#[test]
fn variables_of_the_client_are_no_strangers_to_a_server() {
    let dir = tempdir().unwrap();
    let shown =
        run(jeton(&["config", "check"]).env("JETON_URL", "x").env("JETON_TOKEN", "y").current_dir(&dir))
            .success();
    assert!(!shown.contains("no such variable"), "{shown}");
    // Nor does a client mind a server's settings.
    let ended =
        run(at_home(dir.path(), "logout").env("JETON_CONFIG", "/nowhere").env("JETON_LISTEN", "nonsense"));
    assert_eq!(ended.code(), 0, "{ended:?}");
}
