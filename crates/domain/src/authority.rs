//! Who may do what. This is the one place that says so: everything else asks.
//!
//! A [`Role`] has, for each [`Permission`], a [`Reach`]: nothing, what is one's own, what is one's team's, or everything. An
//! [`Actor`] may do something to a [`Target`] if the target lies within that reach. `docs/roles.md` says it in words, and
//! `docs/authorisation.md` for every route.

use crate::{Actor, Code, Problem, Role, TeamId, UserId};

/// What a permission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// Virtual keys.
    Keys,
    /// Users: who they are, their roles, passwords and states.
    Users,
    /// Making somebody an owner, and everything that is done to one. Only changing it means anything.
    Owners,
    /// Which team a user belongs to.
    Members,
    /// Teams themselves.
    Teams,
    /// What was used, and how requests were decided.
    Usage,
    /// Costs after the fact, and records that could not be stored.
    Ledger,
    /// Budgets.
    Budgets,
    /// The budgets of what is not a team member's: the organisation, teams, users and keys.
    WiderBudgets,
    /// Limits of requests, tokens and concurrency.
    Limits,
    /// Sessions that are paused.
    Sessions,
    /// What sessions may do within a minute.
    Breaker,
    /// Which endpoints teams may use, and in which order.
    Routing,
    /// Endpoints: accounts, credentials, what they offer.
    Endpoints,
    /// Models and prices.
    Models,
    /// What Bedrock takes.
    Capabilities,
    /// The rules of web search.
    WebSearch,
    /// The search service for everybody. Only reading it means anything.
    SearchService,
    /// Users' own search services.
    OwnSearch,
    /// The audit log.
    Audit,
    /// Data planes.
    Fleet,
    /// Under which master keys secrets are kept.
    Secrets,
    /// Identity providers, provisioning, and settings of signing in.
    SignOn,
    /// Policies that clients are given.
    Policies,
    /// Destinations of notifications, and what became of telling them.
    Notifications,
}

/// Something that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// To see it.
    Read(Area),
    /// To make, change or delete it.
    Change(Area),
}

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// To one's own.
    Own,
    /// To one's own, and to what is one's team's.
    Team,
    /// To everything there is.
    Everything,
}

/// A user, as far as it matters for who may do what to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    /// Who.
    pub id: &'a str,
    /// What they may do themselves.
    pub role: Role,
    /// Their team.
    pub team: Option<&'a str>,
}

/// What something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// What belongs to nobody in particular, or all there is.
    Everything,
    /// A team, or what is about it.
    Team(&'a str),
    /// A user, or what is about them.
    Person(Person<'a>),
    /// What somebody has made by using the gateway, or uses it with: whose it is, and which team pays.
    Owned {
        /// Whose it is.
        user: Option<&'a str>,
        /// Which team pays.
        team: Option<&'a str>,
    },
}

impl Role {
    /// How far the role goes. A manager without a team has no team's things to reach: see [`Role::reach_in`].
    #[must_use]
    pub const fn reach(self, permission: Permission) -> Reach {
        use Area::{OwnSearch, Owners};
        let own = own(permission);
        match (self, permission) {
            // Nobody sees or changes the search services of others.
            (_, Permission::Read(OwnSearch) | Permission::Change(OwnSearch)) => Reach::Own,
            (Self::Owner, _) => Reach::Everything,
            (Self::Admin | Self::Auditor | Self::TeamManager | Self::Member, Permission::Change(Owners)) => {
                Reach::Nothing
            }
            (Self::Admin, _) | (Self::Auditor, Permission::Read(_)) => Reach::Everything,
            (Self::Auditor, Permission::Change(_)) => own,
            (Self::TeamManager, permission) => of_manager(permission, own),
            (Self::Member, _) => own,
        }
    }

    /// What the role is called, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Administrator",
            Self::TeamManager => "Team manager",
            Self::Auditor => "Auditor",
            Self::Member => "Member",
        }
    }

    /// What the role may do, in one line.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Owner => "everything, and alone makes and unmakes owners",
            Self::Admin => "everything except what is done to owners",
            Self::TeamManager => "the members, keys and spending of their team",
            Self::Auditor => "sees everything and changes nothing",
            Self::Member => "their own keys and usage",
        }
    }

    /// The one that counts where several are given, as by groups of an identity provider: owner before admin before team
    /// manager before auditor before member.
    #[must_use]
    pub fn highest(roles: impl IntoIterator<Item = Self>) -> Option<Self> {
        let roles: Vec<_> = roles.into_iter().collect();
        Self::ALL.into_iter().find(|role| roles.contains(role))
    }
}

/// What everybody has who is signed in.
const fn own(permission: Permission) -> Reach {
    use Area::{Budgets, Keys, Models, Sessions, Usage, Users, WebSearch};
    match permission {
        Permission::Read(Models | WebSearch) => Reach::Everything,
        Permission::Read(Keys | Users | Usage | Budgets | Sessions) | Permission::Change(Keys | Sessions) => {
            Reach::Own
        }
        Permission::Read(_) | Permission::Change(_) => Reach::Nothing,
    }
}

