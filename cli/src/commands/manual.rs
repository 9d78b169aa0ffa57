//! Manual pages, made of the same texts as `--help`.

use crate::args::Cli;
use crate::error::CliError;
use crate::output::Output;
use clap::{Args, CommandFactory};
use serde_json::json;
use std::path::PathBuf;

/// `ccag man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder; it is made if it is not there
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self, out: Output) -> Result<(), CliError> {
        let failed = |error| CliError::file("write manual pages to", &self.folder, error);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.folder).map_err(failed)?;
        let folder = self.folder.display().to_string();
        out.show(&json!({ "folder": folder }), |_| {
            format!("The manual pages are in {folder}.")
        })
    }
}
