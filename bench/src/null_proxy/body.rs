//! The body for Bedrock: the client's own bytes, with `anthropic_version` in place of `model` and `stream`.

use anyhow::Context;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What was asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) body: Vec<u8>,
}

/// The fields of an object in their order, each with its own spelling.
struct Fields<'b>(Vec<(Cow<'b, str>, &'b RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// # Errors
/// If it is no request.
pub(super) fn splice(received: &[u8]) -> anyhow::Result<Asked> {
    let Fields(fields) = serde_json::from_slice(received).context("the body is no JSON object")?;
    let (mut model, mut stream) = (None, false);
    let mut body = Vec::with_capacity(received.len() + 64);
    body.extend_from_slice(br#"{"anthropic_version":"bedrock-2023-05-31""#);
    for (name, value) in fields {
        match &*name {
            "model" => model = Some(serde_json::from_str(value.get())?),
            "stream" => stream = value.get() == "true",
            name => {
                body.extend_from_slice(b",\"");
                body.extend_from_slice(name.as_bytes());
                body.extend_from_slice(b"\":");
                body.extend_from_slice(value.get().as_bytes());
            }
        }
    }
    body.push(b'}');
    Ok(Asked {
        model: model.context("no model")?,
        stream,
        body,
    })
}
