//! The program that serves the API on a laptop. See `--help` and `docs/local-dev.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    local_dev::run()
}