const fn of_manager(permission: Permission, own: Reach) -> Reach {
    use Area::{
        Breaker, Budgets, Keys, Limits, Members, Notifications, Sessions, Teams, Usage, Users, WiderBudgets,
    };
    match permission {
        Permission::Read(
            Keys | Users | Members | Teams | Usage | Budgets | WiderBudgets | Limits | Sessions | Breaker
            | Notifications,
        )
        | Permission::Change(Keys | Members | Budgets | Sessions | Notifications) => Reach::Team,
        Permission::Read(_) | Permission::Change(_) => own,
    }
}

impl Role {
    /// How far somebody with the role goes, who has a team or none: a manager without one manages nothing.
    #[must_use]
    pub const fn reach_in(self, has_team: bool, permission: Permission) -> Reach {
        match self.reach(permission) {
            Reach::Team if !has_team => own(permission),
            reach => reach,
        }
    }
}

impl Actor {
    /// How far the actor goes.
    #[must_use]
    pub fn reach(&self, permission: Permission) -> Reach {
        match self {
            Self::System => Reach::Everything,
            Self::User { role, team_id, .. } => role.reach_in(team_id.is_some(), permission),
        }
    }

    /// Whether the actor may do it to this.
    #[must_use]
    pub fn may(&self, permission: Permission, target: Target<'_>) -> bool {
        let reach = self.reach(permission);
        if reach == Reach::Everything {
            return true;
        }
        let is_me = |id: Option<&str>| id.is_some() && id == self.user_id().map(UserId::as_str);
        let is_mine = |team: Option<&str>| team.is_some() && team == self.team_id().map(TeamId::as_str);
        // What is one's own stays one's own, whichever team one manages; but nobody sets bounds for themselves.
        let own = reach == Reach::Own || own(permission) >= Reach::Own;
        let of_team = reach == Reach::Team;
        match target {
            Target::Everything => false,
            Target::Team(team) => of_team && is_mine(Some(team)),
            Target::Owned { user, team } => own && is_me(user) || of_team && is_mine(team),
            Target::Person(person) => {
                let theirs = of_team
                    && is_mine(person.team)
                    && match permission {
                        Permission::Read(_) => true,
                        Permission::Change(_) => person.role == Role::Member,
                    };
                own && is_me(Some(person.id)) || theirs
            }
        }
    }

    /// Whether the actor may do it to everything there is.
    #[must_use]
    pub fn may_all(&self, permission: Permission) -> bool {
        self.may(permission, Target::Everything)
    }

    /// Passes if the actor may do it to this.
    ///
    /// # Errors
    /// [`Code::Forbidden`], naming who may.
    pub fn require(&self, permission: Permission, target: Target<'_>) -> Result<(), Problem> {
        if self.may(permission, target) {
            return Ok(());
        }
        Err(refusal(permission))
    }

    /// Passes if the actor may do it to everything there is.
    ///
    /// # Errors
    /// As [`Actor::require`].
    pub fn require_all(&self, permission: Permission) -> Result<(), Problem> {
        self.require(permission, Target::Everything)
    }

    /// Passes if there is something to which the actor may do it.
    ///
    /// # Errors
    /// As [`Actor::require`].
    pub fn require_some(&self, permission: Permission) -> Result<(), Problem> {
        match self.reach(permission) {
            Reach::Nothing => Err(refusal(permission)),
            Reach::Own | Reach::Team | Reach::Everything => Ok(()),
        }
    }
}

/// The refusal of what somebody may not do, which names who may.
#[must_use]
pub fn refusal(permission: Permission) -> Problem {
    let with = |reach: Reach| {
        Role::ALL
            .into_iter()
            .filter(move |role| role.reach(permission) == reach)
    };
    let mut may: Vec<String> = with(Reach::Everything)
        .map(|role| plural(role).to_owned())
        .collect();
    may.extend(with(Reach::Team).map(|role| format!("{} for their own team", plural(role))));
    let message = match may.as_slice() {
        [] => "Nobody may do this for somebody else.".to_owned(),
        [one] => format!("Only {one} may do this."),
        [rest @ .., last] => format!("Only {} and {last} may do this.", rest.join(", ")),
    };
    Problem::new(
        Code::Forbidden,
        format!("{message} Ask one of them to do it, or for a role that may."),
    )
}

