//! Policies: which models people may use, and what their Claude Code is told.
//!
//! The models are enforced by data planes, to whom they are pushed. The settings are what Claude Code takes as its managed
//! settings: of a person everything that the policies about them say is merged, the one with the higher priority having the
//! last word.

use super::budgets::check;
use super::{App, Changed, authority, duplicate, not_found, validate};
use crate::store::Tx;
use crate::store::entity::{policy, user};
use crate::store::rows::{groups, read};
use ccag_admin_api::{ManagedSettings, PolicyPreview, PolicyView, Timestamp, WritePolicy};
use ccag_domain::policy::model_policy;
use ccag_domain::{
    Actor, Area, Code, ModelName, ModelPolicy, ObjectKind, Permission, PolicyId, PolicyMatch, PolicySubject,
    Problem, Role, TeamId, UserId,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The largest settings, in bytes of JSON, and how deep they may be.
const MAX_SETTINGS: usize = 256 << 10;
const MAX_DEPTH: usize = 24;

/// The longest list of whom a policy is about, and of models.
const MAX_LIST: usize = 500;

fn view(row: &policy::Model) -> Result<PolicyView, Problem> {
    const T: &str = "policies";
    Ok(PolicyView {
        id: read(T, "id", PolicyId::parse(&row.id).ok())?,
        name: row.name.clone(),
        priority: row.priority,
        subject: read(T, "subject", serde_json::from_str(&row.subject).ok())?,
        models: read(T, "models", serde_json::from_str(&row.models).ok())?,
        settings: read(T, "settings", serde_json::from_str(&row.settings).ok())?,
        version: row.version,
        created_at: Timestamp::from_ms(row.created_at_ms),
        updated_at: Timestamp::from_ms(row.updated_at_ms),
    })
}

/// All policies, those that have the last word first.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<PolicyView>, Problem> {
    actor.require_all(Permission::Read(Area::Policies))?;
    app.store.list_policies().await?.iter().map(view).collect()
}

/// Finds a policy.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn find(app: &App, actor: &Actor, id: &PolicyId) -> Result<PolicyView, Problem> {
    actor.require_all(Permission::Read(Area::Policies))?;
    let row = app.store.find_policy(id.as_str()).await?;
    view(&row.ok_or_else(|| missing(id))?)
}

