//! A full disk: clear errors, nothing lost, and work again when there is room.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::http::Connection;
use support::{Server, left_out, run, serve};

const OWNER: &str = "owner-secret-for-the-full-disk-test-0123456789";

/// A small file system of its own, gone when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs"]).arg(place.path());
        run(&mut mount).status.success().then_some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_heals() {
    let Some(disk) = SmallDisk::mount() else {
        return left_out("a full disk: only root may mount a small one");
    };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0_u8; 3 << 20]).unwrap();
    let data_dir = disk.path().join("data");
    let mut command = serve(&data_dir);
    command.args(["--token-rate", "0"]).env("JETON_OWNER_TOKEN", OWNER);
    let server = Server::start_with(&mut command);
    let mut connection = Connection::open(server.address()).unwrap();
    let mut create = |name: &str| {
        let body = json!({ "name": name, "description": "x".repeat(8000), "role": "reader" }).to_string();
        connection.ask(OWNER, "POST", "/api/v2/tokens", &body).unwrap()
    };

    let mut made = Vec::new();
    let refused = loop {
        let reply = create(&format!("token {}", made.len()));
        if reply.status != 201 {
            break reply;
        }
        made.push((reply.string("_id"), reply.string("token")));
        assert!(made.len() < 5000, "the disk does not fill up");
    };
    assert_eq!(refused.status, 507, "{refused:?}");
    assert_eq!(refused.json()["code"], "insufficient_storage");
    assert!(made.len() > 10, "only {} fitted", made.len());

    // It goes on refusing, verifies as before, and shows what it has.
    assert_eq!(create("still full").status, 507);
    let ask = |secret: &str, method: &str, path: &str| {
        Connection::open(server.address()).unwrap().ask(secret, method, path, "").unwrap()
    };
    for (id, secret) in &made {
        assert_eq!(ask(secret, "GET", "/api/v2/versions").status, 200);
        assert_eq!(ask(OWNER, "GET", &format!("/api/v2/tokens/{id}")).status, 200);
    }
    let canvus = ask(OWNER, "POST", "/api/v1/users/1000/access-tokens");
    assert_eq!(canvus.status, 400, "what is wrong with a request is said before what is wrong with the disk");

    // Room again, and work again.
    std::fs::remove_file(&filler).unwrap();
    let (id, secret) = &made[0];
    assert_eq!(ask(OWNER, "DELETE", &format!("/api/v2/tokens/{id}")).status, 204);
    assert_eq!(ask(secret, "GET", "/api/v2/versions").status, 401);
    assert_eq!(create("room again").status, 201);
    server.stop();

    let store = jeton_store::Sqlite::open(&data_dir.join("jeton.db"), "the full disk test").unwrap();
    jeton_testkit::check_store(&store);
    drop(store);
    let server = Server::start_with(&mut command);
    for (_, secret) in &made[1..] {
        let reply =
            Connection::open(server.address()).unwrap().ask(secret, "GET", "/api/v2/versions", "").unwrap();
        assert_eq!(reply.status, 200, "an acknowledged token is lost");
    }
    server.stop();
    println!("{} tokens fitted; 507 beyond; all of them alive after a restart", made.len());
}
