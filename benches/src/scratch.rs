//! A scratch directory on the disk that is measured, gone when it is dropped.

use std::path::{Path, PathBuf};

use crate::Fallible;
use crate::options::Options;

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A fresh directory beside this program, which is on the disk of the build, or where the options say.
    pub(crate) fn new(options: &Options, purpose: &str) -> Fallible<Self> {
        let program = std::env::current_exe()?;
        let parent = options.dir.clone().or_else(|| program.parent().map(Path::to_owned)).unwrap_or_default();
        let path = parent.join(format!("jeton-bench-{purpose}-{}", std::process::id()));
        // One that is there already is somebody else's, and is neither used nor removed.
        std::fs::create_dir(&path)
            .map_err(|error| format!("the directory {} cannot be made ({error})", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
