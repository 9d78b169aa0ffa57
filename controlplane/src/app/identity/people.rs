//! From who somebody is to a provider to who they are here.

use super::claims::Person;
use super::{Provider, groups};
use crate::app::{App, Changed, views};
use crate::store::entity::{identity, user};
use crate::store::{AuditEntry, Tx};
use ccag_admin_api::UserView;
use ccag_domain::{AccountState, Actor, Code, ObjectKind, Problem, UnixMs, UserId, UserKind};
use serde_json::json;

/// Lets somebody in: finds the user that they are, or makes one where the provider's rules say so, and writes down what the
/// provider says of them now.
///
/// # Errors
/// [`Code::Forbidden`] for somebody who is suspended, or not known where nobody becomes a user by signing in.
pub(super) async fn admit(app: &App, provider: &Provider, person: &Person) -> Result<UserView, Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let (row, entry) = match known(&tx, provider, person, now).await? {
        Some(before) => {
            let row = updated(&tx, provider, person, before.clone()).await?;
            if row == before {
                // What is noted about the identity alone is no change of configuration.
                let entry = seen(app, provider, &row);
                tx.commit(now, entry).await?;
                return let_in(&row);
            }
            tx.update_user(row.clone()).await?;
            let details = Changed::updated(&before, &row).with("provider_id", &provider.id);
            let entry = app.audit(&Actor::System, "user.sign_on", ObjectKind::User, &row.id, details);
            (row, entry)
        }
        None => {
            let row = made(app, &mut tx, provider, person, now).await?;
            let details = Changed::created(&row).with("provider_id", &provider.id);
            let entry = app.audit(
                &Actor::System,
                "user.provision",
                ObjectKind::User,
                &row.id,
                details,
            );
            (row, entry)
        }
    };
    tx.commit(now, entry).await?;
    let_in(&row)
}

fn seen(app: &App, provider: &Provider, row: &user::Model) -> AuditEntry {
    let details = json!({"provider_id": provider.id});
    app.audit(&Actor::System, "user.sign_on", ObjectKind::User, &row.id, details)
}

fn let_in(row: &user::Model) -> Result<UserView, Problem> {
    let user = views::user(row)?;
    if user.state != AccountState::Active {
        return Err(Problem::new(
            Code::Forbidden,
            "Your account is suspended. Ask an admin of your gateway to activate it.",
        ));
    }
    Ok(user)
}

/// The user that somebody is: by their subject; else by what the provider has told of them before they ever signed in.
async fn known(
    tx: &Tx,
    provider: &Provider,
    person: &Person,
    now: UnixMs,
) -> Result<Option<user::Model>, Problem> {
    if let Some(found) = tx.find_identity(provider.id.as_str(), &person.subject).await? {
        if let Some(row) = tx.find_user(&found.user_id).await? {
            let email = person.email.clone();
            let seen = identity::Model {
                email,
                last_sign_in_ms: now,
                ..found
            };
            tx.update_identity(seen).await?;
            return Ok(Some(row));
        }
        tx.delete_identities_of(&found.user_id).await?;
    }
    let names = [Some(person.username.as_str()), person.email.as_deref()];
    let names: Vec<String> = names.into_iter().flatten().map(str::to_lowercase).collect();
    for row in tx
        .list_users_of_provider_named(provider.id.as_str(), &names)
        .await?
    {
        if !tx.has_identity(provider.id.as_str(), &row.id).await? {
            tx.insert_identity(identity_row(provider, person, &row.id, now))
                .await?;
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn identity_row(provider: &Provider, person: &Person, user_id: &str, now: UnixMs) -> identity::Model {
    identity::Model {
        provider_id: provider.id.to_string(),
        subject: person.subject.clone(),
        user_id: user_id.to_owned(),
        email: person.email.clone(),
        created_at_ms: now,
        last_sign_in_ms: now,
    }
}

/// The user with what the provider says of them now. Where it manages its users through SCIM, that counts and not this.
async fn updated(
    tx: &Tx,
    provider: &Provider,
    person: &Person,
    mut row: user::Model,
) -> Result<user::Model, Problem> {
    if provider.rules.scim_enabled {
        return Ok(row);
    }
    let (role, state) = (row.role.clone(), row.state.clone());
    if person.email.is_some() {
        row.email.clone_from(&person.email);
    }
    if person.display_name.is_some() {
        row.display_name.clone_from(&person.display_name);
    }
    if let Some(names) = &person.groups {
        groups::apply(&provider.rules, names, &mut row);
    }
    row.search_key = crate::app::users::search_key(&row);
    let before = user::Model {
        role,
        state,
        ..row.clone()
    };
    if row.role != before.role && crate::app::users::keep_somebody(tx, &before).await.is_err() {
        tracing::warn!(
            user = row.id,
            "the groups of the last owner would make them less; they stay one"
        );
        row.role = before.role;
    }
    if let Some(team) = row.team_id.as_deref() {
        row.team_id = existing_team(tx, team).await?;
    }
    Ok(row)
}

/// A team that a rule names, unless it has been deleted since.
async fn existing_team(tx: &Tx, id: &str) -> Result<Option<String>, Problem> {
    let found = tx.find_team(id).await?;
    if found.is_none() {
        tracing::warn!(
            team = id,
            "the rules of an identity provider name a team that is gone"
        );
    }
    Ok(found.map(|team| team.id))
}

/// A new user.
async fn made(
    app: &App,
    tx: &mut Tx,
    provider: &Provider,
    person: &Person,
    now: UnixMs,
) -> Result<user::Model, Problem> {
    if provider.rules.scim_enabled || !provider.rules.auto_provision {
        let how = if provider.rules.scim_enabled {
            "Ask your administrator to assign this application to you at the identity provider."
        } else {
            "Ask an admin of your gateway to add you."
        };
        return Err(Problem::new(
            Code::Forbidden,
            format!("{} knows you, but you are not a user here. {how}", provider.name),
        ));
    }
    let username = free_name(tx, &person.username, &provider.name).await?;
    let mut row = user::Model {
        id: UserId::generate(&*app.clock, &*app.rng).to_string(),
        username_key: username.to_lowercase(),
        username,
        email: person.email.clone(),
        display_name: person.display_name.clone(),
        role: provider.rules.default_role.as_str().to_owned(),
        state: AccountState::Active.as_str().to_owned(),
        team_id: provider.rules.default_team_id.as_ref().map(ToString::to_string),
        search_key: String::new(),
        password_hash: None,
        created_at_ms: now,
        provider_id: Some(provider.id.to_string()),
        groups: "[]".to_owned(),
        kind: UserKind::Person.as_str().to_owned(),
    };
    groups::apply(
        &provider.rules,
        person.groups.as_deref().unwrap_or_default(),
        &mut row,
    );
    if let Some(team) = row.team_id.as_deref() {
        row.team_id = existing_team(tx, team).await?;
    }
    row.search_key = crate::app::users::search_key(&row);
    tx.insert_user(row.clone()).await?;
    tx.insert_identity(identity_row(provider, person, &row.id, now))
        .await?;
    Ok(row)
}

/// A name that nobody has. Somebody of the same name who comes from elsewhere is somebody else.
pub(crate) async fn free_name(tx: &Tx, wanted: &str, provider: &str) -> Result<String, Problem> {
    let mut name = wanted.to_owned();
    let mut count = 1;
    while tx.has_username(&name).await? {
        name = match count {
            1 => format!("{wanted} ({provider})"),
            n => format!("{wanted} ({provider} {n})"),
        };
        count += 1;
    }
    Ok(name)
}
