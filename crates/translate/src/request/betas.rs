//! Betas: from the header and the body into the body, as the profile says.

use super::plan::Plan;
use crate::json::Value;
use crate::noticed::DroppedKind;
use crate::profile::Action;
use ccag_domain::Problem;

/// All betas that a request names, in order and once.
pub(crate) fn requested<'r>(headers: &[&'r str], root: Value<'r>) -> Vec<std::borrow::Cow<'r, str>> {
    let mut names: Vec<std::borrow::Cow<'r, str>> = Vec::new();
    let mut add = |name: std::borrow::Cow<'r, str>| {
        if !name.is_empty() && name.len() <= 256 && names.len() < 256 && !names.contains(&name) {
            names.push(name);
        }
    };
    for header in headers {
        for name in header.split(',') {
            add(name.trim().into());
        }
    }
    for field in ["anthropic_beta", "betas"] {
        for name in root.get(field).into_iter().flat_map(Value::elements) {
            if let Some(name) = name.text() {
                add(name);
            }
        }
    }
    names
}

impl Plan<'_> {
    /// The betas to send: those asked for that Bedrock takes, and those that what is sent needs.
    pub(crate) fn betas(&mut self, requested: &[std::borrow::Cow<'_, str>]) -> Result<Vec<String>, Problem> {
        let profile = self.profile;
        let mut send: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if !send.iter().any(|s| s == name) {
                send.push(name.to_owned());
            }
        };
        for name in requested {
            let row = profile.betas.find_for(name, self.features, None);
            match row.map(|row| (row.action, row)) {
                Some((Action::Keep | Action::Move, _)) => {
                    self.goes_by(row, DroppedKind::Beta, name);
                    add(name);
                }
                Some((Action::Rewrite | Action::Emulate, row)) => add(row.to.as_deref().unwrap_or(name)),
                Some((Action::Refuse, row)) => return Err(row.problem(name)),
                Some((Action::Drop, _)) | None => self.left_out_by(row, DroppedKind::Beta, name),
            }
        }
        let mut decided: Vec<&str> = Vec::new();
        for row in profile.add_betas.rows() {
            if row.needs.is_some_and(|feature| self.features.has(feature))
                && !decided.contains(&row.name.as_str())
            {
                decided.push(&row.name);
                if row.action != Action::Drop {
                    add(&row.name);
                }
            }
        }
        Ok(send)
    }
}
