//! What Bedrock takes: versions of the rules, admins' own rules, what was learnt, and what was left out or is unknown.
//!
//! A version is never changed. Whatever changes the rules (a rule of an admin's, or a release with newer ones) makes a new
//! version; conversations that are running keep to theirs, so the last versions are kept and pushed too.

use super::{App, Changed, not_found, notifications};
use crate::store::entity::{capability_book, capability_rule};
use crate::store::{Seen, Tx, rows};
use ccag_admin_api::{
    BookView, CapabilitiesView, FactView, RuleView, SeenView, SurfaceView, Timestamp, WriteRule,
};
use ccag_domain::{Actor, Area, Code, LearntFact, ObjectKind, Permission, Problem, RuleId};
use ccag_translate::profile::{RuleBook, overlaid};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// So many versions of each surface are kept.
const KEPT_VERSIONS: i64 = 20;

/// So many rules an admin can lay over those of a surface.
const MAX_RULES: usize = 500;

/// A rule may be so long.
const MAX_RULE_BYTES: usize = 8_192;

/// Everything at a glance.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn view(app: &App, actor: &Actor) -> Result<CapabilitiesView, Problem> {
    actor.require_all(Permission::Read(Area::Capabilities))?;
    let mut surfaces: Vec<SurfaceView> = Vec::new();
    let store = &app.store;
    let (books, rules, learnt, endpoints, seen) = tokio::try_join!(
        store.list_books(),
        store.list_rules(),
        store.list_facts(),
        store.list_endpoints(),
        store.list_seen()
    )?;
    for row in books {
        let book = BookView {
            version: row.version.clone(),
            made_at: Timestamp::from_ms(row.made_at_ms),
            made_by: row.made_by,
            reason: row.reason,
        };
        match surfaces.last_mut().filter(|last| last.surface == row.surface) {
            Some(surface) => surface.versions.push(book),
            None => surfaces.push(SurfaceView {
                surface: row.surface,
                version: row.version,
                versions: vec![book],
            }),
        }
    }
    let name_of = |id: &str| {
        endpoints
            .iter()
            .find(|row| row.id == id)
            .map(|row| row.name.clone())
    };
    Ok(CapabilitiesView {
        surfaces,
        rules: rules.iter().filter_map(rule_view).collect(),
        learnt: learnt
            .into_iter()
            .filter_map(|row| {
                let fact = rows::fact(&row).ok()?;
                Some(FactView {
                    id: row.id,
                    endpoint_name: name_of(fact.endpoint_id.as_str()),
                    endpoint_id: fact.endpoint_id,
                    bedrock_model: fact.bedrock_model,
                    surface: fact.surface,
                    version: fact.version,
                    kind: fact.kind,
                    value: fact.value,
                    learnt_at: Timestamp::from_ms(fact.learnt_at_ms),
                })
            })
            .collect(),
        seen: seen
            .into_iter()
            .map(|row| SeenView {
                kind: row.kind,
                name: row.name,
                known: row.known,
                count: u64::try_from(row.count).unwrap_or(0),
                first_seen_at: Timestamp::from_ms(row.first_seen_ms),
                last_seen_at: Timestamp::from_ms(row.last_seen_ms),
            })
            .collect(),
    })
}

fn rule_view(row: &capability_rule::Model) -> Option<RuleView> {
    Some(RuleView {
        id: RuleId::parse(&row.id).ok()?,
        surface: row.surface.clone(),
        table: row.book_table.clone(),
        rule: serde_json::from_str(&row.rule).ok()?,
        changed_at: Timestamp::from_ms(row.changed_at_ms),
        changed_by: row.changed_by.clone(),
    })
}

/// The rules of a surface, whole: those in force, or those of a version.
///
/// # Errors
/// [`Code::NotFound`] if there is no such surface or version, [`Code::Forbidden`] for members.
pub async fn book(app: &App, actor: &Actor, surface: &str, version: Option<&str>) -> Result<Value, Problem> {
    actor.require_all(Permission::Read(Area::Capabilities))?;
    let books = app.store.list_books().await?;
    let found = books
        .iter()
        .find(|row| row.surface == surface && version.is_none_or(|version| row.version == version));
    let row = found.ok_or_else(|| not_found("version of the rules", version.unwrap_or(surface)))?;
    serde_json::from_str(&row.rules)
        .map_err(|_| Problem::new(Code::Internal, "the stored rules cannot be read"))
}