/// Adds a policy.
///
/// # Errors
/// [`Code::InvalidRequest`] if a field is no good, [`Code::Conflict`] if the name is taken.
pub async fn create(app: &App, actor: &Actor, request: WritePolicy) -> Result<PolicyView, Problem> {
    actor.require_all(Permission::Change(Area::Policies))?;
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let row = policy::Model {
        id: PolicyId::generate(&*app.clock, &*app.rng).to_string(),
        name: String::new(),
        name_key: String::new(),
        priority: 0,
        subject: String::new(),
        models: String::new(),
        settings: String::new(),
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    let row = written(app, &tx, row, request).await?;
    tx.insert_policy(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    let entry = app.audit(
        actor,
        "policy.create",
        ObjectKind::ModelPolicy,
        &row.id,
        Changed::created(&details(&row)),
    );
    tx.commit(now, entry).await?;
    view(&row)
}

/// Replaces a policy by its next version.
///
/// # Errors
/// As [`create`], and [`Code::NotFound`].
pub async fn update(
    app: &App,
    actor: &Actor,
    id: &PolicyId,
    request: WritePolicy,
) -> Result<PolicyView, Problem> {
    actor.require_all(Permission::Change(Area::Policies))?;
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let before = tx.find_policy(id.as_str()).await?.ok_or_else(|| missing(id))?;
    let mut row = written(app, &tx, before.clone(), request).await?;
    row.version += 1;
    row.updated_at_ms = now;
    tx.update_policy(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    let changed = Changed::updated(&details(&before), &details(&row));
    let entry = app.audit(actor, "policy.update", ObjectKind::ModelPolicy, &row.id, changed);
    tx.commit(now, entry).await?;
    view(&row)
}

/// Deletes a policy.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(app: &App, actor: &Actor, id: &PolicyId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Policies))?;
    let mut tx = app.store.change().await?;
    let row = tx.find_policy(id.as_str()).await?.ok_or_else(|| missing(id))?;
    tx.delete_policy(id.as_str()).await?;
    let entry = app.audit(
        actor,
        "policy.delete",
        ObjectKind::ModelPolicy,
        &row.id,
        Changed::deleted(&details(&row)),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// What the policies say to and of a user.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Forbidden`] for members about others.
pub async fn preview(app: &App, actor: &Actor, id: &UserId) -> Result<PolicyPreview, Problem> {
    let row = app.store.find_user(id.as_str()).await?;
    let row = authority::reached(actor, Permission::Read(Area::Users), id, row)?;
    let about = about(app, &row).await?;
    let by_models = model_policy(&about.models, &Who::of(&row)?.subject()).cloned();
    Ok(PolicyPreview {
        policies: about.views.iter().map(|policy| policy.name.clone()).collect(),
        models: by_models
            .as_ref()
            .map(|policy| policy.models.iter().map(ToString::to_string).collect()),
        models_by: by_models.map(|policy| policy.name),
        settings: about.document(&row)?,
    })
}

/// The managed settings of a user; `None` if no policy says anything of settings or models.
pub(crate) async fn settings_of(app: &App, user: &user::Model) -> Result<Option<ManagedSettings>, Problem> {
    about(app, user).await?.document(user)
}

/// The policies about somebody, those that have the last word last.
struct About {
    views: Vec<PolicyView>,
    models: Vec<ModelPolicy>,
}

/// Somebody, as policies see them, with what is borrowed from.
struct Who {
    team_id: Option<TeamId>,
    groups: Vec<String>,
    role: Option<Role>,
    email_domain: Option<String>,
}

impl Who {
    fn of(row: &user::Model) -> Result<Self, Problem> {
        let email = row.email.as_deref().and_then(|email| email.rsplit_once('@'));
        Ok(Self {
            team_id: row.team_id.as_deref().and_then(|id| TeamId::parse(id).ok()),
            groups: groups(row)?,
            role: Role::parse(&row.role),
            email_domain: email.map(|(_, domain)| domain.to_lowercase()),
        })
    }

    fn subject(&self) -> PolicySubject<'_> {
        PolicySubject {
            team_id: self.team_id.as_ref(),
            groups: &self.groups,
            role: self.role,
            email_domain: self.email_domain.as_deref(),
        }
    }
}

async fn about(app: &App, row: &user::Model) -> Result<About, Problem> {
    let who = Who::of(row)?;
    let mut views = Vec::new();
    for row in app.store.list_policies().await? {
        let policy = view(&row)?;
        if policy.subject.is_about(&who.subject()) {
            views.push(policy);
        }
    }
    views.reverse();
    let models = views.iter().filter_map(of_models).collect();
    Ok(About { views, models })
}

fn of_models(policy: &PolicyView) -> Option<ModelPolicy> {
    let models = policy.models.as_ref()?;
    Some(ModelPolicy {
        id: policy.id.clone(),
        name: policy.name.clone(),
        priority: policy.priority,
        subject: policy.subject.clone(),
        models: models.iter().map(|name| ModelName::canonical(name)).collect(),
    })
}

impl About {
    fn document(&self, row: &user::Model) -> Result<Option<ManagedSettings>, Problem> {
        let mut said = self.views.iter().filter_map(|policy| policy.settings.as_ref());
        let mut merged = said.next().cloned();
        for more in said {
            merge(merged.get_or_insert_default(), more);
        }
        if let Some(policy) = model_policy(&self.models, &Who::of(row)?.subject()) {
            offer_only(&policy.models, &mut merged);
        }
        Ok(merged.map(|merged| {
            let settings = Value::Object(merged);
            let checksum = checksum(&settings);
            ManagedSettings {
                uuid: uuid(&checksum),
                checksum,
                settings,
            }
        }))
    }
}

/// Has Claude Code offer the models that somebody may use and no others, unless the settings say themselves which it offers
/// (its settings `availableModels`, `availableModelsMatch` and `enforceAvailableModels`). Of a policy that allows none it is
/// told nothing: an empty list would leave it the model that it begins with.
fn offer_only(models: &[ModelName], settings: &mut Option<Map<String, Value>>) {
    const LIST: &str = "availableModels";
    let says_so = settings
        .as_ref()
        .is_some_and(|settings| settings.contains_key(LIST));
    if models.is_empty() || says_so {
        return;
    }
    let settings = settings.get_or_insert_default();
    let names = models.iter().map(|name| Value::from(name.as_str())).collect();
    settings.insert(LIST.to_owned(), Value::Array(names));
    for (name, value) in [
        ("availableModelsMatch", Value::from("exact")),
        // What it begins with is one of them, too.
        ("enforceAvailableModels", Value::from(true)),
    ] {
        settings.entry(name).or_insert(value);
    }
}

/// Lays settings over others: objects are merged, lists get what they do not have yet, anything else is replaced.
fn merge(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (under.get_mut(name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (Some(Value::Array(under)), Value::Array(over)) => {
                for item in over {
                    if !under.contains(item) {
                        under.push(item.clone());
                    }
                }
            }
            _ => {
                under.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The checksum of settings as Claude Code computes it: SHA-256 of the JSON without spaces, the keys in order at every level.
fn checksum(settings: &Value) -> String {
    format!(
        "sha256:{}",
        hex::encode(Sha256::digest(sorted(settings).to_string()))
    )
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            // The client's language puts text in order by UTF-16 units.
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            Value::Object(
                entries
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A name for settings that is the same as long as they are (RFC 9562 §5.8).
fn uuid(checksum: &str) -> String {
    let digits = checksum.trim_start_matches("sha256:");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

async fn written(
    app: &App,
    tx: &Tx,
    mut row: policy::Model,
    request: WritePolicy,
) -> Result<policy::Model, Problem> {
    row.name = validate::name("name", &request.name)?;
    row.name_key = row.name.to_lowercase();
    row.priority = request.priority.unwrap_or(0);
    let subject = checked(tx, request.subject).await?;
    let models = match &request.models {
        Some(names) if names.len() > MAX_LIST => {
            return Err(invalid(
                "models",
                format!("A list has at most {MAX_LIST} entries."),
            ));
        }
        Some(names) => Some(check::models(app, "models", names).await?),
        None => None,
    };
    if let Some(settings) = &request.settings {
        let size = serde_json::to_vec(settings).map_or(0, |json| json.len());
        if size > MAX_SETTINGS {
            return Err(invalid(
                "settings",
                "The settings have more than 256 KiB.".to_owned(),
            ));
        }
        if settings.values().any(|value| depth(value) > MAX_DEPTH) {
            return Err(invalid(
                "settings",
                "The settings are nested too deeply.".to_owned(),
            ));
        }
    }
    let json =
        |value: serde_json::Result<String>| value.map_err(|error| invalid("settings", error.to_string()));
    row.subject = json(serde_json::to_string(&subject))?;
    row.models = json(serde_json::to_string(&models))?;
    row.settings = json(serde_json::to_string(&request.settings))?;
    Ok(row)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

async fn checked(tx: &Tx, mut subject: PolicyMatch) -> Result<PolicyMatch, Problem> {
    let longest = [
        subject.team_ids.len(),
        subject.groups.len(),
        subject.roles.len(),
        subject.email_domains.len(),
    ];
    if longest.into_iter().any(|length| length > MAX_LIST) {
        return Err(invalid(
            "match",
            format!("A list has at most {MAX_LIST} entries."),
        ));
    }
    for team in &subject.team_ids {
        if tx.find_team(team.as_str()).await?.is_none() {
            return Err(invalid("match.team_ids", format!("There is no team `{team}`.")));
        }
    }
    for group in &mut subject.groups {
        *group = validate::name("match.groups", group)?;
    }
    for domain in &mut subject.email_domains {
        let name = validate::name("match.email_domains", domain)?;
        name.trim_start_matches('@').to_lowercase().clone_into(domain);
    }
    Ok(subject)
}

fn details(row: &policy::Model) -> Value {
    let parsed = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
    json!({
        "name": row.name,
        "priority": row.priority,
        "match": parsed(&row.subject),
        "models": parsed(&row.models),
        "settings": parsed(&row.settings),
    })
}

fn taken(error: crate::store::StoreError, name: &str) -> Problem {
    duplicate(
        error,
        || format!("There is a policy named `{name}` already. Choose another name."),
        "name",
    )
}

fn invalid(field: &str, message: String) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

fn missing(id: &PolicyId) -> Problem {
    not_found("policy", id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_clients() {
        assert_eq!(
            checksum(&json!({})),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        let one = json!({"b": {"z": 1, "a": ["x", {"d": null, "c": true}]}, "a": "ü"});
        let other = json!({"a": "ü", "b": {"a": ["x", {"c": true, "d": null}], "z": 1}});
        assert_eq!(checksum(&one), checksum(&other));
        assert_eq!(
            sorted(&one).to_string(),
            r#"{"a":"ü","b":{"a":["x",{"c":true,"d":null}],"z":1}}"#
        );
        assert_eq!(uuid(&checksum(&json!({}))).len(), 36);
    }

    #[test]
    fn the_last_word_counts_and_lists_grow() {
        let mut under = json!({"env": {"A": "1", "B": "2"}, "permissions": {"deny": ["x"]}, "model": "a"})
            .as_object()
            .unwrap()
            .clone();
        let over = json!({"env": {"B": "3"}, "permissions": {"deny": ["x", "y"]}, "model": "b"});
        merge(&mut under, over.as_object().unwrap());
        assert_eq!(
            Value::Object(under),
            json!({"env": {"A": "1", "B": "3"}, "permissions": {"deny": ["x", "y"]}, "model": "b"})
        );
    }
}
