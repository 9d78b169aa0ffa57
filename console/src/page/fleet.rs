//! The data planes: who is there, and how far each has come.

use super::{Page, Section};
use crate::format::{ago, duration_ms, grouped};
use crate::part::block::{Colour, badge, card, empty, figure, figures, nothing, page_head, text};
use crate::part::list::{Column, cell, name_cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// A change that a data plane could not understand; that object fails closed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What was refused: kind and id.
    pub object: String,
    /// Why, in the data plane's words.
    pub reason: String,
}

/// An endpoint that a data plane tries last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleRow {
    /// The endpoint's name, or its id where it is gone.
    pub endpoint: String,
    /// The Bedrock model; `None` for the endpoint as a whole.
    pub model: Option<String>,
    /// What is wrong, in a word.
    pub cause: String,
    /// What that means.
    pub text: String,
    /// Since when.
    pub since_ms: UnixMs,
}

/// One data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version it runs.
    pub version: String,
    /// Whether a control plane holds a stream with it now.
    pub connected: bool,
    /// Whether it is on its way out.
    pub draining: bool,
    /// The newest revision that it has applied whole.
    pub applied_revision: u64,
    /// How long changes took to be applied, 99th percentile.
    pub apply_p99_ms: Option<i64>,
    /// When it was last heard of.
    pub last_contact_ms: UnixMs,
    /// Requests that it serves now.
    pub in_flight: u64,
    /// Usage records that wait in its spool.
    pub spooled_records: u64,
    /// What it has refused.
    pub rejected: Vec<Rejected>,
    /// The endpoints that it tries last.
    pub troubles: Vec<TroubleRow>,
}

/// Under which master keys secrets are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsAtRest {
    /// The keys by their ids, the current one first, with how many secrets are under each.
    pub keys: Vec<(String, u64)>,
    /// How many no known key opens.
    pub unreadable: u64,
}

/// The data planes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetPage {
    /// The newest revision of the configuration.
    pub current_revision: u64,
    /// Every data plane that is known.
    pub replicas: Vec<ReplicaRow>,
    /// Under which master keys secrets are kept; `None` where it could not be found out.
    pub secrets: Option<SecretsAtRest>,
}

impl Page for FleetPage {
    fn title(&self) -> String {
        "Fleet".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Fleet)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let refresh = view! { <a class="button" href=path::FLEET>"Refresh"</a> }.into_any();
        let list = if self.replicas.is_empty() {
            empty(
                "No data plane has reported yet",
                view! {
                    <p>
                        "Data planes carry the requests. Start one with "
                        <code>"CCAG_CONTROL_PLANE"</code>
                        " and "
                        <code>"CCAG_JOIN_TOKEN"</code>
                        " set, and it appears here as soon as it connects."
                    </p>
                }
                .into_any(),
                nothing(),
            )
        } else {
            self.list(context)
        };
        view! {
            {page_head(
                "Fleet".to_owned(),
                text("The data planes, and whether each has applied the newest configuration."),
                refresh,
            )}
            {self.numbers()}
            {list}
            {self.troubles(context)}
            {self.rejections()}
            {self.secrets.as_ref().map(secrets)}
        }
        .into_any()
    }
}

impl FleetPage {
    fn numbers(&self) -> AnyView {
        let connected = || self.replicas.iter().filter(|r| r.connected);
        let here = connected().count();
        let current = connected()
            .filter(|r| r.applied_revision >= self.current_revision)
            .count();
        let in_flight = connected().map(|r| r.in_flight).sum();
        let spooled = self.replicas.iter().map(|r| r.spooled_records).sum();
        let slowest = connected().filter_map(|r| r.apply_p99_ms).max();
        figures(vec![
            figure(
                "Newest revision",
                text(grouped(self.current_revision)),
                text(format!("applied by {current} of {here} connected")),
            ),
            figure(
                "Time to apply, p99",
                text(slowest.map_or_else(|| "–".to_owned(), duration_ms)),
                text("slowest data plane"),
            ),
            figure("In flight", text(grouped(in_flight)), text("requests, now")),
            figure(
                "Waiting in spools",
                text(grouped(spooled)),
                text("usage records, not yet in the ledger"),
            ),
        ])
    }

    fn list(&self, context: &PageContext) -> AnyView {
        let columns = vec![
            Column::text("Name"),
            Column::text("State"),
            Column::number("Applied"),
            Column::number("p99"),
            Column::text("Last contact"),
            Column::number("In flight"),
            Column::number("Spooled"),
            Column::text("Version"),
        ];
        let rows = self.replicas.iter().map(|r| self.row(r, context)).collect();
        table("Data planes", columns, rows)
    }

    fn row(&self, r: &ReplicaRow, context: &PageContext) -> AnyView {
        let behind = self.current_revision.saturating_sub(r.applied_revision);
        let state = match (r.connected, r.draining) {
            (false, _) => badge(Colour::Bad, "Out of contact"),
            (true, true) => badge(Colour::Warn, "Draining"),
            (true, false) if !r.rejected.is_empty() => badge(Colour::Bad, "Refuses changes"),
            (true, false) if behind > 0 => badge(Colour::Warn, "Catching up"),
            (true, false) => badge(Colour::Good, "Up to date"),
        };
        let applied = if behind == 0 {
            text(grouped(r.applied_revision))
        } else {
            let lag = format!("{} behind", grouped(behind));
            view! { {grouped(r.applied_revision)} " " <span class="lag">{lag}</span> }.into_any()
        };
        let name = view! {
            <span class="row-name">{r.name.clone()}</span>
            <span class="row-detail"><code>{r.id.clone()}</code></span>
        };
        view! {
            <tr>
                {row_head(name.into_any())}
                {cell("State", state)}
                {number_cell("Applied", applied)}
                {number_cell("p99", text(r.apply_p99_ms.map_or_else(|| "–".to_owned(), duration_ms)))}
                {cell("Last contact", ago(r.last_contact_ms, context.now_ms))}
                {number_cell("In flight", text(grouped(r.in_flight)))}
                {number_cell("Spooled", text(grouped(r.spooled_records)))}
                {cell("Version", text(r.version.clone()))}
            </tr>
        }
        .into_any()
    }