const fn plural(role: Role) -> &'static str {
    match role {
        Role::Owner => "owners",
        Role::Admin => "admins",
        Role::TeamManager => "team managers",
        Role::Auditor => "auditors",
        Role::Member => "members",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionId;
    use Permission::{Change, Read};

    const AREAS: [Area; 25] = [
        Area::Keys,
        Area::Users,
        Area::Owners,
        Area::Members,
        Area::Teams,
        Area::Usage,
        Area::Ledger,
        Area::Budgets,
        Area::WiderBudgets,
        Area::Limits,
        Area::Sessions,
        Area::Breaker,
        Area::Routing,
        Area::Endpoints,
        Area::Models,
        Area::Capabilities,
        Area::WebSearch,
        Area::SearchService,
        Area::OwnSearch,
        Area::Audit,
        Area::Fleet,
        Area::Secrets,
        Area::SignOn,
        Area::Policies,
        Area::Notifications,
    ];

    fn actor(role: Role, team: Option<&str>) -> Actor {
        Actor::User {
            id: UserId::parse("user_me").unwrap(),
            role,
            team_id: team.map(|id| TeamId::parse(id).unwrap()),
            session: SessionId::parse("ses_1").unwrap(),
            via: None,
        }
    }

    fn person<'a>(id: &'a str, role: Role, team: Option<&'a str>) -> Target<'a> {
        Target::Person(Person { id, role, team })
    }

    #[test]
    fn a_higher_role_never_reaches_less() {
        for permission in AREAS.into_iter().flat_map(|area| [Read(area), Change(area)]) {
            let reach = |role: Role| role.reach(permission);
            assert!(reach(Role::Owner) >= reach(Role::Admin), "{permission:?}");
            for role in [Role::Auditor, Role::TeamManager] {
                assert!(reach(Role::Admin) >= reach(role), "{permission:?} {role}");
                assert!(reach(role) >= reach(Role::Member), "{permission:?} {role}");
            }
        }
    }

    #[test]
    fn an_auditor_sees_what_an_admin_sees_and_changes_what_a_member_changes() {
        for area in AREAS {
            assert_eq!(
                Role::Auditor.reach(Read(area)),
                Role::Admin.reach(Read(area)),
                "{area:?}"
            );
            assert_eq!(
                Role::Auditor.reach(Change(area)),
                Role::Member.reach(Change(area)),
                "{area:?}"
            );
        }
    }

    #[test]
    fn only_owners_touch_owners() {
        for role in Role::ALL {
            let may = actor(role, Some("team_a")).may_all(Change(Area::Owners));
            assert_eq!(may, role == Role::Owner, "{role}");
        }
    }

    #[test]
    fn nobody_sees_anothers_search_service() {
        let another = Target::Owned {
            user: Some("user_you"),
            team: Some("team_a"),
        };
        for role in Role::ALL {
            assert!(
                !actor(role, Some("team_a")).may(Read(Area::OwnSearch), another),
                "{role}"
            );
        }
    }

    #[test]
    fn a_managers_reach_ends_with_their_team_and_with_those_above_members() {
        let manager = actor(Role::TeamManager, Some("team_a"));
        let mate = person("user_you", Role::Member, Some("team_a"));
        assert!(manager.may(Change(Area::Keys), mate) && manager.may(Read(Area::Users), mate));
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Member) {
            let mate = person("user_you", role, Some("team_a"));
            assert!(manager.may(Read(Area::Keys), mate) && !manager.may(Change(Area::Keys), mate));
        }
        for team in [None, Some("team_b")] {
            let other = person("user_you", Role::Member, team);
            assert!(!manager.may(Read(Area::Keys), other) && !manager.may(Change(Area::Keys), other));
        }
        assert!(!manager.may(Read(Area::Teams), Target::Team("team_b")));
        assert!(!manager.may_all(Read(Area::Keys)));
        // They make keys of their own, but set no budget for themselves.
        let me = person("user_me", Role::TeamManager, Some("team_a"));
        assert!(manager.may(Change(Area::Keys), me) && !manager.may(Change(Area::Budgets), me));
    }

    #[test]
    fn a_manager_without_a_team_is_a_member() {
        let idle = actor(Role::TeamManager, None);
        for permission in AREAS.into_iter().flat_map(|area| [Read(area), Change(area)]) {
            assert_eq!(
                idle.reach(permission),
                Role::Member.reach(permission),
                "{permission:?}"
            );
        }
        let nobodys = Target::Owned {
            user: None,
            team: None,
        };
        assert!(!idle.may(Read(Area::Keys), nobodys));
    }

    #[test]
    fn the_highest_role_counts() {
        assert_eq!(Role::highest([Role::Member, Role::Auditor]), Some(Role::Auditor));
        assert_eq!(
            Role::highest([Role::Auditor, Role::TeamManager]),
            Some(Role::TeamManager)
        );
        assert_eq!(Role::highest([Role::Admin, Role::Owner]), Some(Role::Owner));
        assert_eq!(Role::highest([]), None);
    }

    #[test]
    fn a_refusal_names_who_may() {
        let said = |permission| refusal(permission).message;
        assert!(said(Change(Area::Owners)).starts_with("Only owners may do this."));
        assert!(said(Change(Area::Endpoints)).starts_with("Only owners and admins may do this."));
        assert!(
            said(Read(Area::Teams)).starts_with(
                "Only owners, admins, auditors and team managers for their own team may do this."
            )
        );
        assert!(said(Change(Area::OwnSearch)).starts_with("Nobody may do this for somebody else."));
    }
}
