//! `jeton man`: the manual, made from the command line itself, so that it can't say anything else.

use std::path::Path;

use clap_mangen::Man;

use super::print;
use crate::fault::Fault;

pub(crate) fn run(directory: Option<&Path>, command: clap::Command) -> Result<(), Fault> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        return print(&String::from_utf8_lossy(&page));
    };
    let written =
        std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|error| {
        Fault::failed(format!(
            "the manual cannot be written to {} ({error}): name a directory that this user may write to",
            directory.display()
        ))
    })?;
    print(&format!(
        "wrote the manual to {dir}; read it with: man -l {dir}/jeton.1\n",
        dir = directory.display()
    ))
}
