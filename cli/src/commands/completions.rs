//! Shell completions.

use crate::args::Cli;
use crate::error::CliError;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;

/// The arguments of `ccag completions`; its help text stands at the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, out: Output) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "ccag", &mut script);
        out.raw(&script)
    }
}
