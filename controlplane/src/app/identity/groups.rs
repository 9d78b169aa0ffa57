//! What the groups of a provider make of its users.

use crate::store::entity::user;
use ccag_admin_api::{GroupMapping, ProviderRules};
use ccag_domain::Role;

/// Whether two names of groups mean the same one: whatever the case, and with or without the slash that Keycloak begins paths
/// with.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.trim().trim_start_matches('/').to_lowercase();
    bare(one) == bare(other)
}

/// Whether somebody is in one of the groups that a list names.
pub(crate) fn any_of(groups: &[String], named: &[String]) -> bool {
    groups
        .iter()
        .any(|group| named.iter().any(|name| same(name, group)))
}

/// Writes down the groups of a user, and what they make of them. A role or a team that no mapping speaks of is left as it is,
/// for an admin to set.
pub(crate) fn apply(rules: &ProviderRules, groups: &[String], row: &mut user::Model) {
    row.groups = serde_json::to_string(groups).unwrap_or_else(|_| "[]".to_owned());
    let mine = |mapping: &&GroupMapping| groups.iter().any(|group| same(&mapping.group, group));
    if rules.group_mappings.iter().any(|mapping| mapping.role.is_some()) {
        let role = rules
            .group_mappings
            .iter()
            .filter(mine)
            .filter_map(|mapping| mapping.role)
            .max_by_key(|role| rank(*role))
            .unwrap_or(rules.default_role);
        role.as_str().clone_into(&mut row.role);
    }
    if rules
        .group_mappings
        .iter()
        .any(|mapping| mapping.team_id.is_some())
    {
        let team = rules
            .group_mappings
            .iter()
            .filter(mine)
            .find_map(|mapping| mapping.team_id.as_ref())
            .or(rules.default_team_id.as_ref());
        row.team_id = team.map(ToString::to_string);
    }
}

/// The higher, the more a role may.
fn rank(role: Role) -> u8 {
    match role {
        Role::Admin => 1,
        Role::Member => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::TeamId;

    fn row() -> user::Model {
        user::Model {
            id: "user_1".into(),
            username: "ada".into(),
            username_key: "ada".into(),
            email: None,
            display_name: None,
            role: "member".into(),
            state: "active".into(),
            team_id: Some("team_0".into()),
            search_key: "ada".into(),
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

    #[test]
    fn the_highest_role_and_the_first_team_count() {
        let rules = ProviderRules {
            group_mappings: vec![
                mapping("Staff", Some(Role::Member), None),
                mapping("/Platform", None, Some("team_1")),
                mapping("admins", Some(Role::Admin), Some("team_2")),
            ],
            ..ProviderRules::default()
        };
        let mut user = row();
        let groups = ["STAFF", "platform", "Admins"].map(String::from);
        apply(&rules, &groups, &mut user);
        assert_eq!(
            (user.role.as_str(), user.team_id.as_deref()),
            ("admin", Some("team_1"))
        );
        assert_eq!(user.groups, r#"["STAFF","platform","Admins"]"#);
        apply(&rules, &[], &mut user);
        assert_eq!((user.role.as_str(), user.team_id), ("member", None));
    }

    #[test]
    fn what_no_mapping_speaks_of_is_left_alone() {
        let mut user = row();
        apply(&ProviderRules::default(), &["x".into()], &mut user);
        assert_eq!(
            (user.role.as_str(), user.team_id.as_deref()),
            ("member", Some("team_0"))
        );
    }
}
