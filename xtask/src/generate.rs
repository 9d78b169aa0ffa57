//! `cargo xtask gen`: the gRPC code, from the `.proto` files, without `protoc`.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

const SOURCES: &str = "proto/proto";
const PACKAGE: &str = "ccag/v1";
/// How an attribute begins, after `#` or `#!`, that allows something.
const LEVEL: &str = "[allow(";

const COMMITTED: &str = "proto/src/gen/ccag.v1.rs";

/// Writes the generated code, or with `check` fails if it differs from what is committed.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
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
    let scratch = crate::tools::target_dir(root).join("gen");
    std::fs::create_dir_all(&scratch)?;
    tonic_prost_build::configure()
        .bytes(".")
        .out_dir(&scratch)
        .compile_fds(descriptors)
        .context("cannot generate Rust from the .proto files")?;
    let generated = scratch.join("ccag.v1.rs");
    let text = std::fs::read_to_string(&generated)?;
    std::fs::write(&generated, without_allowances(&text))?;
    let formatted = Command::new("rustfmt")
        .arg("--edition=2024")
        // Wherever the build products are: the project's own settings, or the result would depend on the folder.
        .arg("--config-path")
        .arg(root)
        .arg(&generated)
        .status()?;
    if !formatted.success() {
        bail!("rustfmt refused the generated code");
    }
    let fresh = std::fs::read_to_string(&generated)?;
    let committed = root.join(COMMITTED);
    if std::fs::read_to_string(&committed).is_ok_and(|old| old == fresh) {
        return Ok(());
    }
    if check {
        bail!("{COMMITTED} is not what the .proto files give: run `cargo xtask gen` and commit the result");
    }
    std::fs::create_dir_all(committed.parent().context("no parent folder")?)?;
    std::fs::write(&committed, fresh)?;
    Ok(())
}

/// The code without the lint levels that the generator writes into it: where it is included it says what is expected of
/// generated code, and no more than that is passed over.
fn without_allowances(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(LEVEL) {
        kept.push_str(before.trim_end_matches(['#', '!']));
        rest = after.split_once(")]").map_or("", |(_, after)| after);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lint_levels_are_left_out_and_nothing_else() {
        let code = format!(
            "mod a {{\n#!{LEVEL}\n    dead_code,\n)]\nuse b;\n#{LEVEL}x)]\nstruct C(D);\n#[derive(E)]\n}}"
        );
        let expected = "mod a {\n\nuse b;\n\nstruct C(D);\n#[derive(E)]\n}";
        assert_eq!(without_allowances(&code), expected);
        assert_eq!(without_allowances("nothing"), "nothing");
    }
}