/// Lays a rule over those of a surface.
///
/// # Errors
/// [`Code::InvalidRequest`] if the rule makes no sense, [`Code::Forbidden`] for members.
pub async fn add_rule(app: &App, actor: &Actor, request: WriteRule) -> Result<RuleView, Problem> {
    actor.require_all(Permission::Change(Area::Capabilities))?;
    let tx = app.store.change().await?;
    tx.serialize().await?;
    if tx.list_rules_of(&request.surface).await?.len() >= MAX_RULES {
        let text = format!("There are {MAX_RULES} rules already; take away those that are no longer needed.");
        return Err(Problem::new(Code::InvalidRequest, text));
    }
    let id = RuleId::generate(&*app.clock, &*app.rng);
    write_rule(app, actor, tx, id, request, None).await
}

/// Replaces a rule.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidRequest`] if the rule makes no sense or is for another surface, [`Code::Forbidden`]
/// for members.
pub async fn replace_rule(
    app: &App,
    actor: &Actor,
    id: &RuleId,
    request: WriteRule,
) -> Result<RuleView, Problem> {
    actor.require_all(Permission::Change(Area::Capabilities))?;
    let tx = app.store.change().await?;
    tx.serialize().await?;
    let old = tx.find_rule(id.as_str()).await?;
    let old = old.ok_or_else(|| not_found("rule", id.as_str()))?;
    if old.surface != request.surface {
        let text = format!(
            "This rule is for `{}`; add another one for another surface.",
            old.surface
        );
        return Err(Problem::new(Code::InvalidRequest, text).field("surface"));
    }
    write_rule(app, actor, tx, id.clone(), request, Some(old)).await
}

async fn write_rule(
    app: &App,
    actor: &Actor,
    mut tx: Tx,
    id: RuleId,
    request: WriteRule,
    before: Option<capability_rule::Model>,
) -> Result<RuleView, Problem> {
    let text = request.rule.to_string();
    if text.len() > MAX_RULE_BYTES {
        let text = format!("A rule has at most {MAX_RULE_BYTES} bytes.");
        return Err(Problem::new(Code::InvalidRequest, text).field("rule"));
    }
    let row = capability_rule::Model {
        id: id.to_string(),
        surface: request.surface,
        book_table: request.table,
        rule: text,
        changed_at_ms: app.now_ms(),
        changed_by: who(actor),
    };
    tx.upsert_rule(row.clone()).await?;
    let named = request.rule.get("name").and_then(Value::as_str).unwrap_or("");
    let reason = format!("rule for `{named}` in `{}`", row.book_table);
    publish(app, &mut tx, actor, &row.surface, &reason).await?;
    let (action, details) = match &before {
        Some(before) => ("capability.rule.replace", Changed::updated(before, &row)),
        None => ("capability.rule.add", Changed::created(&row)),
    };
    let entry = app.audit(actor, action, ObjectKind::CapabilityBook, id.as_str(), details);
    tx.commit(app.now_ms(), entry).await?;
    rule_view(&row).ok_or_else(|| Problem::new(Code::Internal, "the rule cannot be shown"))
}

/// Takes a rule away.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn delete_rule(app: &App, actor: &Actor, id: &RuleId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Capabilities))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let old = tx.find_rule(id.as_str()).await?;
    let old = old.ok_or_else(|| not_found("rule", id.as_str()))?;
    tx.delete_rule(id.as_str()).await?;
    publish(app, &mut tx, actor, &old.surface, "a rule was taken away").await?;
    let details = Changed::deleted(&old);
    let entry = app.audit(
        actor,
        "capability.rule.delete",
        ObjectKind::CapabilityBook,
        id.as_str(),
        details,
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Forgets something that was learnt: the next conversation tries it again.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn forget(app: &App, actor: &Actor, id: &str) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Capabilities))?;
    let mut tx = app.store.change().await?;
    let row = tx.find_fact(id).await?;
    let row = row.ok_or_else(|| not_found("lesson", id))?;
    tx.delete_fact(id).await?;
    let details = Changed::deleted(&row);
    let entry = app.audit(actor, "capability.forget", ObjectKind::LearntFact, id, details);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Takes in what data planes have learnt.
///
/// # Errors
/// [`Code::Unavailable`] without a database: the data planes say it again.
pub async fn learn(app: &App, facts: Vec<LearntFact>) -> Result<(), Problem> {
    if facts.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.change().await?;
    let mut news = Vec::new();
    for fact in facts {
        if tx.insert_fact(&fact).await? {
            news.push(json!({"endpoint_id": fact.endpoint_id, "model": fact.bedrock_model, "kind": fact.kind, "value": fact.value}));
        }
    }
    if !news.is_empty() {
        let details = Changed::created(&json!({ "facts": news }));
        let entry = app.audit(
            &Actor::System,
            "capability.learn",
            ObjectKind::LearntFact,
            "",
            details,
        );
        tx.commit(app.now_ms(), entry).await?;
    }
    Ok(())
}

