//! Which models a caller may use by the policies about them, whatever their team's routes allow.

use crate::sync::ConfigView;
use ccag_domain::{Caller, Code, ModelName, PolicySubject, Problem};

/// How many models a refusal names.
const NAMED: usize = 8;

/// Whether a caller may use a model.
///
/// # Errors
/// [`Code::PolicyBlocked`], with the policy and what it allows.
pub(crate) fn check(view: &ConfigView, caller: &Caller, model: &ModelName) -> Result<(), Problem> {
    let user = caller.user_id.as_ref().and_then(|id| view.user(id));
    let team = caller.team_id.as_ref();
    let who = user.map_or_else(
        || PolicySubject {
            team_id: team,
            ..PolicySubject::default()
        },
        |user| user.as_subject(team),
    );
    let Some(policy) = view
        .policies()
        .of(&who)
        .filter(|policy| !policy.models.contains(model))
    else {
        return Ok(());
    };
    let mut names: Vec<&str> = policy.models.iter().take(NAMED).map(ModelName::as_str).collect();
    if policy.models.len() > NAMED {
        names.push("…");
    }
    let instead = if names.is_empty() {
        "It allows no model; ask an administrator.".to_owned()
    } else {
        format!("Choose one of {}, or ask an administrator.", names.join(", "))
    };
    let message = format!(
        "model: {model} is not allowed for you by the policy `{}`. {instead}",
        policy.name
    );
    Err(Problem::new(Code::PolicyBlocked, message).field("model"))
}