    fn troubles(&self, context: &PageContext) -> AnyView {
        let connected = self.replicas.iter().filter(|r| r.connected).count();
        type Place<'p> = (&'p str, Option<&'p str>);
        let mut by_place: BTreeMap<Place<'_>, Vec<(&str, &TroubleRow)>> = BTreeMap::new();
        for replica in &self.replicas {
            for trouble in &replica.troubles {
                let place = (trouble.endpoint.as_str(), trouble.model.as_deref());
                by_place.entry(place).or_default().push((&replica.name, trouble));
            }
        }
        if by_place.is_empty() {
            return nothing();
        }
        let rows = by_place.into_iter().map(|((endpoint, model), seen)| {
            let names: Vec<_> = seen.iter().map(|(name, _)| *name).collect();
            let since = seen.iter().map(|(_, trouble)| trouble.since_ms).min();
            let (cause, what) = seen
                .first()
                .map_or(("", ""), |(_, trouble)| (&trouble.cause, &trouble.text));
            let model = match model {
                Some(model) => view! { <code>{model.to_owned()}</code> }.into_any(),
                None => text("all models"),
            };
            view! {
                <tr>
                    {row_head(text(endpoint.to_owned()))}
                    {name_cell("Model", model)}
                    {cell("State", badge(Colour::Warn, cause.replace('_', " ")))}
                    {name_cell("What that means", text(what.to_owned()))}
                    {name_cell(
                        "Seen by",
                        text(format!("{} of {connected}: {}", names.len(), names.join(", "))),
                    )}
                    {cell("Since", since.map_or_else(nothing, |at| ago(at, context.now_ms)))}
                </tr>
            }
            .into_any()
        });
        let columns = vec![
            Column::text("Endpoint"),
            Column::text("Model"),
            Column::text("State"),
            Column::text("What that means"),
            Column::text("Seen by"),
            Column::text("Since"),
        ];
        let body = view! {
            <p>"Requests try these last. Now and then one request finds out whether they answer again."</p>
            {table("Endpoints in trouble", columns, rows.collect())}
        };
        card("troubles", "Endpoints in trouble", nothing(), body.into_any())
    }

    fn rejections(&self) -> AnyView {
        let rows: Vec<_> = self
            .replicas
            .iter()
            .flat_map(|r| r.rejected.iter().map(move |x| (r, x)))
            .map(|(r, x)| {
                view! {
                    <tr>
                        {row_head(view! { <code>{x.object.clone()}</code> }.into_any())}
                        {name_cell("Data plane", text(r.name.clone()))}
                        {name_cell("Reason", text(x.reason.clone()))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        if rows.is_empty() {
            return nothing();
        }
        let columns = vec![
            Column::text("Object"),
            Column::text("Data plane"),
            Column::text("Reason"),
        ];
        let body = view! {
            <p>"These objects fail closed where they were refused; everything else stays as it was."</p>
            {table("Changes that were refused", columns, rows)}
        };
        card(
            "rejected",
            "Changes that were refused",
            nothing(),
            body.into_any(),
        )
    }
}

fn secrets(held: &SecretsAtRest) -> AnyView {
    let rows = held.keys.iter().enumerate().map(|(at, (id, count))| {
        let state = match (at, count) {
            (0, _) => badge(Colour::Good, "Current"),
            (_, 0) => badge(Colour::Muted, "May be taken out"),
            (_, _) => badge(Colour::Warn, "Still needed"),
        };
        let id = view! { <code>{id.clone()}</code> }.into_any();
        view! {
            <tr>
                {row_head(id)}
                {cell("State", state)}
                {number_cell("Secrets", text(grouped(*count)))}
            </tr>
        }
        .into_any()
    });
    let columns = vec![
        Column::text("Key"),
        Column::text("State"),
        Column::number("Secrets"),
    ];
    let elsewhere: u64 = held.keys.iter().skip(1).map(|(_, count)| count).sum();
    let due = (elsewhere > 0).then(|| {
        view! {
            <p>
                "Once every control plane has the new key, " <code>"ccag secrets reseal"</code>
                " brings everything under it."
            </p>
        }
    });
    let lost = (held.unreadable > 0).then(|| {
        view! {
            <p>
                {badge(Colour::Bad, format!("{} cannot be opened", grouped(held.unreadable)))}
                " No key that is known here opens them: list the key of before in "
                <code>"CCAG_OTHER_MASTER_KEYS"</code> ", or enter them again. "
                <code>"ccag secrets status"</code> " names them."
            </p>
        }
    });
    let body = view! {
        {lost}
        {table("Master keys", columns, rows.collect())}
        {due}
    };
    card(
        "secrets",
        "Secrets at rest",
        text("by the master key that they are kept under"),
        body.into_any(),
    )
}
