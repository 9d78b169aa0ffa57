//! Budgets: how much may be spent, and how much is.

mod show;
mod words;

use super::Context;
use crate::clock;
use crate::error::CliError;
use crate::human::parse_when;
use crate::names;
use ccag_admin_api::{
    BudgetAccountList, BudgetEventList, BudgetList, BudgetRuleSpec, BudgetStatusQuery, BudgetStatusView,
    BudgetView, CreateBudget, CreateRaise, ListAccounts, ListBudgetEvents, ListBudgets, ScopeKind, Timestamp,
    UpdateBudget, Usd, paths,
};
use ccag_domain::BudgetId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;
pub(crate) use show::card_of;
pub(crate) use words::{Mode, Notify, Period, policy, rule};
use words::{Posture, Scope, posture};

const EXAMPLES: &str = "\
Examples:
  Everybody together, a month:
    ccag budgets create 5000
  Each user for whom nothing else is set:
    ccag budgets create 100 --each --policy soft
  A team, with months that begin at midnight in Berlin:
    ccag budgets create 800 --team platform --time-zone Europe/Berlin
  A key, a day, and not a cent more:
    ccag budgets create 20 --key ci --period daily --mode hard
  A user, with steps of its own:
    ccag budgets create 50 --user ada --rule 80:notify --rule 100:throttle=5 --rule 150:block";

/// How many accounts `show` lists.
const ACCOUNTS: u32 = 20;

/// How many steps that were reached `show` lists.
const EVENTS: u32 = 50;

