//! Passwords and other secrets from the terminal, from standard input or from a file.

use crate::error::CliError;
use ccag_admin_api::Secret;
use std::io::{self, BufRead};
use std::path::Path;

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

/// Reads a secret that was made elsewhere: the first line of a file, or of standard input.
pub(crate) fn line(file: Option<&Path>) -> Result<Secret, CliError> {
    let text = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| CliError::file("read", path, error))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        None => line_of_stdin()?,
    };
    if text.is_empty() {
        return Err(CliError::Usage("the secret is empty".to_owned()));
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
