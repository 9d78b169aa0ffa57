//! Identity providers, teams, users, and what SCIM has said of them.

use super::world::{World, id, name, unique};
use crate::app::users::search_key;
use crate::store::ccag::{Ccag, PairRow, ProviderRow, ScimGroupRow, ScimTokenRow, TeamRow, UserRow};
use crate::store::entity::{identity_provider, scim_group, scim_token, scim_user, team, user};
use crate::store::{StoreError, rows};
use ccag_admin_api::{GroupMapping, ProviderRules};
use ccag_domain::{AccountState, KeyDigest, Role, RoutingPolicy, Strategy, UserKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use url::Url;

/// People to be made.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) providers: Vec<identity_provider::Model>,
    pub(super) teams: Vec<team::Model>,
    pub(super) users: Vec<user::Model>,
    pub(super) scim_users: Vec<scim_user::Model>,
    pub(super) scim_tokens: Vec<scim_token::Model>,
    /// With the ids of their members.
    pub(super) scim_groups: Vec<(scim_group::Model, Vec<String>)>,
    /// Theirs, for what else hangs on them.
    pub(super) their_teams: Vec<TeamRow>,
    pub(super) their_users: Vec<UserRow>,
}

/// Plans them, and remembers who stands for whom.
pub(super) async fn plan(world: &mut World<'_>, from: &Ccag) -> Result<People, StoreError> {
    let mut people = People {
        providers: providers(world, from.providers().await?),
        their_teams: from.teams().await?,
        their_users: from.users().await?,
        ..People::default()
    };
    people.teams = teams(world, &people.their_teams);
    let (users, scim_users) = users(world, &people.their_users);
    (people.users, people.scim_users) = (users, scim_users);
    people.scim_tokens = tokens(world, from.scim_tokens().await?);
    let groups = from.scim_groups().await?;
    people.scim_groups = self::groups(world, groups, &from.scim_members().await?, &people.scim_users);
    remember_groups(&mut people);
    Ok(people)
}

fn role(text: &str) -> Role {
    if text == "admin" {
        Role::Admin
    } else {
        Role::Member
    }
}

fn providers(world: &mut World<'_>, theirs: Vec<ProviderRow>) -> Vec<identity_provider::Model> {
    const TABLE: &str = "identity_providers";
    let found = theirs.len();
    let mut made = Vec::new();
    let mut there = 0;
    let mut names: HashSet<String> = world
        .present
        .providers
        .iter()
        .map(|p| p.name_key.clone())
        .collect();
    for row in theirs {
        let Some(ours) = id("idp_", &row.id) else { continue };
        let issuer = row.issuer_url.trim();
        let same = world.present.providers.iter();
        let same = same
            .into_iter()
            .find(|p| p.id == ours || p.issuer.trim_end_matches('/') == issuer.trim_end_matches('/'));
        if let Some(known) = same {
            there += 1;
            world.providers.insert(row.id, known.id.clone());
            continue;
        }
        let secure = Url::parse(issuer).is_ok_and(|url| url.scheme() == "https");
        let client = [&row.client_id, &row.audience].into_iter().flatten();
        let client = client.map(|text| text.trim()).find(|text| !text.is_empty());
        let (true, Some(client)) = (secure, client) else {
            world.report.note(
                TABLE,
                row.id,
                format!("`{issuer}` is not carried over: it needs an https address and a client id. Add it under Sign-in."),
            );
            continue;
        };
        let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
        let admins = list(&row.scim_admin_groups)
            .into_iter()
            .map(|group| GroupMapping {
                group: name(&group, "group"),
                role: Some(Role::Admin),
                team_id: None,
            });
        let rules = ProviderRules {
            scopes: row
                .scopes
                .iter()
                .flat_map(|text| text.split_whitespace())
                .map(str::to_owned)
                .collect(),
            user_claim: row
                .user_claim
                .filter(|claim| !claim.is_empty() && claim != "auto"),
            jwks_url: row.jwks_url.filter(|url| url.starts_with("https://")),
            allowed_domains: list(&row.allowed_domains),
            auto_provision: !row.scim_enabled,
            scim_enabled: row.scim_enabled,
            default_role: role(&row.default_role),
            group_mappings: admins.collect(),
            ..ProviderRules::default()
        };
        let shown = unique(&name(&row.name, "Single sign-on"), &mut names);
        world.report.note(
            TABLE,
            row.id.clone(),
            format!(
                "{shown}: people now sign in with the code flow. Allow the redirect URI of this gateway (`/auth/oidc/callback`) \
                 there, and give a client secret here where the provider wants one"
            ),
        );
        made.push(identity_provider::Model {
            name_key: shown.to_lowercase(),
            name: shown,
            issuer: issuer.to_owned(),
            client_id: client.to_owned(),
            client_secret: None,
            settings: serde_json::to_string(&rules).unwrap_or_default(),
            enabled: row.enabled,
            created_at_ms: row.created_at_ms,
            updated_at_ms: world.now,
            id: ours.clone(),
        });
        world.providers.insert(row.id, ours);
    }
    world.report.part("identity providers", found, made.len(), there);
    made
}