/// Budgets: how much may be spent, and how much is.
#[derive(Debug, Subcommand)]
pub(crate) enum Budgets {
    /// List budgets, with what is spent of each in its current period
    ///
    /// For example: ccag budgets list --scope user --search ada
    List(List),
    /// Show one budget: its rules, its raises, who has spent most, and the steps that were reached lately
    Show {
        /// The budget's id, as `ccag budgets list` shows it
        budget: BudgetId,
    },
    /// Make a budget
    ///
    /// Without --team, --user or --key it is for everybody together, or, with --each, for each user separately. With
    /// --team it is for the team together, or, with --each, for each of its members; --team and --user together name one
    /// member, as far as that team pays.
    #[command(after_help = EXAMPLES)]
    Create(Box<Create>),
    /// Change a budget; what is not named keeps its value
    ///
    /// Whose it is, its period and its time zone stay: what is spent is counted by them.
    ///
    /// For example: ccag budgets update bud_01J… --amount 250 --mode hard
    Update(Box<Update>),
    /// Delete budgets; what was spent stays on record
    Delete {
        /// The budgets' ids
        #[arg(required = true, value_name = "BUDGET")]
        budgets: Vec<BudgetId>,
    },
    /// Raise a budget for a while
    ///
    /// For example: ccag budgets raise bud_01J… 200 --until 3d --reason "release week"
    Raise {
        /// The budget's id
        budget: BudgetId,
        /// How much more, in dollars
        #[arg(value_name = "USD")]
        amount: Usd,
        /// Until when: 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z
        #[arg(long, value_name = "WHEN")]
        until: String,
        /// Why, for those who come after; it is kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End a raise now
    Withdraw {
        /// The budget's id
        budget: BudgetId,
        /// The raise's id, as `ccag budgets show` shows it
        raise: String,
    },
    /// Show the budgets that bound somebody's spending, and how far they are used up; by default your own
    Status {
        /// Of this user; admins only
        #[arg(long)]
        user: Option<String>,
        /// Of this key
        #[arg(long, conflicts_with = "user")]
        key: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this scope
    #[arg(long, value_enum)]
    scope: Option<Scope>,
    /// Only those that name this team
    #[arg(long)]
    team: Option<String>,
    /// Only those that name this user
    #[arg(long)]
    user: Option<String>,
    /// Only those that name this key
    #[arg(long)]
    key: Option<String>,
    /// Only those about a team, user or key with this in its name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// How much, in dollars; 0 means that nothing may be spent
    #[arg(value_name = "USD")]
    amount: Usd,
    /// For each separately: each user, or each member of the team
    #[arg(long, conflicts_with_all = ["user", "key"])]
    each: bool,
    /// The team
    #[arg(long)]
    team: Option<String>,
    /// The user
    #[arg(long)]
    user: Option<String>,
    /// The key
    #[arg(long, conflicts_with_all = ["team", "user"])]
    key: Option<String>,
    /// When it begins anew
    #[arg(long, value_enum, default_value = "monthly")]
    period: Period,
    /// In whose midnight that is, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The budget's id
    budget: BudgetId,
    /// How much, in dollars
    #[arg(long, value_name = "USD")]
    amount: Option<Usd>,
    #[command(flatten)]
    terms: Terms,
}

/// What can be said of a budget at first and later.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// How closely it holds [default: balanced]
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// What happens on the way: standard, soft or shaped [default: standard]
    #[arg(long, value_name = "PRESET", conflicts_with = "rules")]
    policy: Option<String>,
    /// A step on the way, from low to high: 80:notify, 100:throttle=5 (requests a minute), 120:restrict=MODEL,MODEL or
    /// 150:block; may be given several times
    #[arg(long = "rule", value_name = "PERCENT:ACTION", value_parser = rule)]
    rules: Vec<BudgetRuleSpec>,
    /// What data planes do while they cannot ask the control plane [default: granted]
    #[arg(long, value_enum)]
    posture: Option<Posture>,
    /// For the posture `grace`: how much each data plane may serve while it is cut off
    #[arg(long, value_name = "USD")]
    grace: Option<Usd>,
    /// Who is told when a step is reached [default: both]
    #[arg(long, value_enum)]
    notify: Option<Notify>,
}

impl Budgets {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show { budget } => details(context, &budget).await,
            Self::Create(create) => create.run(context).await,
            Self::Update(update) => update.run(context).await,
            Self::Delete { budgets } => {
                for id in &budgets {
                    context.client.order(Method::DELETE, &paths::budget(id)).await?;
                }
                context.out.show(&json!({ "deleted": budgets }), |_| {
                    let lines: Vec<String> = budgets.iter().map(|id| format!("Deleted {id}.")).collect();
                    lines.join("\n")
                })
            }
            Self::Raise {
                budget,
                amount,
                until,
                reason,
            } => {
                let request = CreateRaise {
                    amount_usd: amount,
                    until: parse_when(&until, clock::now()).map_err(CliError::Usage)?,
                    reason,
                };
                let path = paths::budget_raises(&budget);
                let view: BudgetView = context.client.send(Method::POST, &path, &request).await?;
                context.out.show(&view, card_of)
            }
            Self::Withdraw { budget, raise } => {
                let path = paths::budget_raise(&budget, &raise);
                let view: BudgetView = context.client.take_away(&path).await?;
                context.out.show(&view, card_of)
            }
            Self::Status { user, key } => status(context, user, key).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let mut query = ListBudgets {
            scope: self.scope.map(|scope| match scope {
                Scope::Organisation => ScopeKind::Organisation,
                Scope::EachUser => ScopeKind::EachUser,
                Scope::Team => ScopeKind::Team,
                Scope::EachMember => ScopeKind::EachMember,
                Scope::Member => ScopeKind::Member,
                Scope::User => ScopeKind::User,
                Scope::Key => ScopeKind::Key,
            }),
            search: self.search,
            ..ListBudgets::default()
        };
        if let Some(team) = &self.team {
            query.team_id = Some(names::team(client, team).await?);
        }
        if let Some(user) = &self.user {
            query.user_id = Some(names::user(client, user).await?);
        }
        if let Some(key) = &self.key {
            query.key_id = Some(names::key(client, key).await?);
        }
        let list = BudgetList {
            budgets: names::all_budgets(client, query).await?,
            next_cursor: None,
        };
        context.out.show(&list, |list| show::table(&list.budgets))
    }
}

