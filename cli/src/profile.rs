//! What is remembered between calls: `~/.ccag/config.json` and `~/.ccag/token`.

use crate::error::CliError;
use ccag_admin_api::Secret;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The gateway that was signed in to last.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
}

/// The folder that holds the files.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// `.ccag` in the user's home.
    pub(crate) fn of_user() -> Result<Self, CliError> {
        match std::env::home_dir() {
            Some(home) if !home.as_os_str().is_empty() => Ok(Self(home.join(".ccag"))),
            _ => Err(CliError::Usage(
                "there is no home directory to keep ~/.ccag in: set HOME".to_owned(),
            )),
        }
    }

    fn config(&self) -> PathBuf {
        self.0.join("config.json")
    }

    fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// Reads the profile; an empty one if there is none yet.
    pub(crate) fn profile(&self) -> Result<Profile, CliError> {
        let path = self.config();
        match read(&path)? {
            None => Ok(Profile::default()),
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| CliError::file("understand", &path, io::Error::from(error))),
        }
    }

    /// Reads the session token, if there is one.
    pub(crate) fn stored_token(&self) -> Result<Option<Secret>, CliError> {
        let text = read(&self.token())?.unwrap_or_default();
        let text = text.trim();
        Ok((!text.is_empty()).then(|| Secret::new(text)))
    }

    /// Remembers a session. The old token goes before the address changes, so that none ever stands beside an address that
    /// it is not for.
    pub(crate) fn remember(&self, profile: &Profile, token: &Secret) -> Result<(), CliError> {
        make_private(&self.0).map_err(|error| CliError::file("create", &self.0, error))?;
        self.forget_token()?;
        let json = serde_json::to_string_pretty(profile).map_err(io::Error::from)?;
        replace(&self.config(), &format!("{json}\n"))?;
        replace(&self.token(), &format!("{}\n", token.reveal()))
    }

    /// Forgets the session, if there is one.
    pub(crate) fn forget_token(&self) -> Result<(), CliError> {
        let path = self.token();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CliError::file("delete", &path, error))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, CliError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::file("read", path, error)),
    }
}

/// Writes a file that only the user can read, whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = create_private(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path));
    written.map_err(|error| {
        // It may not be there; either way the first error is the one to tell.
        let _ = fs::remove_file(&new);
        CliError::file("write", path, error)
    })
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Not what a crashed call left behind: its mode is not known.
    let _ = fs::remove_file(path);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<fs::File> {
    fs::File::create(path)
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}
