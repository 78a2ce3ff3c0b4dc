//! A command with somebody at a terminal before it: it asks, they type.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Ended, PATIENCE};

/// A command whose standard input and standard error are a terminal. Its standard output is a pipe.
pub(crate) struct Seated {
    child: Child,
    keys: File,
    coming: Receiver<String>,
    seen: String,
}

impl Seated {
    pub(crate) fn start(command: &mut Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
        command.stdin(theirs.try_clone().unwrap()).stderr(theirs).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        // Whoever holds the other end keeps the screen alive.
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let keys = File::from(ours);
        let mut screen = keys.try_clone().unwrap();
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                if sender.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, coming, seen: String::new() }
    }

    /// Waits until this is on the screen.
    pub(crate) fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.coming.recv_timeout(left) {
                Ok(more) => self.seen.push_str(&more),
                Err(error) => panic!("{text:?} is not shown ({error}): {:?}", self.seen),
            }
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for its end. What was on the screen counts as its standard error.
    pub(crate) fn ends(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.coming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.seen.push_str(&more),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the terminal stays open: {:?}", self.seen),
            }
        }
        // Nobody holds the terminal any more, so the command has ended.
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        Ended { status, stdout, stderr: std::mem::take(&mut self.seen) }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        // A process that has ended and was waited for is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
