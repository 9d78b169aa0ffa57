//! What has been released of the contract between the planes, held against what there is now: planes of two releases in a row
//! have to understand each other, in both directions.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::Path;

const SOURCES: &str = "proto/proto";
const PACKAGE: &str = "ccag/v1";

/// Everything that the last release has said, one thing a line.
const RELEASED: &str = "proto/released.txt";

/// What the `.proto` files say, one thing a line: a field with its number, name, type and label, a value of an enumeration, a
/// call with what goes in and what comes out.
fn lines(root: &Path) -> Result<BTreeSet<String>> {
    let sources = root.join(SOURCES);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(sources.join(PACKAGE))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    let descriptors = protox::compile(files, [&sources]).context("the .proto files do not compile")?;
    let mut lines = BTreeSet::new();
    for file in &descriptors.file {
        let package = file.package();
        let mut enums: Vec<_> = file.enum_type.iter().map(|e| (package.to_owned(), e)).collect();
        let mut open: Vec<_> = file
            .message_type
            .iter()
            .map(|m| (package.to_owned(), m))
            .collect();
        while let Some((parent, message)) = open.pop() {
            let name = format!("{parent}.{}", message.name());
            lines.insert(format!("message {name}"));
            for field in &message.field {
                let kind = if field.type_name().is_empty() {
                    format!("{:?}", field.r#type())
                } else {
                    field.type_name().to_owned()
                };
                // A field that moves into or out of a `oneof` is another one to older readers.
                let choice = field.oneof_index.filter(|_| !field.proto3_optional());
                let choice = choice.and_then(|i| message.oneof_decl.get(usize::try_from(i).ok()?));
                lines.insert(format!(
                    "field {name} {} {} {kind} {:?}{}",
                    field.number(),
                    field.name(),
                    field.label(),
                    choice.map_or_else(String::new, |choice| format!(" in {}", choice.name()))
                ));
            }
            open.extend(message.nested_type.iter().map(|m| (name.clone(), m)));
            enums.extend(message.enum_type.iter().map(|e| (name.clone(), e)));
        }
        for (parent, one) in enums {
            for value in &one.value {
                lines.insert(format!(
                    "value {parent}.{} {} {}",
                    one.name(),
                    value.number(),
                    value.name()
                ));
            }
        }
        for service in &file.service {
            for call in &service.method {
                lines.insert(format!(
                    "call {package}.{}.{} {}{} -> {}{}",
                    service.name(),
                    call.name(),
                    if call.client_streaming() { "stream " } else { "" },
                    call.input_type(),
                    if call.server_streaming() { "stream " } else { "" },
                    call.output_type()
                ));
            }
        }
    }
    Ok(lines)
}

/// What was released and is not said any more, or said otherwise.
fn broken<'a>(released: &'a str, now: &BTreeSet<String>) -> Vec<&'a str> {
    let said = released
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    said.filter(|line| !now.contains(*line)).collect()
}

/// Fails if something that was released has been taken away or changed.
pub(crate) fn check(root: &Path) -> Result<()> {
    let released =
        std::fs::read_to_string(root.join(RELEASED)).with_context(|| format!("cannot read {RELEASED}"))?;
    let broken = broken(&released, &lines(root)?);
    if !broken.is_empty() {
        bail!(
            "planes of the last release would not be understood. These are in {RELEASED}, and not in the .proto files any \
             more:\n  {}\nAdd a field instead of changing one; see docs/upgrade.md",
            broken.join("\n  ")
        );
    }
    Ok(())
}

/// Writes down what there is now as released.
pub(crate) fn release(root: &Path) -> Result<()> {
    let mut text = "# What planes of the last release say to each other. Written by `cargo xtask gen --release` for a release.\n".to_owned();
    for line in lines(root)? {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(std::fs::write(root.join(RELEASED), text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_no_breach_and_what_is_changed_is() {
        let now: BTreeSet<String> = ["field a 1 x", "field a 2 y"].map(str::to_owned).into();
        assert!(broken("# words\n\nfield a 1 x\n", &now).is_empty());
        assert_eq!(broken("field a 1 x\nfield a 2 z\n", &now), ["field a 2 z"]);
    }

    #[test]
    fn the_contract_is_read_in_full() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let lines = lines(root).unwrap();
        for part in [
            "call ccag.v1.Config.Watch stream",
            "message ccag.v1.UsageRecord",
            "field ccag.v1.KeyGrant 1 ",
        ] {
            assert!(lines.iter().any(|line| line.starts_with(part)), "{part}");
        }
    }
}
