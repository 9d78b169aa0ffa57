//! Guardrails, as they are given on the command line: an endpoint's, or a team's.

use crate::error::CliError;
use ccag_admin_api::GuardrailSpec;
use ccag_domain::GuardrailTrace;
use clap::{Args, ValueEnum};

/// A guardrail that requests must pass.
#[derive(Debug, Args)]
pub(crate) struct GuardrailArgs {
    /// A guardrail that requests must pass: its id and version, such as `abc123:1` or `abc123:DRAFT`
    #[arg(long, value_name = "ID:VERSION")]
    guardrail: Option<String>,
    /// How much Bedrock tells in its invocation log about what the guardrail found
    #[arg(
        long,
        value_enum,
        requires = "guardrail",
        default_value = "disabled",
        value_name = "HOW"
    )]
    guardrail_trace: TraceName,
    /// Let the guardrail look only at what the user and the tools said
    #[arg(long, requires = "guardrail")]
    guardrail_tag_input: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TraceName {
    /// Nothing
    Disabled,
    /// What was found
    Enabled,
    /// Also what was looked for and not found
    EnabledFull,
}

impl GuardrailArgs {
    /// What is asked for, if anything.
    pub(super) fn read(&self) -> Result<Option<GuardrailSpec>, CliError> {
        let Some(text) = &self.guardrail else {
            return Ok(None);
        };
        // An ARN holds colons: the version follows the last one.
        let Some((id, version)) = text.rsplit_once(':') else {
            return Err(CliError::Usage(format!(
                "`{text}` names no version: write ID:VERSION, such as {text}:1 or {text}:DRAFT"
            )));
        };
        Ok(Some(GuardrailSpec {
            id: id.to_owned(),
            version: version.to_owned(),
            trace: match self.guardrail_trace {
                TraceName::Disabled => GuardrailTrace::Disabled,
                TraceName::Enabled => GuardrailTrace::Enabled,
                TraceName::EnabledFull => GuardrailTrace::EnabledFull,
            },
            tag_input: self.guardrail_tag_input,
        }))
    }
}

/// A guardrail as one reads it.
pub(super) fn guardrail_text(guardrail: &GuardrailSpec) -> String {
    format!("{}, version {}", guardrail.id, guardrail.version)
}
