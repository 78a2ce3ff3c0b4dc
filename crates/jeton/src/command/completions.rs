//! `jeton completions`: what a shell needs to complete the command line, made from the command line itself.

use clap_complete::Shell;

use super::print;
use crate::fault::Fault;

pub(crate) fn run(shell: &str, mut command: clap::Command) -> Result<(), Fault> {
    let shell = match shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "jeton", &mut script);
    print(&String::from_utf8_lossy(&script))
}
