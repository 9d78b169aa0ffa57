//! Which use the pages of analytics look at.

use crate::form::Choice;
use crate::part::block::nothing;
use crate::part::field::options;
use crate::path;
use leptos::prelude::*;

/// Ranges by their names in addresses.
pub const RANGES: [(&str, &str); 7] = [
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("90d", "Last 90 days"),
    ("month", "This month"),
    ("last-month", "Last month"),
    ("year", "Last 12 months"),
    ("custom", "From … to …"),
];

/// How finely times are kept apart, by names in addresses.
pub const TIME_STEPS: [(&str, &str); 5] = [
    ("", "As fits"),
    ("hour", "By the hour"),
    ("day", "By the day"),
    ("week", "By the week"),
    ("month", "By the month"),
];

/// Something that can be chosen among others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tick {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// Whether it is chosen.
    pub on: bool,
}

/// What was chosen, and what there is to choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalyticsFilter {
    /// One of [`RANGES`].
    pub range: String,
    /// The first day of a range of one's own, `2026-11-01`.
    pub from: String,
    /// Its last day.
    pub to: String,
    /// One of [`TIME_STEPS`].
    pub step: String,
    /// What is wrong with the range.
    pub trouble: Option<String>,
    /// Teams.
    pub teams: Vec<Tick>,
    /// Models.
    pub models: Vec<Tick>,
    /// Endpoints.
    pub endpoints: Vec<Tick>,
    /// The users that were chosen.
    pub users: Vec<Choice>,
    /// The keys that were chosen.
    pub keys: Vec<Choice>,
    /// The tools that were chosen, which matter to one page only.
    pub tools: Vec<Choice>,
    /// The MCP servers that were chosen, likewise.
    pub servers: Vec<Choice>,
}

impl AnalyticsFilter {
    fn pairs(&self) -> Vec<(&str, &str)> {
        let mut pairs = vec![("range", self.range.as_str())];
        if self.range == "custom" {
            pairs.push(("from", &self.from));
            pairs.push(("to", &self.to));
        }
        pairs.push(("step", &self.step));
        for (name, ticks) in [
            ("team", &self.teams),
            ("model", &self.models),
            ("endpoint", &self.endpoints),
        ] {
            let chosen = ticks.iter().filter(|tick| tick.on);
            pairs.extend(chosen.map(|tick| (name, tick.value.as_str())));
        }
        pairs.extend(self.users.iter().map(|user| ("user", user.value.as_str())));
        pairs.extend(self.keys.iter().map(|key| ("key", key.value.as_str())));
        pairs.extend(self.tools.iter().map(|tool| ("tool", tool.value.as_str())));
        pairs.extend(
            self.servers
                .iter()
                .map(|server| ("server", server.value.as_str())),
        );
        pairs
    }

    /// The address of a page that looks at the same use, of whatever tools.
    pub(crate) fn link(&self, address: &str) -> String {
        let mut pairs = self.pairs();
        pairs.retain(|(name, _)| !matches!(*name, "tool" | "server"));
        path::with_query(address, &pairs)
    }

    /// The address of a page that looks at one more thing's use only.
    pub(crate) fn narrowed(&self, address: &str, name: &'static str, value: &str) -> String {
        let mut pairs = self.pairs();
        if !pairs.contains(&(name, value)) {
            pairs.push((name, value));
        }
        path::with_query(address, &pairs)
    }

    fn without(&self, address: &str, name: &str, value: &str) -> String {
        let mut pairs = self.pairs();
        pairs.retain(|pair| *pair != (name, value));
        path::with_query(address, &pairs)
    }