/// Takes in counts of what was left out or is unknown.
///
/// # Errors
/// [`Code::Unavailable`] without a database: these counts are lost.
pub(crate) async fn count(app: &App, seen: Vec<Seen>) -> Result<(), Problem> {
    if !seen.is_empty() {
        app.store.add_seen(seen, app.now_ms()).await?;
    }
    Ok(())
}

/// Publishes the rules that this release ships where they are newer than what is in force. Rules of an admin's that do not
/// fit the new ones are reported, and what is in force stays.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub(super) async fn seed(app: &App) -> Result<(), Problem> {
    for surface in RuleBook::surfaces() {
        let (version, digest) = shipped(surface)?;
        let mut tx = app.store.change().await?;
        tx.serialize().await?;
        let newest = tx.find_newest_book(surface).await?;
        let is_news = newest.is_none_or(|row| {
            version > row.shipped_version || (version == row.shipped_version && digest != row.shipped_digest)
        });
        if !is_news {
            continue;
        }
        let reason = format!("shipped with CCAG {}", super::VERSION);
        match publish(app, &mut tx, &Actor::System, surface, &reason).await {
            Ok(()) => {}
            Err(problem) if problem.code == Code::InvalidRequest => {
                tracing::error!(
                    surface,
                    reason = problem.message,
                    "the rules of this release do not go together with an admin's own; the rules in force stay"
                );
                drop(tx);
                let event = notifications::misfit(app, surface, &version, &problem.message);
                app.store.raise(&[event]).await?;
                continue;
            }
            Err(problem) => return Err(problem),
        }
        let details = json!({"surface": surface, "version": version});
        let entry = app.audit(
            &Actor::System,
            "capability.seed",
            ObjectKind::CapabilityBook,
            surface,
            details,
        );
        tx.commit(app.now_ms(), entry).await?;
    }
    Ok(())
}

/// Version and digest of the rules that this release ships.
fn shipped(surface: &str) -> Result<(String, String), Problem> {
    let rules = RuleBook::shipped(surface).ok_or_else(|| unknown_surface(surface))?;
    let book = RuleBook::from_json(rules.as_bytes())
        .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let digest = Sha256::digest(rules.as_bytes());
    Ok((
        book.version().to_owned(),
        digest.iter().map(|b| format!("{b:02x}")).collect(),
    ))
}

fn unknown_surface(surface: &str) -> Problem {
    let known: Vec<&str> = RuleBook::surfaces().collect();
    let text = format!("There is no surface `{surface}`; there is {}.", known.join(", "));
    Problem::new(Code::InvalidRequest, text).field("surface")
}

/// Makes the next version of a surface's rules.
async fn publish(app: &App, tx: &mut Tx, actor: &Actor, surface: &str, reason: &str) -> Result<(), Problem> {
    let (shipped_version, shipped_digest) = shipped(surface)?;
    let shipped = RuleBook::shipped(surface).ok_or_else(|| unknown_surface(surface))?;
    let sequence = tx
        .find_newest_book(surface)
        .await?
        .map_or(1, |row| row.sequence + 1);
    let own = tx.list_rules_of(surface).await?;
    let version = if sequence == 1 && own.is_empty() {
        shipped_version.clone()
    } else {
        format!("{shipped_version}+{sequence}")
    };
    let own: Vec<(String, Value)> = own
        .into_iter()
        .filter_map(|row| Some((row.book_table, serde_json::from_str(&row.rule).ok()?)))
        .collect();
    let rows = own.iter().map(|(table, rule)| (table.as_str(), rule));
    let rules = overlaid(shipped, rows, &version)
        .map_err(|error| Problem::new(Code::InvalidRequest, format!("{error}.")).field("rule"))?;
    let row = capability_book::Model {
        id: format!("{surface}@{version}"),
        surface: surface.to_owned(),
        version,
        sequence,
        shipped_version,
        shipped_digest,
        rules,
        made_at_ms: app.now_ms(),
        made_by: who(actor),
        reason: reason.to_owned(),
    };
    tx.insert_book(row).await?;
    tx.delete_books_until(surface, sequence - KEPT_VERSIONS).await?;
    Ok(())
}

fn who(actor: &Actor) -> String {
    actor
        .user_id()
        .map_or_else(|| "system".to_owned(), ToString::to_string)
}
