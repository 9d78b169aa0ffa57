//! A span: something that takes its time, for which somebody waits.

use super::{Otlp, TraceContext};
use ccag_domain::UnixMs;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{
    Span as Wire, SpanFlags, Status, span::SpanKind, status::StatusCode,
};
use std::time::Duration;
use tokio::time::Instant;

/// Longer texts are cut.
const MAX_TEXT: usize = 256;

/// On which side of a request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody asked us.
    Server,
    /// We ask somebody.
    Client,
}

/// What an attribute says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Several texts.
    Texts(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

/// A span that has begun. It ends when it is dropped.
#[derive(Debug)]
pub struct Span {
    context: TraceContext,
    begun: Instant,
    /// What is written down, where the trace is recorded.
    recorded: Option<Box<(Wire, Otlp)>>,
}

impl Span {
    pub(super) fn begin(
        otlp: Otlp,
        kind: Kind,
        name: String,
        (context, parent): (TraceContext, Option<([u8; 8], bool)>),
        now: UnixMs,
    ) -> Self {
        let recorded = context.is_sampled().then(|| {
            let remote = match parent {
                Some((_, true)) => SpanFlags::ContextIsRemoteMask as u32,
                Some((_, false)) | None => 0,
            };
            let wire = Wire {
                trace_id: context.trace_id().to_vec(),
                span_id: context.span_id().to_vec(),
                trace_state: context.state().to_owned(),
                parent_span_id: parent.map(|(id, _)| id.to_vec()).unwrap_or_default(),
                flags: 1 | SpanFlags::ContextHasIsRemoteMask as u32 | remote,
                name,
                kind: match kind {
                    Kind::Server => SpanKind::Server,
                    Kind::Client => SpanKind::Client,
                }
                .into(),
                start_time_unix_nano: u64::try_from(now).unwrap_or_default() * 1_000_000,
                ..Wire::default()
            };
            Box::new((wire, otlp))
        });
        Self {
            context,
            begun: Instant::now(),
            recorded,
        }
    }

    /// Its place in the trace: the parent of what is done for it.
    #[must_use]
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// Since when it runs.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether what is said of it is written down.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Calls it something else.
    pub fn rename(&mut self, name: String) {
        if let Some(recorded) = &mut self.recorded {
            recorded.0.name = name;
        }
    }

    /// Says something of it. Texts are cut after 256 bytes.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let Some(recorded) = &mut self.recorded else {
            return;
        };
        let value = match value.into() {
            Value::Text(text) => any_value::Value::StringValue(cut(text)),
            Value::Number(number) => any_value::Value::IntValue(number),
            Value::Texts(texts) => any_value::Value::ArrayValue(ArrayValue {
                values: texts
                    .into_iter()
                    .map(|text| AnyValue {
                        value: Some(any_value::Value::StringValue(cut(text))),
                    })
                    .collect(),
            }),
        };
        recorded.0.attributes.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }

    /// It has failed, by an error of this type: a name of few, not a sentence.
    pub fn fail(&mut self, error_type: &str) {
        self.set("error.type", error_type);
        if let Some(recorded) = &mut self.recorded {
            recorded.0.status = Some(Status {
                code: StatusCode::Error.into(),
                message: String::new(),
            });
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(recorded) = self.recorded.take() else {
            return;
        };
        let (mut wire, otlp) = *recorded;
        let took = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        wire.end_time_unix_nano = wire.start_time_unix_nano.saturating_add(took);
        otlp.ended(wire);
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let mut end = MAX_TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}
