//! Management CLI over the admin API.

mod args;
mod client;
mod clock;
mod commands;
mod error;
mod human;
mod names;
mod output;
mod profile;
mod secrets;
mod table;

use args::Cli;
use clap::Parser;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json);
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(error::CliError::from)
        .and_then(|runtime| runtime.block_on(commands::run(cli, &output)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // All of it stands on standard output already.
        Err(error @ error::CliError::Faults) => ExitCode::from(error.exit_code()),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
