//! The `offhook` command: an application of the public API, no more.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