fn teams(world: &mut World<'_>, theirs: &[TeamRow]) -> Vec<team::Model> {
    let mut made: Vec<team::Model> = Vec::new();
    let mut there = 0;
    let mut names: HashSet<String> = world.present.teams.iter().map(|t| t.name_key.clone()).collect();
    let held: HashMap<String, String> = world
        .present
        .teams
        .iter()
        .map(|t| (t.name_key.clone(), t.id.clone()))
        .collect();
    let ids: HashSet<String> = world.present.teams.iter().map(|t| t.id.clone()).collect();
    for row in theirs {
        let Some(ours) = id("team_", &row.id) else {
            continue;
        };
        let wanted = name(&row.name, "team");
        if ids.contains(&ours) {
            there += 1;
            world.teams.insert(row.id.clone(), ours);
            continue;
        }
        if let Some(known) = held.get(&wanted.to_lowercase()) {
            there += 1;
            world.teams.insert(row.id.clone(), known.clone());
            let text = format!(
                "There is a team `{wanted}` here already: it is used as it is, and its users and keys are added to it"
            );
            world.report.note("teams", &row.id, text);
            continue;
        }
        let shown = unique(&wanted, &mut names);
        if shown != row.name {
            world.report.note(
                "teams",
                &row.id,
                format!("`{}` is called `{shown}` here", row.name),
            );
        }
        let strategy = Strategy::parse(&row.routing_strategy);
        if strategy.is_none() {
            let text = format!(
                "the strategy `{}` is not known; the order of the endpoints decides",
                row.routing_strategy
            );
            world.report.note("teams", &row.id, text);
        }
        let policy = RoutingPolicy {
            // Where the existing gateway knows no strategy, it goes by the order.
            strategy: Some(strategy.unwrap_or(Strategy::PrimaryFallback)).filter(|s| *s != Strategy::Sticky),
            ..RoutingPolicy::default()
        };
        made.push(team::Model {
            id: ours.clone(),
            name_key: shown.to_lowercase(),
            name: shown,
            state: AccountState::Active.as_str().to_owned(),
            created_at_ms: row.created_at_ms,
            guardrail: None,
            routing: rows::routing_json(&policy),
        });
        world.teams.insert(row.id.clone(), ours);
    }
    world.report.part("teams", theirs.len(), made.len(), there);
    made
}

