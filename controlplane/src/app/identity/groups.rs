//! What the groups of a provider make of its users: their role and their team.

use crate::store::entity::{identity_provider, user};
use crate::store::{StoreError, Tx};
use ccag_admin_api::ProviderRules;
use ccag_domain::{AccountState, Code, Problem, Role};

/// The rules of a provider.
///
/// # Errors
/// [`StoreError::Unreadable`] for what another version has written.
pub(crate) fn rules(provider: &identity_provider::Model) -> Result<ProviderRules, StoreError> {
    serde_json::from_str(&provider.settings)
        .map_err(|_| StoreError::unreadable("identity_providers", "bad value in settings"))
}

/// Gives a user the groups, and the role and team that follow from them. The first mapping that gives a team decides
/// which; where none does the team stays as it is. The highest role counts.
pub(crate) fn apply(rules: &ProviderRules, groups: &[String], row: &mut user::Model) {
    let names: Vec<String> = groups.iter().map(|group| group.to_lowercase()).collect();
    let is_theirs = |group: &str| names.contains(&group.to_lowercase());
    let theirs = || {
        rules
            .group_mappings
            .iter()
            .filter(|mapping| is_theirs(&mapping.group))
    };
    let role = theirs()
        .filter_map(|mapping| mapping.role)
        .max_by_key(|role| rank(*role));
    row.role = role.unwrap_or(rules.default_role).as_str().to_owned();
    let team = theirs().find_map(|mapping| mapping.team_id.as_ref());
    if let Some(team) = team.or(rules.default_team_id.as_ref()) {
        row.team_id = Some(team.to_string());
    }
    row.groups = serde_json::json!(groups).to_string();
}

/// How much a role may do.
fn rank(role: Role) -> u8 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
    }
}

/// Whether a user can manage the gateway now.
pub(crate) fn manages(row: &user::Model) -> bool {
    row.role == Role::Admin.as_str() && row.state == AccountState::Active.as_str()
}

/// Refuses a change, all of which has been written, if it leaves nobody to manage the gateway.
///
/// # Errors
/// [`Code::Conflict`].
pub(crate) async fn keep_an_admin(tx: &Tx) -> Result<(), Problem> {
    if tx.count_other_admins("").await? > 0 {
        return Ok(());
    }
    Err(Problem::new(
        Code::Conflict,
        "This would leave the gateway without an active admin. Make somebody else an admin first.",
    ))
}

/// Gives all users of a provider the role and the team that follow from its rules as they are now. Returns how many have
/// changed.
///
/// # Errors
/// [`Code::Conflict`] if nobody would be left to manage the gateway.
pub(crate) async fn reapply(tx: &mut Tx, provider: &identity_provider::Model) -> Result<u64, Problem> {
    let rules = rules(provider)?;
    let mut changed = 0;
    let mut lost = false;
    for before in tx.scim().list_users_of_provider(&provider.id).await? {
        let groups: Vec<String> = serde_json::from_str(&before.groups).unwrap_or_default();
        let mut row = before.clone();
        apply(&rules, &groups, &mut row);
        row.groups.clone_from(&before.groups);
        if row != before {
            lost |= manages(&before) && !manages(&row);
            tx.update_user(row).await?;
            changed += 1;
        }
    }
    if lost {
        keep_an_admin(tx).await?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_admin_api::GroupMapping;
    use ccag_domain::TeamId;

    fn user() -> user::Model {
        user::Model {
            id: "user_1".into(),
            username: "a".into(),
            username_key: "a".into(),
            email: None,
            display_name: None,
            role: "member".into(),
            state: "active".into(),
            team_id: Some("team_own".into()),
            search_key: "a".into(),
            password_hash: None,
            created_at_ms: 0,
            provider_id: Some("idp_1".into()),
            groups: "[]".into(),
        }
    }

    fn mapping(group: &str, role: Option<Role>, team: Option<&str>) -> GroupMapping {
        GroupMapping {
            group: group.into(),
            role,
            team_id: team.map(|id| TeamId::parse(id).unwrap()),
        }
    }

    fn applied(rules: &ProviderRules, groups: &[&str]) -> (String, Option<String>) {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let mut row = user();
        apply(rules, &groups, &mut row);
        (row.role, row.team_id)
    }

    #[test]
    fn the_first_team_and_the_highest_role_count() {
        let rules = ProviderRules {
            group_mappings: vec![
                mapping("Staff", Some(Role::Member), None),
                mapping("Builders", None, Some("team_b")),
                mapping("Über", Some(Role::Admin), Some("team_u")),
            ],
            ..ProviderRules::default()
        };
        let own = Some("team_own".to_owned());
        assert_eq!(applied(&rules, &[]), ("member".into(), own.clone()));
        assert_eq!(applied(&rules, &["STAFF"]), ("member".into(), own));
        assert_eq!(
            applied(&rules, &["über"]),
            ("admin".into(), Some("team_u".into()))
        );
        assert_eq!(
            applied(&rules, &["Über", "staff", "builders"]),
            ("admin".into(), Some("team_b".into()))
        );
    }

    #[test]
    fn what_no_group_says_the_provider_says() {
        let rules = ProviderRules {
            default_role: Role::Admin,
            default_team_id: Some(TeamId::parse("team_d").unwrap()),
            group_mappings: vec![mapping("staff", Some(Role::Member), None)],
            ..ProviderRules::default()
        };
        assert_eq!(
            applied(&rules, &["other"]),
            ("admin".into(), Some("team_d".into()))
        );
        assert_eq!(
            applied(&rules, &["staff"]),
            ("member".into(), Some("team_d".into()))
        );
    }
}