    /// The form, and what was chosen, each to be taken back.
    pub(crate) fn view(&self, address: &'static str) -> AnyView {
        let choices = |of: &[(&'static str, &'static str)]| -> Vec<Choice> {
            of.iter()
                .map(|(value, label)| Choice::new(*value, *label))
                .collect()
        };
        let hidden = |name: &'static str, chosen: &[Choice]| {
            chosen
                .iter()
                .map(|choice| view! { <input type="hidden" name=name value=choice.value.clone() /> })
                .collect_view()
        };
        let own = self.range == "custom";
        let date = |id: &'static str, name: &'static str, label: &'static str, value: &str| {
            view! {
                <div class="field">
                    <label for=id>{label}</label>
                    <input type="date" id=id name=name value=value.to_owned() />
                </div>
            }
        };
        let dates = own.then(|| {
            view! { {date("from", "from", "From", &self.from)} {date("to", "to", "To and with", &self.to)} }
        });
        let trouble = self
            .trouble
            .clone()
            .map(|text| view! { <p class="field-error" role="alert">{text}</p> });
        view! {
            <form method="get" action=address class="filters" data-autosubmit="">
                <div class="field">
                    <label for="range">"Time"</label>
                    <select id="range" name="range">{options(&choices(&RANGES), &self.range)}</select>
                </div>
                {dates}
                <div class="field">
                    <label for="step">"Steps"</label>
                    <select id="step" name="step">{options(&choices(&TIME_STEPS), &self.step)}</select>
                </div>
                {multiple("team", "Teams", &self.teams)}
                {multiple("model", "Models", &self.models)}
                {multiple("endpoint", "Endpoints", &self.endpoints)}
                {hidden("user", &self.users)}
                {hidden("key", &self.keys)}
                {hidden("tool", &self.tools)}
                {hidden("server", &self.servers)}
                <div class="filter-actions"><button type="submit">"Apply"</button></div>
            </form>
            {trouble}
            {self.chips(address)}
        }
        .into_any()
    }

    fn chips(&self, address: &'static str) -> AnyView {
        let ticked = |name: &'static str, ticks: &[Tick]| -> Vec<(&'static str, String, String)> {
            let on = ticks.iter().filter(|tick| tick.on);
            on.map(|tick| (name, tick.value.clone(), tick.label.clone()))
                .collect()
        };
        let chosen = |name: &'static str, choices: &[Choice]| -> Vec<(&'static str, String, String)> {
            let all = choices.iter();
            all.map(|choice| (name, choice.value.clone(), choice.label.clone()))
                .collect()
        };
        let chips: Vec<_> = [
            ticked("team", &self.teams),
            ticked("model", &self.models),
            ticked("endpoint", &self.endpoints),
            chosen("user", &self.users),
            chosen("key", &self.keys),
            chosen("tool", &self.tools),
            chosen("server", &self.servers),
        ]
        .into_iter()
        .flatten()
        .collect();
        if chips.is_empty() {
            return nothing();
        }
        let chip = |(name, value, label): (&'static str, String, String)| {
            let what = format!("Take back: only {name} {label}");
            view! {
                <li>
                    <a class="chip" href=self.without(address, name, &value) aria-label=what>
                        {format!("{name}: {label}")} <span aria-hidden="true">"×"</span>
                    </a>
                </li>
            }
        };
        let chips = chips.into_iter().map(chip).collect_view();
        view! { <ul class="chips" aria-label="Only of these">{chips}</ul> }.into_any()
    }
}

/// Several of a kind, folded away.
fn multiple(name: &'static str, label: &'static str, ticks: &[Tick]) -> AnyView {
    if ticks.is_empty() {
        return nothing();
    }
    let on = ticks.iter().filter(|tick| tick.on).count();
    let said = if on == 0 {
        format!("{label}: all")
    } else {
        format!("{label}: {on}")
    };
    let tick = |(n, tick): (usize, &Tick)| {
        let id = format!("{name}-{n}");
        view! {
            <li>
                <input type="checkbox" id=id.clone() name=name value=tick.value.clone() checked=tick.on />
                <label for=id>{tick.label.clone()}</label>
            </li>
        }
    };
    let ticks = ticks.iter().enumerate().map(tick).collect_view();
    view! {
        <details class="multi">
            <summary class="button">{said}</summary>
            <fieldset>
                <legend class="visually-hidden">{label}</legend>
                <ul>{ticks}</ul>
            </fieldset>
        </details>
    }
    .into_any()
}
