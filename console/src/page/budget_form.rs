//! What is asked about a budget, in the forms that make and change one.

use crate::form::{Choice, Field};
use crate::part::field::Ask;
use leptos::prelude::*;

/// How many steps of one's own the form has room for.
pub const STEPS: usize = 5;

/// A step of one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepForm {
    /// From which share on, in percent; empty is no step.
    pub percent: Field,
    /// `notify`, `throttle`, `restrict` or `block`.
    pub action: Field,
    /// The rate, or the models.
    pub detail: Field,
}

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetForm {
    /// Whose spending it bounds.
    pub scope: Field,
    /// The team, by id.
    pub team: Field,
    /// The user, by name or id.
    pub user: Field,
    /// The key, by name or id.
    pub key: Field,
    /// How much, in dollars.
    pub amount: Field,
    /// When it begins anew.
    pub period: Field,
    /// In whose midnight that is.
    pub time_zone: Field,
    /// How closely it holds.
    pub mode: Field,
    /// A preset, or `custom`.
    pub policy: Field,
    /// The steps of one's own.
    pub steps: [StepForm; STEPS],
    /// What happens without the control plane.
    pub posture: Field,
    /// How much then.
    pub grace: Field,
    /// Who is told.
    pub notify: Field,
}

impl Default for BudgetForm {
    fn default() -> Self {
        Self {
            scope: Field::new("organisation"),
            team: Field::default(),
            user: Field::default(),
            key: Field::default(),
            amount: Field::default(),
            period: Field::new("monthly"),
            time_zone: Field::new("UTC"),
            mode: Field::new("balanced"),
            policy: Field::new("standard"),
            steps: Default::default(),
            posture: Field::new("granted"),
            grace: Field::default(),
            notify: Field::new("both"),
        }
    }
}

impl BudgetForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        if let Some(rest) = name.strip_prefix("policy[") {
            let (at, part) = rest.split_once("].")?;
            let step = self.steps.get_mut(at.parse::<usize>().ok()?)?;
            return Some(match part {
                "at_percent" => &mut step.percent,
                "action" => &mut step.action,
                _ => &mut step.detail,
            });
        }
        Some(match name {
            "scope" => &mut self.scope,
            "team_id" => &mut self.team,
            "user_id" => &mut self.user,
            "key_id" => &mut self.key,
            "amount_usd" => &mut self.amount,
            "period" => &mut self.period,
            "time_zone" => &mut self.time_zone,
            "mode" => &mut self.mode,
            "policy" => &mut self.policy,
            "posture" => &mut self.posture,
            "grace_usd" => &mut self.grace,
            "notify_recipients" => &mut self.notify,
            _ => return None,
        })
    }
}

pub(crate) const SCOPE: Ask = Ask::line("scope", "Whose spending", "", true, 0);
pub(crate) const TEAM: Ask = Ask::line(
    "team",
    "Team",
    "For a team, each of its members, or one of them.",
    false,
    0,
);
pub(crate) const USER: Ask = Ask::line(
    "user",
    "User",
    "For one user, or one member of a team: their user name.",
    false,
    200,
);
pub(crate) const KEY: Ask = Ask::line("key", "Key", "For one key: its name or id.", false, 200);
pub(crate) const AMOUNT: Ask = Ask::line(
    "amount",
    "Amount in dollars",
    "Such as 250 or 0.50. With 0 nothing may be spent.",
    true,
    24,
);
pub(crate) const PERIOD: Ask = Ask::line("period", "Begins anew", "", true, 0);
pub(crate) const ZONE: Ask = Ask::line(
    "time_zone",
    "Time zone",
    "In whose midnight it begins anew: a name of the IANA database, such as Europe/Berlin.",
    true,
    64,
);
pub(crate) const MODE: Ask = Ask::line("mode", "Mode", "", true, 0);
pub(crate) const POLICY: Ask = Ask::line("policy", "On the way", "", true, 0);
pub(crate) const POSTURE: Ask = Ask::line(
    "posture",
    "While the control plane is out of reach",
    "What data planes do that cannot ask how much is left.",
    true,
    0,
);
pub(crate) const GRACE: Ask = Ask::line(
    "grace",
    "How much more, in dollars",
    "For each data plane, each time that it is cut off. Only if it is to serve more.",
    false,
    24,
);
pub(crate) const NOTIFY: Ask = Ask::line("notify", "Who is told", "When a step is reached.", true, 0);

const fn percent(id: &'static str, label: &'static str) -> Ask {
    Ask::line(id, label, "", false, 4)
}

const fn detail(id: &'static str) -> Ask {
    Ask::line(id, "Rate or models", "", false, 1_000)
}

