//! The forms that make and change budgets.

use super::budgets::{amount, id_of};
use super::form::{FormData, Posted, is_about_input, pairs};
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::{budgets, keys, users};
use crate::store::{KeyQuery, KeyStateFilter, UserQuery};
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{
    BudgetRuleSpec, BudgetView, CreateBudget, PolicySpec, PostureKind, Recipients, RuleAction, ScopeKind,
    UpdateBudget, Usd,
};
use ccag_console::form::Field;
use ccag_console::page::{BudgetEditPage, BudgetForm, FixedTerms, STEPS, StepForm, step_names};
use ccag_console::{Tone, path};
use ccag_domain::{Area, BudgetMode, Code, KeyId, Period, Permission, Problem, TeamId, UserId};

const CHOOSE: &str = "Choose one of those that are offered.";

pub(super) async fn blank(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = blank_page(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn blank_page(visitor: &Visitor, query: Option<&str>) -> Result<BudgetEditPage, Problem> {
    let mut form = BudgetForm::default();
    let actor = visitor.actor();
    if !actor.may_all(Permission::Change(Area::WiderBudgets)) {
        // Managers set those of their team's members.
        form.scope = Field::new(ScopeKind::Member.as_str());
        form.team = Field::new(actor.team_id().map(ToString::to_string).unwrap_or_default());
    }
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "scope" if ScopeKind::parse(&value).is_some() => form.scope = Field::new(value),
            "team" if TeamId::parse(&value).is_ok() => form.team = Field::new(value),
            _ => {}
        }
    }
    Ok(BudgetEditPage {
        // Members may not even see the form.
        teams: team_choices(visitor).await?,
        form,
        ..BudgetEditPage::default()
    })
}

fn refill(form: &FormData) -> BudgetForm {
    let field = |name: &str| Field::new(form.text(name));
    let step = |at: usize| match step_names(at) {
        Some([percent, action, detail]) => StepForm {
            percent: field(percent),
            action: field(action),
            detail: field(detail),
        },
        None => StepForm::default(),
    };
    BudgetForm {
        scope: field("scope"),
        team: field("team"),
        user: field("user"),
        key: field("key"),
        amount: field("amount"),
        period: field("period"),
        time_zone: field("time_zone"),
        mode: field("mode"),
        policy: field("policy"),
        steps: std::array::from_fn(step),
        posture: field("posture"),
        grace: field("grace"),
        notify: field("notify"),
    }
}

/// Reads a choice; says in the field what is wrong with it.
pub(super) fn choice<T>(field: &mut Field, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let value = read(&field.value);
    if value.is_none() {
        field.error = Some(CHOOSE.to_owned());
    }
    value
}

fn posture(text: &str) -> Option<PostureKind> {
    match text {
        "granted" => Some(PostureKind::Granted),
        "grace" => Some(PostureKind::Grace),
        "refuse" => Some(PostureKind::Refuse),
        _ => None,
    }
}

fn action(text: &str) -> Option<RuleAction> {
    match text {
        "notify" => Some(RuleAction::Notify),
        "throttle" => Some(RuleAction::Throttle),
        "restrict" => Some(RuleAction::Restrict),
        "block" => Some(RuleAction::Block),
        _ => None,
    }
}

/// The policy that the form asks for, and which field each rule stands in. `None` if a field is wrong, which then says so.
fn policy(form: &mut BudgetForm) -> Option<(PolicySpec, Vec<usize>)> {
    if form.policy.value != "custom" {
        return Some((PolicySpec::Preset(form.policy.value.clone()), Vec::new()));
    }
    let (mut rules, mut places) = (Vec::new(), Vec::new());
    let mut sound = true;
    for (at, step) in form.steps.iter_mut().enumerate() {
        if step.percent.value.is_empty() {
            continue;
        }
        let percent = step.percent.value.trim_end_matches('%').trim().parse().ok();
        if percent.is_none() {
            step.percent.error = Some("Give a whole number of percent, 1 to 1000.".to_owned());
        }
        let action = choice(&mut step.action, action);
        let detail = &step.detail.value;
        let rate = match action {
            Some(RuleAction::Throttle) => detail.parse().ok(),
            _ => None,
        };
        if action == Some(RuleAction::Throttle) && rate.is_none() {
            step.detail.error = Some("Give the requests a minute as a whole number.".to_owned());
        }
        let models = (action == Some(RuleAction::Restrict)).then(|| {
            let names = detail.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        });
        sound &= [&step.percent, &step.action, &step.detail]
            .iter()
            .all(|f| f.error.is_none());
        if let (Some(at_percent), Some(action)) = (percent, action) {
            rules.push(BudgetRuleSpec {
                at_percent,
                action,
                requests_per_minute: rate,
                models,
            });
            places.push(at);
        }
    }
    sound.then_some((PolicySpec::Rules(rules), places))
}

/// What both forms ask for.
struct Terms {
    amount: Usd,
    mode: BudgetMode,
    policy: PolicySpec,
    places: Vec<usize>,
    posture: PostureKind,
    grace: Option<Usd>,
    notify: Recipients,
}

