//! What Bedrock takes: the rules in force, what was learnt, and what was left out or is unknown.

use super::{Page, Section};
use crate::form::Choice;
use crate::format::{ago, grouped};
use crate::part::block::{Colour, badge, card, empty, message, nothing, page_head, text};
use crate::part::field::{button_form, filter_bar, options, page_link};
use crate::part::list::{Column, cell, name_cell, number_cell, prose_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// One version of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// The surface of Bedrock.
    pub surface: String,
    /// The version.
    pub version: String,
    /// Whether new conversations follow it.
    pub in_force: bool,
    /// Why it was made.
    pub reason: String,
    /// When.
    pub made_at_ms: UnixMs,
}

/// Something that an endpoint refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LessonRow {
    /// Its id.
    pub id: String,
    /// What it is, in words: `beta x`.
    pub what: String,
    /// The endpoint.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// Under which version of the rules.
    pub version: String,
    /// When it was learnt.
    pub learnt_at_ms: UnixMs,
}

/// Something that was left out of a request or an answer, or that no rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRow {
    /// What kind of thing.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether the rules know it.
    pub known: bool,
    /// How often it came.
    pub count: u64,
    /// When it last came.
    pub last_seen_ms: UnixMs,
}

/// A rule of an admin's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRuleRow {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: RuleRow,
    /// When it was changed.
    pub changed_at_ms: UnixMs,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleRow {
    /// The surface.
    pub surface: String,
    /// The table.
    pub table: String,
    /// What it is about.
    pub name: String,
    /// What is done with it.
    pub action: String,
    /// For which models, and under which conditions, in words.
    pub condition: String,
    /// Where the knowledge comes from.
    pub source: String,
}

/// Which rules are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Part of a name.
    pub text: String,
    /// One table; empty is all.
    pub table: String,
    /// The surface.
    pub surface: String,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapabilitiesPage {
    /// All versions, the newest of each surface first.
    pub versions: Vec<VersionRow>,
    /// The admins' own rules.
    pub own: Vec<OwnRuleRow>,
    /// What was learnt.
    pub lessons: Vec<LessonRow>,
    /// What was left out, or is unknown.
    pub seen: Vec<SeenRow>,
    /// The rules in force that the filter selects.
    pub rules: Vec<RuleRow>,
    /// How many rules are in force.
    pub rules_in_all: u64,
    /// The filter.
    pub filter: RuleFilter,
    /// The surfaces to choose from.
    pub surfaces: Vec<String>,
    /// The tables to choose from.
    pub tables: Vec<String>,
}

impl Page for CapabilitiesPage {
    fn title(&self) -> String {
        "Capabilities".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Capabilities)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let add = page_link(context, path::NEW_RULE, "Add a rule", "button primary");
        view! {
            {page_head(
                "Capabilities".to_owned(),
                text("What Bedrock takes of what clients send, and what clients get of its answers. A conversation keeps the version of the rules that it began under."),
                add,
            )}
            {self.lessons(context)}
            {self.seen(context)}
            {self.own(context)}
            {self.rules()}
            {self.versions(context)}
        }
        .into_any()
    }
}

impl CapabilitiesPage {
    fn lessons(&self, context: &PageContext) -> AnyView {
        let body = if self.lessons.is_empty() {
            view! { <p>"Nothing: Bedrock has refused no part of a request under the rules in force."</p> }
                .into_any()
        } else {
            let columns = vec![
                Column::text("Left out"),
                Column::text("Endpoint"),
                Column::text("Model"),
                Column::text("Rules"),
                Column::text("Learnt"),
                Column::text("Change"),
            ];
            let rows = self
                .lessons
                .iter()
                .map(|lesson| {
                    let action = path::forget_lesson(&lesson.id);
                    view! {
                        <tr>
                            {row_head(text(lesson.what.clone()))}
                            {name_cell("Endpoint", text(lesson.endpoint.clone()))}
                            {name_cell("Model", view! { <code>{lesson.model.clone()}</code> }.into_any())}
                            {cell("Rules", text(lesson.version.clone()))}
                            {cell("Learnt", ago(lesson.learnt_at_ms, context.now_ms))}
                            {cell("Change", button_form(context, action, &[], "Try again", &lesson.what, "small"))}
                        </tr>
                    }
                    .into_any()
                })
                .collect();
            view! {
                <p>"Bedrock refused these once. Conversations that begin later do without them; add a rule to decide for good."</p>
                {table("Learnt from Bedrock", columns, rows)}
            }
            .into_any()
        };
        card("learnt", "Learnt from Bedrock", nothing(), body)
    }