fn users(world: &mut World<'_>, theirs: &[UserRow]) -> (Vec<user::Model>, Vec<scim_user::Model>) {
    let mut made: Vec<user::Model> = Vec::new();
    let mut said = Vec::new();
    let mut there = 0;
    let by_name: HashMap<String, user::Model> = world
        .present
        .users
        .iter()
        .map(|u| (u.username_key.clone(), u.clone()))
        .collect();
    let by_id: HashMap<String, user::Model> = world
        .present
        .users
        .iter()
        .map(|u| (u.id.clone(), u.clone()))
        .collect();
    let only_provider = if world.providers.len() == 1 {
        world.providers.values().next().cloned()
    } else {
        None
    };
    let mut loose = 0;
    // Those who may use the gateway come first: they stand for others of the same address.
    for row in theirs {
        let Some(ours) = id("user_", &row.id) else {
            continue;
        };
        let wanted = name(&row.email, "user");
        let key = wanted.to_lowercase();
        if let Some(other) = world.emails.get(&key).cloned() {
            let text = format!(
                "`{}` is the same address as that of another user: they become one, with the role, the team and the limit of the other",
                row.email
            );
            world.report.note("users", &row.id, text);
            world.users.insert(row.id.clone(), other);
            world.merged.insert(row.id.clone());
            continue;
        }
        let known = by_id.get(&ours).or_else(|| by_name.get(&key));
        if let Some(known) = known {
            there += 1;
            if known.id != ours {
                let text = format!(
                    "There is a user `{}` here already: they stay as they are, and get the keys and the history",
                    known.username
                );
                world.report.note("users", &row.id, text);
            }
            remember(world, row, &key, &known.id, known.team_id.as_ref());
            continue;
        }
        if !matches!(row.role.as_str(), "admin" | "member") {
            world.report.note(
                "users",
                &row.id,
                format!("the role `{}` is not known; they are a member", row.role),
            );
        }
        let provider = row
            .idp_id
            .as_ref()
            .and_then(|id| world.providers.get(id))
            .cloned();
        let provider = provider.or_else(|| only_provider.clone());
        loose += usize::from(provider.is_none());
        let state = if row.active {
            AccountState::Active
        } else {
            AccountState::Suspended
        };
        let mut new = user::Model {
            id: ours.clone(),
            username_key: key.clone(),
            username: wanted.clone(),
            email: wanted.contains('@').then(|| wanted.clone()),
            display_name: row
                .display_name
                .as_deref()
                .map(|text| name(text, ""))
                .filter(|text| !text.is_empty()),
            role: role(&row.role).as_str().to_owned(),
            state: state.as_str().to_owned(),
            team_id: world.team(row.team_id.as_ref()),
            search_key: String::new(),
            password_hash: None,
            created_at_ms: row.created_at_ms,
            provider_id: provider.clone(),
            groups: "[]".to_owned(),
            kind: UserKind::Person.as_str().to_owned(),
        };
        new.search_key = search_key(&new);
        if let (true, Some(provider)) = (row.scim_managed, provider) {
            said.push(said_of(row, &new, provider, world.now));
        }
        remember(world, row, &key, &ours, new.team_id.as_ref());
        made.push(new);
    }
    if loose > 0 {
        let text = format!(
            "{loose} users come from no identity provider: they have no password here, and their keys work. An admin gives \
             them a password, or their provider"
        );
        world.report.note("users", "*", text);
    }
    world.report.part("users", theirs.len(), made.len(), there);
    (made, said)
}

fn remember(world: &mut World<'_>, row: &UserRow, key: &str, ours: &str, team: Option<&String>) {
    world.users.insert(row.id.clone(), ours.to_owned());
    world.emails.insert(key.to_owned(), ours.to_owned());
    if let Some(team) = team {
        world.team_of.insert(ours.to_owned(), team.clone());
    }
}

/// What their provider has said of a user, as SCIM has it (RFC 7643, §4.1).
fn said_of(row: &UserRow, user: &user::Model, provider: String, now: i64) -> scim_user::Model {
    let mut attributes = json!({"userName": user.username});
    let mut set = |name: &str, value: Value| attributes[name] = value;
    if let Some(id) = &row.external_id {
        set("externalId", json!(id));
    }
    if let Some(name) = &user.display_name {
        set("displayName", json!(name));
    }
    let parts = [("givenName", &row.given_name), ("familyName", &row.family_name)];
    let parts: BTreeMap<_, _> = parts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.as_ref()?)))
        .collect();
    if !parts.is_empty() {
        set("name", json!(parts));
    }
    if let Some(email) = &user.email {
        set(
            "emails",
            json!([{"value": email, "type": "work", "primary": true}]),
        );
    }
    scim_user::Model {
        user_id: user.id.clone(),
        provider_id: provider,
        user_name_key: user.username_key.clone(),
        external_id: row.external_id.clone().filter(|id| !id.is_empty()),
        attributes: attributes.to_string(),
        version: 1,
        deleted: false,
        created_at_ms: row.created_at_ms,
        updated_at_ms: now,
    }
}

