//! Certificates that are as wrong as a test wants them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate that signs itself, and its key.
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Makes one for these names (`DNS:localhost`), good for so many days.
pub(super) fn pair(dir: &Path, name: &str, names: &str, days: u32) -> Pair {
    let at = |end: &str| dir.join(format!("{name}.{end}"));
    let config = format!(
        "[req]\ndistinguished_name = dn\nx509_extensions = v3\n[dn]\n[v3]\nbasicConstraints = CA:FALSE\nsubjectAltName = {names}\n"
    );
    std::fs::write(at("cnf"), config).unwrap();
    let done = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=test",
        ])
        .arg("-days")
        .arg(days.to_string())
        .arg("-config")
        .arg(at("cnf"))
        .arg("-keyout")
        .arg(at("key"))
        .arg("-out")
        .arg(at("pem"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Pair {
        certificate: at("pem"),
        key: at("key"),
    }
}
