//! Passwords from the terminal or from standard input, never from the command line.

use crate::error::CliError;
use ccag_admin_api::Secret;
use std::io::{self, BufRead};

/// Reads a password: a line of standard input if `from_stdin`, else what is typed, without showing it.
pub(crate) fn password(prompt: &str, from_stdin: bool) -> Result<Secret, CliError> {
    let text = if from_stdin {
        line_of_stdin()?
    } else {
        rpassword::prompt_password(prompt).map_err(|error| CliError::Local {
            what: "cannot ask for the password (use --password-stdin where there is no terminal)".to_owned(),
            error,
        })?
    };
    if text.is_empty() {
        return Err(CliError::Usage("the password is empty".to_owned()));
    }
    Ok(Secret::new(text))
}

fn line_of_stdin() -> Result<String, CliError> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| CliError::Local {
            what: "cannot read standard input".to_owned(),
            error,
        })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