pub(crate) const STEP_ASKS: [[Ask; 3]; STEPS] = [
    [
        percent("step1_percent", "Step 1, percent"),
        Ask::line("step1_action", "What happens", "", true, 0),
        detail("step1_detail"),
    ],
    [
        percent("step2_percent", "Step 2, percent"),
        Ask::line("step2_action", "What happens", "", true, 0),
        detail("step2_detail"),
    ],
    [
        percent("step3_percent", "Step 3, percent"),
        Ask::line("step3_action", "What happens", "", true, 0),
        detail("step3_detail"),
    ],
    [
        percent("step4_percent", "Step 4, percent"),
        Ask::line("step4_action", "What happens", "", true, 0),
        detail("step4_detail"),
    ],
    [
        percent("step5_percent", "Step 5, percent"),
        Ask::line("step5_action", "What happens", "", true, 0),
        detail("step5_detail"),
    ],
];

/// The names of the fields of a step in the form.
#[must_use]
pub fn step_names(at: usize) -> Option<[&'static str; 3]> {
    STEP_ASKS.get(at).map(|asks| asks.map(|ask| ask.name))
}

pub(crate) fn zones() -> Vec<String> {
    [
        "UTC",
        "America/Los_Angeles",
        "America/Chicago",
        "America/New_York",
        "America/Sao_Paulo",
        "Europe/London",
        "Europe/Berlin",
        "Europe/Paris",
        "Asia/Kolkata",
        "Asia/Singapore",
        "Asia/Tokyo",
        "Australia/Sydney",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(crate) fn periods() -> Vec<Choice> {
    vec![
        Choice::new("daily", "Every day, at midnight"),
        Choice::new("weekly", "Every week, on Monday"),
        Choice::new("monthly", "Every month, on the first"),
        Choice::new("total", "Never"),
    ]
}

pub(crate) fn modes() -> Vec<Choice> {
    vec![
        Choice::new("balanced", "Balanced: let through what is likely to fit"),
        Choice::new("hard", "Hard: let through what fits in any case"),
        Choice::new("fitting", "Fitting: the same, and shorten what does not fit"),
    ]
}

pub(crate) fn policies(custom: bool) -> Vec<Choice> {
    let mut choices = vec![
        Choice::new("standard", "Standard: tell at 80 %, block at 100 %"),
        Choice::new("soft", "Soft: tell at 80 % and 100 %, block at 150 %"),
        Choice::new(
            "shaped",
            "Shaped: tell at 80 %, 5 requests a minute from 100 %, block at 150 %",
        ),
    ];
    if custom {
        choices.push(Choice::new("custom", "Steps of my own, below"));
    }
    choices
}

pub(crate) fn actions() -> Vec<Choice> {
    vec![
        Choice::new("notify", "Tell somebody"),
        Choice::new("throttle", "Slow down to so many requests a minute"),
        Choice::new("restrict", "Serve only these models"),
        Choice::new("block", "Serve nothing"),
    ]
}

pub(crate) fn postures() -> Vec<Choice> {
    vec![
        Choice::new("granted", "Serve what they have been granted, then nothing"),
        Choice::new("grace", "Serve so much more"),
        Choice::new("refuse", "Serve nothing"),
    ]
}

pub(crate) fn recipients() -> Vec<Choice> {
    vec![
        Choice::new("both", "Those whom it is about, and the administrators"),
        Choice::new("user", "Those whom it is about"),
        Choice::new("admins", "The administrators"),
    ]
}

/// What the modes mean, beside the form.
pub(crate) fn about_modes() -> AnyView {
    view! {
        <aside class="card stack" aria-labelledby="about-modes">
            <h2 id="about-modes">"Balanced, hard or fitting?"</h2>
            <p>
                <strong>"Balanced"</strong>
                " lets a request through if what it is likely to cost is left. People can work until the budget is "
                "used up; what is spent beyond it is bounded by the requests that run at that moment."
            </p>
            <p>
                <strong>"Hard"</strong>
                " sets the most that a request could cost aside before it is let through, so that nothing is overspent. "
                "That is a lot: Claude Code asks for up to 128,000 output tokens, which on Claude Opus 5.5 sets aside "
                "$2.56, and the prompt besides. A hard budget with less left than that serves only requests that ask "
                "for fewer tokens (max_tokens), or cheaper models."
            </p>
            <p>
                <strong>"Fitting"</strong>
                " is as hard, but a request for more output tokens than are left for gets as many as are left, down to "
                "2,048. Near the end answers may break off where they would have been longer; Claude Code goes on "
                "from there."
            </p>
            <p>"Several budgets can bound the same request. All of them must hold."</p>
        </aside>
    }
    .into_any()
}
