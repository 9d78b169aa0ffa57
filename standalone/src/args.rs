//! What the command line and the environment say.

use clap::Parser;
use std::net::IpAddr;
use std::path::PathBuf;

/// The Claude Code AWS Gateway in one process: inference, console, admin API and database on one port.
///
/// Everything else is configured by the environment: AWS by the usual AWS_* variables, the rest as docs/configuration.md
/// says.
#[derive(Debug, Parser)]
#[command(name = "ccag-standalone", version)]
pub(crate) struct Args {
    /// Answer from a simulated Bedrock instead of AWS: nothing leaves this machine and nothing costs money
    #[arg(long)]
    pub(crate) simulate: bool,

    /// Check the configuration and what it leads to, say everything that is wrong, and exit: with 0, or with 7 for a fault. Nothing
    /// is started or changed (docs/doctor.md)
    #[arg(long)]
    pub(crate) check_config: bool,

    /// Write what --check-config finds as JSON
    #[arg(long, requires = "check_config")]
    pub(crate) json: bool,

    /// Where the database, the usage spool and the keys of this installation live [default: ./ccag-data, with --simulate
    /// ./ccag-data/simulate]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", env = "PROXY_HOST", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,

    /// The port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "PROXY_PORT", default_value_t = 8080)]
    pub(crate) port: u16,

    /// Which log lines to write, for example `info` or `ccag_dataplane=debug,warn`
    #[arg(
        long,
        value_name = "FILTER",
        env = "RUST_LOG",
        default_value = "warn,ccag=info"
    )]
    pub(crate) log: String,

    /// How to write them: text or json
    #[arg(long, value_name = "FORMAT", env = "LOG_FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub(crate) log_format: String,
}

impl Args {
    /// The data directory: simulated spending never mixes with real.
    pub(crate) fn data_dir(&self) -> PathBuf {
        match (&self.data_dir, self.simulate) {
            (Some(dir), _) => dir.clone(),
            (None, false) => PathBuf::from("ccag-data"),
            (None, true) => PathBuf::from("ccag-data/simulate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn simulated_data_lives_apart() {
        let real = Args::parse_from(["ccag-standalone"]).data_dir();
        let simulated = Args::parse_from(["ccag-standalone", "--simulate"]).data_dir();
        assert_ne!(real, simulated);
        let chosen = Args::parse_from(["ccag-standalone", "--simulate", "--data-dir", "x"]).data_dir();
        assert_eq!(chosen, PathBuf::from("x"));
    }
}
