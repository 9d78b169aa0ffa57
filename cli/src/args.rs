//! The command line: every command and flag with its documentation.

use crate::commands::{
    analytics, audit, auth, budgets, capabilities, client_sessions, completions, declare, doctor, endpoints,
    explain, idps, keys, limits, manual, master_keys, models, notifications, policies, pricing, routing,
    scim, sessions, setup, sign_in, teams, usage, users, web_search,
};
use ccag_admin_api::Secret;
use clap::{Args, Parser, Subcommand};

const AFTER_HELP: &str = "\
Names or ids: wherever a KEY, TEAM, USER, ENDPOINT, IDP, POLICY or DESTINATION is asked for, its id (`key_…`, `team_…`, `user_…`, \
`end_…`, `idp_…`, `pol_…`, `dst_…`) or its name will do, as long as only one has that name. A key may also be given by its secret or \
by the prefix that lists show.

Exit codes:
  0  done
  1  the server refused: not allowed, not found, not valid; or a test failed
  2  the command line is wrong
  3  the server cannot be reached
  4  not signed in, or the session has ended
  5  the server failed, or its answer makes no sense
  6  a file or the terminal on this machine failed
  7  `ccag doctor` has found a fault

Files: ~/.ccag/config.json (URL and user name) and ~/.ccag/token (the session token, readable by you alone).";

