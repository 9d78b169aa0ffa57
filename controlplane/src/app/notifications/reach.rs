//! Whose destinations somebody may see and change, and how far those of a manager may reach.
//!
//! Managers have those of their own team. What leads into private networks, or to AWS by the gateway's own credentials, is for
//! admins.

use super::missing;
use super::settings::{Way, invalid};
use crate::app::authority;
use crate::store::entity::notification_destination as row;
use ccag_domain::authority::refusal;
use ccag_domain::{Actor, Area, Code, DestinationId, DestinationKind, Permission, Problem, Target, TeamId};

pub(super) const SEE: Permission = Permission::Read(Area::Notifications);
pub(super) const CHANGE: Permission = Permission::Change(Area::Notifications);

/// Whether the actor may do this to the destination.
pub(super) fn may(actor: &Actor, permission: Permission, row: &row::Model) -> bool {
    let target = row.team_id.as_deref().map_or(Target::Everything, Target::Team);
    actor.may(permission, target)
}

/// The destination, if the actor may do this to it. Whoever may not does not learn whether there is one.
pub(super) fn reached(
    actor: &Actor,
    permission: Permission,
    id: &DestinationId,
    row: Option<row::Model>,
) -> Result<row::Model, Problem> {
    match row {
        Some(row) if may(actor, permission, &row) => Ok(row),
        None if actor.may_all(permission) => Err(missing(id)),
        _ => Err(refusal(permission)),
    }
}

/// The team whose events a destination is to get: a manager's own, also where none is named.
pub(super) fn team(actor: &Actor, asked: Option<TeamId>) -> Result<Option<TeamId>, Problem> {
    let own = authority::narrowed(actor, CHANGE, asked.map(Into::into))?;
    own.map(|id| TeamId::parse(&id))
        .transpose()
        .map_err(|_| invalid("team_id", "There is no such team."))
}

/// Passes if the actor may have events sent this way.
pub(super) fn require_way(actor: &Actor, way: &Way) -> Result<(), Problem> {
    if actor.may_all(CHANGE) {
        return Ok(());
    }
    let refuse = |field: &str, message: String| Err(Problem::new(Code::InvalidRequest, message).field(field));
    let kind = way.settings.kind;
    if !kind.is_for_managers() {
        let kinds: Vec<String> = DestinationKind::ALL
            .iter()
            .filter(|kind| kind.is_for_managers())
            .map(|kind| format!("`{}`", kind.as_str()))
            .collect();
        let kinds = kinds.join(", ");
        return refuse(
            "kind",
            format!(
                "{} is reached by the gateway's own AWS credentials, so only owners and admins set it up. A team's destination is \
                 one of {kinds}.",
                kind.title()
            ),
        );
    }
    if way.settings.allow_private_address {
        return refuse(
            "allow_private_address",
            "Only owners and admins allow a destination to be in a private network. Ask one of them to set it up for the team."
                .to_owned(),
        );
    }
    Ok(())
}