    fn seen(&self, context: &PageContext) -> AnyView {
        let body = if self.seen.is_empty() {
            view! { <p>"Nothing yet: all requests and answers went through whole, and the rules know everything in them."</p> }.into_any()
        } else {
            let columns = vec![
                Column::text("Name"),
                Column::text("Kind"),
                Column::text("Rules"),
                Column::number("Times"),
                Column::text("Last"),
            ];
            let rows = self
                .seen
                .iter()
                .map(|seen| {
                    let known = if seen.known {
                        badge(Colour::Muted, "Known")
                    } else {
                        badge(Colour::Warn, "Unknown")
                    };
                    view! {
                        <tr>
                            {row_head(view! { <code>{seen.name.clone()}</code> }.into_any())}
                            {cell("Kind", text(seen.kind.clone()))}
                            {cell("Rules", known)}
                            {number_cell("Times", text(grouped(seen.count)))}
                            {cell("Last", ago(seen.last_seen_ms, context.now_ms))}
                        </tr>
                    }
                    .into_any()
                })
                .collect();
            table("Left out, or unknown to the rules", columns, rows)
        };
        card("seen", "Left out, or unknown to the rules", nothing(), body)
    }

    fn own(&self, context: &PageContext) -> AnyView {
        if self.own.is_empty() {
            return card(
                "own",
                "Rules of your own",
                nothing(),
                view! { <p>"None. A rule of your own counts before the shipped ones, on every data plane within a second."</p> }.into_any(),
            );
        }
        let mut columns = rule_columns();
        columns.insert(1, Column::text("Surface"));
        columns.push(Column::text("Changed"));
        columns.push(Column::text("Change"));
        let rows = self
            .own
            .iter()
            .map(|own| {
                let label = format!("Take away the rule for {}", own.rule.name);
                view! {
                    <tr>
                        {rule_cells(&own.rule, true)}
                        {cell("Changed", ago(own.changed_at_ms, context.now_ms))}
                        {cell("Change", match context.opens(&path::delete_rule(&own.id)) {
                            true => view! {
                                <a class="button small" href=path::delete_rule(&own.id) aria-label=label>"Take away"</a>
                            }.into_any(),
                            false => nothing(),
                        })}
                    </tr>
                }
                .into_any()
            })
            .collect();
        card(
            "own",
            "Rules of your own",
            text("The newest counts first."),
            table("Rules of your own", columns, rows),
        )
    }

    fn rules(&self) -> AnyView {
        let choose = |id: &'static str,
                      name: &'static str,
                      label: &'static str,
                      all: Option<&str>,
                      values: &[String],
                      chosen: &str| {
            let mut choices: Vec<Choice> = all.map(|all| Choice::new("", all)).into_iter().collect();
            choices.extend(
                values
                    .iter()
                    .map(|value| Choice::new(value.clone(), value.clone())),
            );
            view! {
                <div class="field">
                    <label for=id>{label}</label>
                    <select id=id name=name>{options(&choices, chosen)}</select>
                </div>
            }
        };
        let more = view! {
            {choose("filter-surface", "surface", "Surface", None, &self.surfaces, &self.filter.surface)}
            {choose("filter-table", "table", "Table", Some("All tables"), &self.tables, &self.filter.table)}
        };
        let list = if self.rules.is_empty() {
            empty(
                "No rule fits",
                view! { <p>"The row * of each table decides on what no other row names; what it meets is counted above."</p> }.into_any(),
                nothing(),
            )
        } else {
            let rows = self
                .rules
                .iter()
                .map(|rule| view! { <tr>{rule_cells(rule, false)}</tr> }.into_any())
                .collect();
            table("Rules in force", rule_columns(), rows)
        };
        let note = format!(
            "{} of {}",
            grouped(self.rules.len() as u64),
            grouped(self.rules_in_all)
        );
        let body = view! {
            {filter_bar(path::CAPABILITIES, "Name or source", &self.filter.text, more.into_any())}
            {list}
        };
        card("rules", "Rules in force", text(note), body.into_any())
    }

    fn versions(&self, context: &PageContext) -> AnyView {
        let columns = vec![
            Column::text("Version"),
            Column::text("Surface"),
            Column::text("State"),
            Column::text("Why"),
            Column::text("Made"),
        ];
        let rows = self
            .versions
            .iter()
            .map(|version| {
                let state = if version.in_force {
                    badge(Colour::Good, "In force")
                } else {
                    badge(Colour::Muted, "Kept for running conversations")
                };
                view! {
                    <tr>
                        {row_head(text(version.version.clone()))}
                        {cell("Surface", text(version.surface.clone()))}
                        {cell("State", state)}
                        {prose_cell("Why", message(&version.reason))}
                        {cell("Made", ago(version.made_at_ms, context.now_ms))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        card(
            "versions",
            "Versions",
            nothing(),
            table("Versions of the rules", columns, rows),
        )
    }
}

fn rule_columns() -> Vec<Column> {
    vec![
        Column::text("Name"),
        Column::text("Table"),
        Column::text("Do"),
        Column::text("When"),
        Column::text("Source"),
    ]
}

/// The rules in force are those of one surface, which the filter names; an admin's own are for any.
fn rule_cells(rule: &RuleRow, with_surface: bool) -> AnyView {
    view! {
        {row_head(view! { <code>{rule.name.clone()}</code> }.into_any())}
        {with_surface.then(|| cell("Surface", text(rule.surface.clone())))}
        {cell("Table", text(rule.table.clone()))}
        {name_cell("Do", text(rule.action.clone()))}
        {name_cell("When", text(rule.condition.clone()))}
        {prose_cell("Source", text(rule.source.clone()))}
    }
    .into_any()
}