fn tokens(world: &mut World<'_>, theirs: Vec<ScimTokenRow>) -> Vec<scim_token::Model> {
    const TABLE: &str = "scim_tokens";
    let found = theirs.len();
    let mut made = Vec::new();
    let mut there = 0;
    for row in theirs {
        let digest = row.token_hash.to_lowercase();
        if world.present.scim_tokens.contains(&digest) {
            there += 1;
            continue;
        }
        let provider = world.providers.get(&row.idp_id).cloned();
        let (Some(ours), Some(provider)) = (id("sct_", &row.id), provider) else {
            world
                .report
                .note(TABLE, row.id, "its identity provider is not carried over");
            continue;
        };
        if !row.enabled || KeyDigest::from_hex(&digest).is_none() {
            world
                .report
                .note(TABLE, row.id, "it was revoked, and is not carried over");
            continue;
        }
        made.push(scim_token::Model {
            id: ours,
            provider_id: provider,
            name: name(row.name.as_deref().unwrap_or_default(), "imported"),
            prefix: row.token_prefix.trim_end_matches('.').chars().take(40).collect(),
            digest,
            created_at_ms: row.created_at_ms,
            created_by: None,
            expires_at_ms: None,
            last_used_at_ms: None,
        });
    }
    world.report.part("SCIM tokens", found, made.len(), there);
    made
}

fn groups(
    world: &mut World<'_>,
    theirs: Vec<ScimGroupRow>,
    members: &[PairRow],
    said: &[scim_user::Model],
) -> Vec<(scim_group::Model, Vec<String>)> {
    const TABLE: &str = "scim_groups";
    let found = theirs.len();
    let mut made: Vec<(scim_group::Model, Vec<String>)> = Vec::new();
    let mut there = 0;
    let mut taken: HashSet<(String, String)> = world
        .present
        .scim_groups
        .iter()
        .map(|(_, provider, key)| (provider.clone(), key.clone()))
        .collect();
    for row in theirs {
        let provider = world.providers.get(&row.idp_id).cloned();
        let (Some(ours), Some(provider)) = (id("grp_", &row.id), provider) else {
            world
                .report
                .note(TABLE, row.id, "its identity provider is not carried over");
            continue;
        };
        if world.present.scim_groups.iter().any(|(id, _, _)| *id == ours) {
            there += 1;
            continue;
        }
        let shown = name(&row.display_name, "group");
        if !taken.insert((provider.clone(), shown.to_lowercase())) {
            world.report.note(
                TABLE,
                row.id,
                format!("the provider has another group named `{shown}`; this one is not carried over"),
            );
            continue;
        }
        let mut attributes = json!({"displayName": shown});
        if let Some(id) = &row.external_id {
            attributes["externalId"] = json!(id);
        }
        let mut ids: Vec<String> = members
            .iter()
            .filter(|pair| pair.a == row.id)
            .filter_map(|pair| world.users.get(&pair.b))
            // Only users of whom the provider has spoken can be in its groups.
            .filter(|user| {
                said.iter()
                    .any(|one| one.user_id == **user && one.provider_id == provider)
            })
            .cloned()
            .collect();
        ids.sort();
        ids.dedup();
        let group = scim_group::Model {
            id: ours,
            provider_id: provider,
            name_key: shown.to_lowercase(),
            display_name: shown,
            external_id: row.external_id.filter(|id| !id.is_empty()),
            attributes: attributes.to_string(),
            version: 1,
            created_at_ms: row.created_at_ms,
            updated_at_ms: world.now,
        };
        made.push((group, ids));
    }
    world.report.part("SCIM groups", found, made.len(), there);
    made
}

/// Notes the groups of users with the users, as signing in and SCIM would.
fn remember_groups(people: &mut People) {
    for user in &mut people.users {
        let mine = people
            .scim_groups
            .iter()
            .filter(|(_, ids)| ids.contains(&user.id));
        let names: Vec<&str> = mine.map(|(group, _)| group.display_name.as_str()).collect();
        if !names.is_empty() {
            user.groups = json!(names).to_string();
        }
    }
}
