//! Users and groups as SCIM shows them.

use super::{Client, Shown, attributes, moment};
use crate::store::StoreError;
use crate::store::entity::scim_group;
use crate::store::scim::{Member, Person};
use ccag_domain::AccountState;
use ccag_scim::{Kind, Object, resource};
use serde_json::{Value, json};

/// A version as it stands in `ETag`.
pub(super) fn version(version: i64) -> String {
    format!("W/\"{version}\"")
}

fn frame(
    client: &Client,
    kind: Kind,
    id: &str,
    (number, created_at_ms, updated_at_ms): (i64, i64, i64),
    attributes: Object,
) -> Shown {
    let location = format!("{}/{}/{id}", client.base, kind.folder());
    let version = version(number);
    let mut shown = Object::new();
    shown.insert("schemas".to_owned(), json!(resource::schemas(kind, &attributes)));
    shown.insert("id".to_owned(), id.into());
    shown.extend(attributes);
    let meta = json!({
        "resourceType": kind.as_str(),
        "created": moment(created_at_ms),
        "lastModified": moment(updated_at_ms),
        "location": location,
        "version": version,
    });
    shown.insert("meta".to_owned(), meta);
    Shown {
        resource: shown,
        location,
        version,
    }
}

/// A user. Without `groups` they are left out.
pub(super) fn user(
    client: &Client,
    person: &Person,
    groups: Option<&[(String, String)]>,
) -> Result<Shown, StoreError> {
    let scim = &person.scim;
    let mut attributes = attributes("scim_users", &scim.attributes)?;
    let active = person.user.state == AccountState::Active.as_str();
    // A client may take the attribute away; what is so stays so, and is told where it matters.
    if active && attributes.get("active").is_some_and(Value::is_null) {
        attributes.remove("active");
    } else {
        attributes.insert("active".to_owned(), active.into());
    }
    if let Some(groups) = groups.filter(|groups| !groups.is_empty()) {
        let groups: Value = groups
            .iter()
            .map(|(id, name)| {
                json!({
                    "value": id,
                    "$ref": format!("{}/Groups/{id}", client.base),
                    "display": name,
                    "type": "direct",
                })
            })
            .collect();
        attributes.insert("groups".to_owned(), groups);
    }
    let times = (scim.version, scim.created_at_ms, scim.updated_at_ms);
    Ok(frame(client, Kind::User, &scim.user_id, times, attributes))
}

/// A group. Without `members` they are left out.
pub(super) fn group(
    client: &Client,
    row: &scim_group::Model,
    members: Option<&[Member]>,
) -> Result<Shown, StoreError> {
    let mut attributes = attributes("scim_groups", &row.attributes)?;
    if let Some(members) = members.filter(|members| !members.is_empty()) {
        let members: Value = members.iter().map(|m| member(client, m)).collect();
        attributes.insert("members".to_owned(), members);
    }
    let times = (row.version, row.created_at_ms, row.updated_at_ms);
    Ok(frame(client, Kind::Group, &row.id, times, attributes))
}

/// Somebody who is in a group.
pub(super) fn member(client: &Client, member: &Member) -> Value {
    json!({
        "value": member.id,
        "$ref": format!("{}/Users/{}", client.base, member.id),
        "display": member.name,
        "type": "User",
    })
}
