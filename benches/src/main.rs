//! The program behind `scripts/bench`: every benchmark there is. See the [library](jeton_bench).

use std::process::ExitCode;

fn main() -> ExitCode {
    jeton_bench::command_line()
}