fn read_terms(form: &mut BudgetForm) -> Option<Terms> {
    let amount_usd = amount(&mut form.amount);
    let mode = choice(&mut form.mode, BudgetMode::parse);
    let policy = policy(form);
    let posture = choice(&mut form.posture, posture);
    let notify = choice(&mut form.notify, Recipients::parse);
    let grace = if form.grace.value.is_empty() {
        Some(None)
    } else {
        amount(&mut form.grace).map(Some)
    };
    let (policy, places) = policy?;
    Some(Terms {
        amount: amount_usd?,
        mode: mode?,
        policy,
        places,
        posture: posture?,
        grace: grace?,
        notify: notify?,
    })
}

/// The user that is meant, by id or user name.
async fn user_of(visitor: &Visitor, text: &str) -> Result<UserId, Problem> {
    if let Ok(id) = UserId::parse(text) {
        return Ok(id);
    }
    let query = UserQuery {
        username: Some(text.to_owned()),
        limit: 1,
        ..UserQuery::default()
    };
    let (found, _) = users::list(&visitor.state().app, &visitor.actor(), &query).await?;
    found.into_iter().next().map(|user| user.id).ok_or_else(|| {
        Problem::new(Code::InvalidRequest, "There is no user with this user name.").field("user_id")
    })
}

/// The active key that is meant, by id or name.
async fn key_of(visitor: &Visitor, text: &str) -> Result<KeyId, Problem> {
    if let Ok(id) = KeyId::parse(text) {
        return Ok(id);
    }
    let query = KeyQuery {
        name: Some(text.to_owned()),
        state: Some(KeyStateFilter::Active),
        limit: 2,
        ..KeyQuery::default()
    };
    let (found, _) = keys::list(&visitor.state().app, &visitor.actor(), query).await?;
    let wrong = |message: &str| Problem::new(Code::InvalidRequest, message).field("key_id");
    match found.as_slice() {
        [key] => Ok(key.id.clone()),
        [] => Err(wrong("There is no active key with this name.")),
        _ => Err(wrong(
            "Several keys have this name: give the id of the one that is meant.",
        )),
    }
}

/// Whom a budget or a limit is about, by the fields for the team, the user and the key. Those that the scope has no use for
/// are left out.
pub(super) async fn whom(
    visitor: &Visitor,
    scope: ScopeKind,
    [team, user, key]: [&Field; 3],
) -> Result<(Option<TeamId>, Option<UserId>, Option<KeyId>), Problem> {
    let of_team = matches!(scope, ScopeKind::Team | ScopeKind::EachMember | ScopeKind::Member);
    let of_user = matches!(scope, ScopeKind::User | ScopeKind::Member);
    let missing = |field: &str, message: &str| Problem::new(Code::InvalidRequest, message).field(field);
    let team_id = match TeamId::parse(&team.value) {
        _ if !of_team => None,
        Ok(id) => Some(id),
        Err(_) => return Err(missing("team_id", "Choose the team that is meant.")),
    };
    let user_id = match user.value.as_str() {
        _ if !of_user => None,
        "" => return Err(missing("user_id", "Name the user who is meant.")),
        text => Some(user_of(visitor, text).await?),
    };
    let key_id = match key.value.as_str() {
        _ if scope != ScopeKind::Key => None,
        "" => return Err(missing("key_id", "Name the key that is meant.")),
        text => Some(key_of(visitor, text).await?),
    };
    Ok((team_id, user_id, key_id))
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let mut filled = refill(&form);
    let scope = choice(&mut filled.scope, ScopeKind::parse);
    let period = choice(&mut filled.period, Period::parse);
    let terms = read_terms(&mut filled);
    let (Some(scope), Some(period), Some(terms)) = (scope, period, terms) else {
        return create_again(visitor, filled, &[], None).await;
    };
    let places = terms.places.clone();
    let made = match request(&visitor, &filled, scope, period, terms).await {
        Ok(request) => budgets::create(&visitor.state().app, &visitor.actor(), request).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(view) => {
            let message = format!(
                "The budget is there. {} Every connected data plane follows within a second.",
                so_far(&view)
            );
            visitor.go_saying(&path::budget(view.id.as_str()), Tone::Good, &message)
        }
        Err(problem) => create_again(visitor, filled, &places, Some(problem)).await,
    }
}

fn so_far(view: &BudgetView) -> String {
    match (&view.current, view.accounts) {
        (Some(account), None) => format!("{} % of it are spent.", account.percent),
        _ => "Each gets an account of their own.".to_owned(),
    }
}

/// What the form for a new budget asks for.
async fn request(
    visitor: &Visitor,
    form: &BudgetForm,
    scope: ScopeKind,
    period: Period,
    terms: Terms,
) -> Result<CreateBudget, Problem> {
    let (team_id, user_id, key_id) = whom(visitor, scope, [&form.team, &form.user, &form.key]).await?;
    Ok(CreateBudget {
        scope,
        team_id,
        user_id,
        key_id,
        amount_usd: terms.amount,
        period: Some(period),
        time_zone: Some(form.time_zone.value.clone()),
        mode: Some(terms.mode),
        policy: Some(terms.policy),
        posture: Some(terms.posture),
        grace_usd: terms.grace,
        notify_recipients: Some(terms.notify),
    })
}

