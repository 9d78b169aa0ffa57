//! The file: what an organisation's gateway is to be like.

use super::secrets;
use crate::error::CliError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// One object of a section, in the words of the file: names where the API has ids.
pub(super) type Item = Map<String, Value>;

/// The file, or several together. A section that is absent is not managed by it.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settings: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoints: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) teams: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) users: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budgets: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policies: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity_providers: Option<Vec<Item>>,
}

impl Document {
    /// Reads files, folders of files, and `-` for standard input, in the order given; a folder's files by name.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, CliError> {
        let mut all = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| CliError::Local {
                        what: "cannot read standard input".to_owned(),
                        error,
                    })?;
                all.add(Self::parse(&text, "standard input")?, "standard input")?;
                continue;
            }
            for file in files(path)? {
                let text =
                    std::fs::read_to_string(&file).map_err(|error| CliError::file("read", &file, error))?;
                let name = file.display().to_string();
                all.add(Self::parse(&text, &name)?, &name)?;
            }
        }
        all.resolve_secrets()?;
        Ok(all)
    }

    fn parse(text: &str, name: &str) -> Result<Self, CliError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| CliError::Usage(format!("{name}: {error}")))
    }

    /// Adds what another file says. Lists grow; a setting may be made once.
    fn add(&mut self, other: Self, name: &str) -> Result<(), CliError> {
        for (key, value) in other.settings.into_iter().flatten() {
            let settings = self.settings.get_or_insert_default();
            if settings.insert(key.clone(), value).is_some() {
                return Err(CliError::Usage(format!(
                    "{name}: `settings.{key}` stands in another file as well"
                )));
            }
        }
        for (mine, more) in [
            (&mut self.endpoints, other.endpoints),
            (&mut self.teams, other.teams),
            (&mut self.users, other.users),
            (&mut self.budgets, other.budgets),
            (&mut self.limits, other.limits),
            (&mut self.policies, other.policies),
            (&mut self.identity_providers, other.identity_providers),
        ] {
            if let Some(more) = more {
                mine.get_or_insert_default().extend(more);
            }
        }
        Ok(())
    }

    fn resolve_secrets(&mut self) -> Result<(), CliError> {
        let lists = [&mut self.endpoints, &mut self.identity_providers];
        for item in lists.into_iter().flatten().flatten() {
            secrets::resolve(item)?;
        }
        Ok(())
    }

    /// The section of that name.
    pub(super) fn section(&self, name: &str) -> Option<&[Item]> {
        match name {
            "endpoints" => self.endpoints.as_deref(),
            "teams" => self.teams.as_deref(),
            "users" => self.users.as_deref(),
            "budgets" => self.budgets.as_deref(),
            "limits" => self.limits.as_deref(),
            "policies" => self.policies.as_deref(),
            "identity_providers" => self.identity_providers.as_deref(),
            _ => None,
        }
    }
}

/// The file itself, or what is in the folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error| CliError::file("read", path, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if file.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(CliError::Usage(format!(
            "there is no file with the ending .yaml, .yml or .json in {}",
            path.display()
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_are_read_together_and_other_words_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.yaml",
            "teams:\n  - name: Platform\nsettings:\n  routing: {strategy: sticky}\n",
        );
        write("b.json", r#"{"teams": [{"name": "Research"}]}"#);
        write("c.txt", "not read");
        let paths = [folder.path().to_owned()];
        let read = Document::read(&paths).unwrap();
        assert_eq!(read.teams.unwrap().len(), 2);
        assert!(read.budgets.is_none());
        write("d.yml", "settings:\n  routing: {strategy: weighted}\n");
        let twice = Document::read(&paths).unwrap_err().to_string();
        assert!(twice.contains("settings.routing"), "{twice}");
        write("d.yml", "team:\n  - name: x\n");
        let unknown = Document::read(&paths).unwrap_err().to_string();
        assert!(unknown.contains("d.yml") && unknown.contains("team"), "{unknown}");
    }
}