/// Manages a CCAG gateway: keys, teams, users, sign-in, policies, endpoints, budgets, limits, usage, and the data
/// planes.
///
/// Start with `ccag login --url https://gateway.example.com`. Everything after that uses the same gateway and session.
/// With --json a command writes one JSON document to standard output and nothing else, so that scripts can rely on it:
/// `ccag --json keys list | jq -r '.keys[].id'`.
#[derive(Debug, Parser)]
#[command(name = "ccag", version, max_term_width = 100, after_help = AFTER_HELP, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The gateway's address, such as https://gateway.example.com; by default the one signed in to, else
    /// http://127.0.0.1:8080
    #[arg(
        long,
        global = true,
        display_order = 100,
        env = "CCAG_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) url: Option<String>,

    /// A session token to use instead of the stored one; better given as CCAG_TOKEN, since other users of the machine can
    /// see command lines
    #[arg(
        long,
        global = true,
        display_order = 101,
        env = "CCAG_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(crate) token: Option<Secret>,

    /// Write JSON to standard output, and nothing else
    #[arg(long, global = true, display_order = 102)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in, and remember the gateway and the session
    ///
    /// Without a user name you sign in with a browser, as at the console: the address is printed, and opened if there is a
    /// browser here; on a machine without one, open it anywhere else. With a user name you are asked for the password. The
    /// session is kept in ~/.ccag/token and used by all other commands, with this gateway only, until it ends or you sign out.
    ///
    /// The exit code is 1 if the sign-in is turned down, and 4 if nobody confirms it in time.
    ///
    /// For example: ccag login --url https://gateway.example.com, or with a password: ccag login -u dev@example.com
    Login(auth::Login),
    /// End the session, and forget it
    Logout,
    /// Show who is signed in, and where
    Whoami,
    /// Virtual keys: what Claude Code authenticates with
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Teams and their members
    #[command(subcommand)]
    Teams(teams::Teams),
    /// Users: who may sign in, and whose keys work
    #[command(subcommand)]
    Users(users::Users),
    /// Identity providers: where people sign in, who may come in, and as what
    #[command(subcommand)]
    Idps(idps::Idps),
    /// How people sign in: passwords, the notice they are shown, and the keys that tokens are signed with
    #[command(subcommand)]
    SignIn(sign_in::SignIn),
    /// The script that sets up Claude Code on people's machines: what it does
    #[command(subcommand)]
    Setup(setup::Setup),
    /// Sessions of clients: where people are signed in with Claude Code
    #[command(subcommand)]
    ClientSessions(client_sessions::ClientSessions),
    /// Policies: which models people may use, and what their Claude Code is told
    #[command(subcommand)]
    Policies(policies::Policies),
    /// Notifications: who is told what happens, and what became of telling them
    #[command(subcommand)]
    Notifications(notifications::Notifications),
    /// Endpoints: the AWS accounts, regions and roles that requests leave through
    #[command(subcommand)]
    Endpoints(endpoints::Endpoints),
    /// Budgets: how much may be spent, by whom, until when, and how much is
    #[command(subcommand)]
    Budgets(budgets::Budgets),
    /// Limits: how much may be asked for at a time, by whom
    #[command(subcommand)]
    Limits(limits::Limits),
    /// Where requests may go, and in which order endpoints are tried, for teams that say nothing of their own
    #[command(subcommand)]
    Routing(routing::Routing),
    /// Sessions of Claude Code that run away: what they may do within a minute, and those that are paused
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// What was used, and what it cost
    #[command(subcommand)]
    Usage(usage::Usage),
    /// What was used over time, by whom, how models do, and what the month will come to
    #[command(subcommand)]
    Analytics(analytics::Over),
    /// Show why a request went as it went: key, budgets, endpoints, translation and cost, by its id
    ///
    /// The id stands in the header request-id of every answer and in the body of every error, also of refusals. Explanations
    /// are kept for thirty days unless the gateway is set up otherwise; members see the requests of their own keys.
    ///
    /// For example: ccag explain req_01KAV4M3C8TB7R6QF2J5XW9D0E
    Explain(explain::Explain),
    /// What Bedrock takes: the rules, what was learnt from refusals, and what was left out or is unknown
    #[command(subcommand)]
    Capabilities(capabilities::Capabilities),
    /// Web search: the rules for everybody, and your own search service
    #[command(subcommand)]
    WebSearch(web_search::WebSearch),
    /// SCIM: how identity providers manage their users here
    #[command(subcommand)]
    Scim(scim::Scim),
    /// Who changed what, and whether the log of it is as it was written
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Secrets at rest: under which master keys they are kept, and bringing them under the current one
    #[command(subcommand)]
    Secrets(master_keys::Secrets),
    /// Make the gateway as files say: endpoints, teams, users, budgets, limits, policies, identity providers, settings
    ///
    /// What is to be done is shown, and done after a yes. A section that a file does not have is left alone; an object keeps
    /// what the file does not say of it; null takes a value away. Objects are recognised by their names (budgets and limits by
    /// what they are about). Secrets are named, not written: `client_secret: {env: OIDC_SECRET}`; the gateway never shows
    /// them, so they are sent only with something that is new or changed.
    ///
    /// Applied twice, a file changes nothing the second time. The form is described in docs/apply.md; `ccag export` writes
    /// what there is in it.
    ///
    /// For example: ccag apply -f gateway.yaml, or in a pipeline: ccag apply -f config/ --prune --yes
    Apply(declare::Apply),
    /// Show what `apply` would do; the exit code is 1 if there is something
    ///
    /// This is how a change that was made by hand is found: ccag diff -f gateway.yaml
    Diff(declare::Diff),
    /// Write what the gateway has as a file for `apply`, without secrets
    ///
    /// Users whom an identity provider brings are left out. With --json it is JSON, which `apply` reads as well.
    ///
    /// For example: ccag export > gateway.yaml
    Export(declare::Export),
    /// Show the data planes, what they have applied and what they still hold
    Fleet,
    /// The models that the gateway serves; without a command, list them
    Models {
        #[command(subcommand)]
        command: Option<models::Models>,
    },
    /// What the models cost, in dollars per million tokens; without a command, list it
    Pricing {
        #[command(subcommand)]
        command: Option<pricing::Pricing>,
    },
    /// Show the gateway's version, configuration revision, database and data planes
    Status,
    /// Find out what is wrong, with this machine, on the way to the gateway, and with the gateway itself
    ///
    /// Each finding says what was looked at, what is wrong, what to do, and where to read on; what is in order takes a line. With a key
    /// of the gateway's it is tried whether proxies on the way keep headers, take large bodies and pass streams on as they come;
    /// signed in as somebody who may see it, what the gateway itself knows comes along. Nothing is changed, and no model runs. It takes
    /// as long as the gateway's pings are apart, about ten seconds.
    ///
    /// The exit code is 7 if there is a fault; warnings are none.
    ///
    /// For example: ccag doctor --url https://gateway.example.com
    Doctor(doctor::Doctor),
    /// Write a completion script for a shell to standard output
    ///
    /// For example: ccag completions bash > ~/.local/share/bash-completion/completions/ccag
    Completions(completions::Completions),
    /// Write manual pages, one for each command, into a folder
    ///
    /// For example: ccag man ~/.local/share/man/man1
    Man(manual::Man),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    /// All help texts, since they are what users work from.
    #[test]
    fn help_texts_are_as_reviewed() {
        fn visit(command: &mut clap::Command, path: &str, all: &mut String) {
            let rule = "=".repeat(path.len());
            all.push_str(&format!("{path}\n{rule}\n{}\n\n", command.render_long_help()));
            for sub in command
                .get_subcommands_mut()
                .filter(|sub| sub.get_name() != "help")
            {
                let path = format!("{path} {}", sub.get_name());
                visit(sub, &path, all);
            }
        }
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut all = String::new();
        visit(&mut command, "ccag", &mut all);
        insta::assert_snapshot!(all);
    }

    #[test]
    fn every_command_and_flag_says_what_it_does() {
        fn visit(command: &clap::Command) {
            assert!(
                command.get_about().is_some(),
                "{} has no help",
                command.get_name()
            );
            for arg in command.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "{} {} has no help",
                    command.get_name(),
                    arg.get_id()
                );
            }
            command.get_subcommands().for_each(visit);
        }
        visit(&Cli::command());
    }
}
