//! What the program says: the only place that writes to standard output and standard error.

use crate::error::CliError;
use serde::Serialize;
use std::io::{self, Write};

/// Says things the way the user asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether only a JSON document may be written.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Shows a result: as JSON, or as the text that `human` makes of it.
    pub(crate) fn show<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        let text = if self.json {
            serde_json::to_string_pretty(value).map_err(io::Error::from)?
        } else {
            human(value)
        };
        self.raw(format!("{}\n", text.trim_end()).as_bytes())
    }

    /// Writes bytes to standard output. Where nobody reads on, as in `ccag … | head`, that is the end and no failure.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(CliError::Local {
                what: "cannot write to standard output".to_owned(),
                error,
            }),
            Ok(()) => Ok(()),
        }
    }

    /// Tells a person something beside the result; scripts are not told.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Tells a person what to do before the command can go on, whatever standard output is read by.
    pub(crate) fn tell(self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Asks a person whether something is to be done. Only `y` and `yes` are a yes.
    pub(crate) fn confirm(self, question: &str) -> Result<bool, CliError> {
        let mut answer = String::new();
        write!(io::stderr(), "{question} [y/N] ")
            .and_then(|()| io::stdin().read_line(&mut answer))
            .map_err(|error| CliError::Local {
                what: "cannot ask on this terminal".to_owned(),
                error,
            })?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Tells about something dangerous.
    pub(crate) fn warn(self, text: &str) {
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    /// Tells why the command failed, on standard error.
    pub(crate) fn error(self, error: &CliError) {
        let text = if self.json {
            error.to_json().to_string()
        } else {
            format!("error: {}", crate::human::printable(&error.to_string()))
        };
        let _ = writeln!(io::stderr(), "{text}");
    }
}