async fn create_again(
    visitor: Visitor,
    form: BudgetForm,
    places: &[usize],
    problem: Option<Problem>,
) -> Response {
    match team_choices(&visitor).await {
        Ok(teams) => {
            let page = BudgetEditPage {
                teams,
                form,
                ..BudgetEditPage::default()
            };
            again(visitor, page, places, problem)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// The form once more, with what was entered and what is wrong with it. `places` says in which field each rule stands.
fn again(visitor: Visitor, mut page: BudgetEditPage, places: &[usize], problem: Option<Problem>) -> Response {
    match problem {
        Some(problem) if !is_about_input(&problem) => return visitor.refuse(problem),
        Some(problem) => {
            let name = problem.field.as_deref().map(|name| in_form(name, places));
            match name.and_then(|name| page.form.field_mut(&name)) {
                Some(field) => field.error = Some(problem.message),
                None => page.trouble = Some(problem.message),
            }
        }
        None => {}
    }
    visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `policy[1].at_percent` of what was sent, by the field that the rule stands in.
fn in_form(name: &str, places: &[usize]) -> String {
    let moved = || {
        let (at, part) = name.strip_prefix("policy[")?.split_once(']')?;
        let place = places.get(at.parse::<usize>().ok()?)?;
        Some(format!("policy[{place}]{part}"))
    };
    moved().unwrap_or_else(|| name.to_owned())
}

pub(super) async fn edit(visitor: Visitor, Path(id): Path<String>) -> Response {
    let found = match id_of(&id) {
        Ok(id) => budgets::find_to_change(&visitor.state().app, &visitor.actor(), &id).await,
        Err(problem) => Err(problem),
    };
    visitor.answer(found.map(|view| BudgetEditPage {
        fixed: Some(fixed(&view)),
        form: stored(&view),
        ..BudgetEditPage::default()
    }))
}

fn fixed(view: &BudgetView) -> FixedTerms {
    FixedTerms {
        id: view.id.to_string(),
        about: view.about.clone(),
        period: format!("{}, {}", view.period.as_str(), view.time_zone),
    }
}

fn stored(view: &BudgetView) -> BudgetForm {
    let mut steps: [StepForm; STEPS] = Default::default();
    if view.policy == "custom" {
        for (step, rule) in steps.iter_mut().zip(&view.rules) {
            *step = StepForm {
                percent: Field::new(rule.at_percent.to_string()),
                action: Field::new(match rule.action {
                    RuleAction::Notify => "notify",
                    RuleAction::Throttle => "throttle",
                    RuleAction::Restrict => "restrict",
                    RuleAction::Block => "block",
                }),
                detail: Field::new(match (rule.requests_per_minute, &rule.models) {
                    (Some(rate), _) => rate.to_string(),
                    (None, Some(models)) => models.join(", "),
                    (None, None) => String::new(),
                }),
            };
        }
    }
    BudgetForm {
        amount: Field::new(view.amount_usd.to_string()),
        mode: Field::new(view.mode.as_str()),
        policy: Field::new(view.policy.clone()),
        steps,
        posture: Field::new(match view.posture {
            PostureKind::Granted => "granted",
            PostureKind::Grace => "grace",
            PostureKind::Refuse => "refuse",
        }),
        grace: Field::new(view.grace_usd.map(|grace| grace.to_string()).unwrap_or_default()),
        notify: Field::new(view.notify_recipients.as_str()),
        ..BudgetForm::default()
    }
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let found = match id_of(&id) {
        Ok(id) => budgets::find_to_change(app, &actor, &id).await,
        Err(problem) => Err(problem),
    };
    let before = match found {
        Ok(view) => view,
        Err(problem) => return visitor.refuse(problem),
    };
    let mut page = BudgetEditPage {
        fixed: Some(fixed(&before)),
        form: refill(&form),
        ..BudgetEditPage::default()
    };
    let Some(terms) = read_terms(&mut page.form) else {
        return again(visitor, page, &[], None);
    };
    // Steps beyond those that the form has room for are kept, unless the steps are changed.
    let shown = stored(&before);
    let same_steps =
        before.rules.len() > STEPS && page.form.policy == shown.policy && page.form.steps == shown.steps;
    let request = UpdateBudget {
        amount_usd: Some(terms.amount),
        mode: Some(terms.mode),
        policy: (!same_steps).then_some(terms.policy),
        posture: Some(terms.posture),
        grace_usd: terms.grace,
        notify_recipients: Some(terms.notify),
    };
    match budgets::update(app, &actor, &before.id, request).await {
        Ok(view) => {
            let message = format!(
                "The budget is saved: {}. Every connected data plane follows within a second.",
                super::budgets::terms(view.amount_usd, view.period)
            );
            visitor.go_saying(&path::budget(&id), Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, &terms.places, Some(problem)),
    }
}
