//! What a start is refused for, each with a message that says what to do.

mod support;

use std::net::TcpListener;
use std::path::Path;

use support::{Ended, Server, jeton, run, serve};
use tempfile::tempdir;

fn failed(message: String) -> (String, i32) {
    (message, 1)
}

/// A data directory that was used.
fn used(data: &Path) {
    Server::start(data).stop();
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempdir().unwrap();
    let ended = run(jeton(&["serve", "--listen", &address, "--data-dir"]).arg(dir.path().join("data")));
    let message = format!(
        "{address} is already in use: stop what is listening there or choose another address with --listen"
    );
    assert_eq!(ended.error(), failed(message));
    assert!(!dir.path().join("data/jeton.db").exists(), "nothing was made");
}

#[test]
fn a_database_that_another_jeton_holds() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path());
    let (address, id) = (server.address().to_owned(), server.process().id());
    let mut recover = jeton(&["recover", "--member", "owner@localhost", "--data-dir"]);
    for ended in [run(&mut serve(dir.path())), run(recover.arg(dir.path()))] {
        let (message, code) = ended.error();
        let database = dir.path().join("jeton.db");
        let beginning = format!(
            "the database {} is in use by another jeton (process {id}, listening on {address}, since 20",
            database.display()
        );
        assert!(message.starts_with(&beginning), "{message}");
        assert!(
            message.ends_with("Z): stop that one first, or choose another data directory with --data-dir")
        );
        assert_eq!((code, ended.stdout.as_str()), (1, ""));
    }
    server.stop();
    Server::start(dir.path()).stop();
}

#[test]
fn a_data_directory_of_somebody_else() {
    let dir = tempdir().unwrap();
    let root = rustix::process::geteuid().is_root();
    let (path, owner) = if root {
        std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
        (dir.path(), 12_345)
    } else {
        (Path::new("/"), 0)
    };
    let user = rustix::process::geteuid().as_raw();
    let message = format!(
        "the data directory {0} belongs to user {owner}, and jeton runs as user {user}: start it as that user (sudo -u \
         '#{owner}' jeton …), give the directory away (chown -R {user} {0}), or name another one with --data-dir",
        path.display()
    );
    assert_eq!(run(&mut serve(path)).error(), failed(message.clone()));
    let mut recover = jeton(&["recover", "--member", "owner@localhost", "--data-dir"]);
    assert_eq!(run(recover.arg(path)).error(), failed(message));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_data_directory_that_cannot_be_made() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (path, reason) in [(file.clone(), "File exists"), (file.join("below"), "Not a directory")] {
        let (message, code) = run(&mut serve(&path)).error();
        let beginning = format!("the data directory {} cannot be made ({reason} ", path.display());
        assert!(message.starts_with(&beginning), "{message}");
        assert!(message.ends_with("make it yourself, or name another one with --data-dir"), "{message}");
        assert_eq!(code, 1);
    }
}

#[test]
fn a_database_of_a_newer_version() {
    let dir = tempdir().unwrap();
    used(dir.path());
    let database = dir.path().join("jeton.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    let from_the_future = "INSERT INTO migrations SELECT number + 1000, name, sha256 FROM migrations";
    connection.execute(from_the_future, []).unwrap();
    drop(connection);
    let (message, code) = run(&mut serve(dir.path())).error();
    let beginning = format!("the database {} was written by a newer version of jeton (", database.display());
    assert!(message.starts_with(&beginning), "{message}");
    assert!(message.contains("start that version, or restore a backup"), "{message}");
    assert_eq!(code, 1);
}

#[test]
fn a_file_that_is_no_database_of_jeton() {
    let dir = tempdir().unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "This is not a database.\n".repeat(100)).unwrap();
    let other = dir.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute("CREATE TABLE notes (text TEXT)", []).unwrap();
    for path in [text, other] {
        let before = std::fs::read(&path).unwrap();
        let url = format!("sqlite:{}", path.display());
        let ended = run(serve(&dir.path().join("data")).args(["--database", &url]));
        let message = format!(
            "{} is not a database of jeton: choose another file with --database, or move this one away",
            path.display()
        );
        assert_eq!(ended.error(), failed(message));
        assert_eq!(std::fs::read(&path).unwrap(), before, "it is as it was");
    }
}

#[test]
fn a_missing_server_key() {
    let dir = tempdir().unwrap();
    used(dir.path());
    let key = dir.path().join("server-key");
    let kept = dir.path().join("kept");
    std::fs::rename(&key, &kept).unwrap();
    let message = format!(
        "the server key {} is missing, and without it no token in {} can be verified: put it back from a backup, or name \
         the right file with --server-key-file",
        key.display(),
        dir.path().join("jeton.db").display()
    );
    assert_eq!(run(&mut serve(dir.path())).error(), failed(message));
    assert!(!key.exists(), "a new key would refuse every token");
    Server::start_with(serve(dir.path()).arg("--server-key-file").arg(kept)).stop();
}

#[test]
fn a_wrong_server_key() {
    let dir = tempdir().unwrap();
    used(dir.path());
    let ended: Ended = run(serve(dir.path()).env("JETON_SERVER_KEY", "0b".repeat(32)));
    let message = "the server key is not the one that this database was made with, so no token could be verified: give \
                   the right one with --server-key-file (it was kept beside the database, or wherever its operator put \
                   it)";
    assert_eq!(ended.error(), failed(message.to_owned()));
    assert!(!ended.stderr.contains(&"0b".repeat(32)));
}

#[test]
fn a_server_key_that_is_none() {
    let dir = tempdir().unwrap();
    used(dir.path());
    let key = dir.path().join("server-key");
    for content in ["", "0b0b\n", &"zz".repeat(32)] {
        std::fs::write(&key, content).unwrap();
        let message = format!(
            "{} is not a server key, which is 64 hexadecimal digits: look for a part that was cut off, or put the key \
             back from a backup",
            key.display()
        );
        assert_eq!(run(&mut serve(dir.path())).error(), failed(message));
    }
}

#[test]
fn a_server_key_that_was_named_is_never_made() {
    let dir = tempdir().unwrap();
    let key = dir.path().join("key");
    let ended = run(serve(&dir.path().join("data")).arg("--server-key-file").arg(&key));
    let message = format!(
        "the file {0} (--server-key-file) does not exist: if this database has a server key, put it there; if all is \
         new, make one with `(umask 077; openssl rand -hex 32 > {0})`",
        key.display()
    );
    assert_eq!(ended.error(), failed(message));
    assert!(!key.exists());
    std::fs::write(&key, "0b".repeat(32)).unwrap();
    Server::start_with(serve(&dir.path().join("data")).arg("--server-key-file").arg(&key)).stop();
    Server::start_with(serve(&dir.path().join("data")).env("JETON_SERVER_KEY", "0B".repeat(32))).stop();
}

#[test]
fn commands_that_have_no_business_making_a_database() {
    let dir = tempdir().unwrap();
    let database = dir.path().join("jeton.db");
    let message = format!(
        "there is no database at {}: name the data directory of your server with --data-dir",
        database.display()
    );
    let copy = dir.path().join("copy.db");
    let backup = run(jeton(&["backup", "--data-dir"]).arg(dir.path()).arg(copy));
    assert_eq!(backup.error(), failed(message.clone()));
    let recover = run(jeton(&["recover", "--member", "owner@localhost", "--data-dir"]).arg(dir.path()));
    assert_eq!(recover.error(), failed(message));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
