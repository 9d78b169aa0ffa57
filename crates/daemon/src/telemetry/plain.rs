//! The fields of an event as text, for files and pipes.

use std::fmt::{self, Debug, Write};
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// `message name=value …`, as `tracing_subscriber` writes it without colours; its own way is ready for colours, and every request
/// would pay for that. A value cannot begin a line or move a cursor: control characters are escaped.
pub(super) struct Plain;

impl<'w> FormatFields<'w> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut written = Fields {
            to: Escaped(writer),
            is_first: true,
            result: Ok(()),
        };
        fields.record(&mut written);
        written.result
    }
}

struct Escaped<'w>(Writer<'w>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Of control characters beyond ASCII the first byte is this one.
        if !text.bytes().any(|byte| byte.is_ascii_control() || byte == 0xc2) {
            return self.0.write_str(text);
        }
        for c in text.chars() {
            if c.is_control() {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.write_char(c)?;
            }
        }
        Ok(())
    }
}

struct Fields<'w> {
    to: Escaped<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl Fields<'_> {
    fn field(&mut self, field: &Field, write: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
        let name = field.name();
        // What `log` says of its records is said by the event itself.
        if self.result.is_err() || name.starts_with("log.") {
            return;
        }
        let begin = if std::mem::take(&mut self.is_first) {
            ""
        } else {
            " "
        };
        self.result = self.to.0.write_str(begin).and_then(|()| {
            if name != "message" {
                self.to.0.write_str(name.trim_start_matches("r#"))?;
                self.to.0.write_char('=')?;
            }
            write(&mut self.to)
        });
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_message = field.name() == "message";
        self.field(field, |to| match is_message {
            true => to.write_str(value),
            false => write!(to.0, "{value:?}"),
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, |to| write!(to, "{value:?}"));
    }
}