/// Whom a budget or a limit is about, by what is named.
pub(crate) const fn scope_of(team: bool, user: bool, key: bool, each: bool) -> ScopeKind {
    match (team, user, key, each) {
        (false, false, false, false) => ScopeKind::Organisation,
        (false, false, false, true) => ScopeKind::EachUser,
        (true, false, _, false) => ScopeKind::Team,
        (true, false, _, true) => ScopeKind::EachMember,
        (true, true, ..) => ScopeKind::Member,
        (false, true, ..) => ScopeKind::User,
        (false, false, true, _) => ScopeKind::Key,
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let scope = scope_of(
            self.team.is_some(),
            self.user.is_some(),
            self.key.is_some(),
            self.each,
        );
        let mut request = CreateBudget {
            scope,
            team_id: None,
            user_id: None,
            key_id: None,
            amount_usd: self.amount,
            period: Some(self.period.into()),
            time_zone: self.time_zone,
            mode: self.terms.mode.map(Into::into),
            policy: policy(self.terms.policy, self.terms.rules),
            posture: self.terms.posture.map(posture),
            grace_usd: self.terms.grace,
            notify_recipients: self.terms.notify.map(Into::into),
        };
        if let Some(team) = &self.team {
            request.team_id = Some(names::team(client, team).await?);
        }
        if let Some(user) = &self.user {
            request.user_id = Some(names::user(client, user).await?);
        }
        if let Some(key) = &self.key {
            request.key_id = Some(names::key(client, key).await?);
        }
        let view: BudgetView = client.send(Method::POST, paths::BUDGETS, &request).await?;
        context.out.show(&view, card_of)
    }
}

impl Update {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let request = UpdateBudget {
            amount_usd: self.amount,
            mode: self.terms.mode.map(Into::into),
            policy: policy(self.terms.policy, self.terms.rules),
            posture: self.terms.posture.map(posture),
            grace_usd: self.terms.grace,
            notify_recipients: self.terms.notify.map(Into::into),
        };
        if request == UpdateBudget::default() {
            return Err(CliError::Usage(
                "nothing to change: name at least one of --amount, --mode, --policy, --rule, --posture, --grace and --notify"
                    .to_owned(),
            ));
        }
        let path = paths::budget(&self.budget);
        let view: BudgetView = context.client.send(Method::PUT, &path, &request).await?;
        context.out.show(&view, card_of)
    }
}

async fn details(context: &Context, id: &BudgetId) -> Result<(), CliError> {
    let client = &context.client;
    let budget: BudgetView = client.get(&paths::budget(id)).await?;
    let query = ListAccounts {
        limit: Some(ACCOUNTS),
        cursor: None,
    };
    let accounts: BudgetAccountList = client.get_with(&paths::budget_accounts(id), &query).await?;
    let newest = ListBudgetEvents {
        limit: Some(EVENTS),
        cursor: None,
    };
    let events: BudgetEventList = client.get_with(&paths::budget_events(id), &newest).await?;
    let all = json!({ "budget": budget, "accounts": accounts.accounts, "events": events.events });
    context
        .out
        .show(&all, |_| show::details(&budget, &accounts, &events))
}

async fn status(context: &Context, user: Option<String>, key: Option<String>) -> Result<(), CliError> {
    let mut query = BudgetStatusQuery::default();
    if let Some(user) = &user {
        query.user_id = Some(names::user(&context.client, user).await?);
    }
    if let Some(key) = &key {
        query.key_id = Some(names::key(&context.client, key).await?);
    }
    let status: BudgetStatusView = context.client.get_with(paths::BUDGET_STATUS, &query).await?;
    context.out.show(&status, show::status)
}

/// A moment, or a dash.
fn moment(at: Option<Timestamp>) -> String {
    crate::human::moment(at)
}
