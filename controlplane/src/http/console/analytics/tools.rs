//! Which tools are called.

use super::look::{Look, said};
use crate::app::analytics::{self, ToolsGroup, ToolsRanked};
use crate::http::analytics::tools_csv;
use crate::http::console::form::pairs;
use crate::http::console::visitor::Visitor;
use crate::store::OnlyTools;
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{Step, Timestamp, ToolsBy, ToolsQuery};
use ccag_console::form::Choice;
use ccag_console::page::{CallsRanking, CallsRow, Series, ToolsPage};
use ccag_domain::time::DAY_MS;
use ccag_domain::{Problem, ToolCounts, UnixMs};
use std::collections::{BTreeMap, HashMap};

/// How many tools and servers the page lists.
const TOOLS: u64 = 50;

/// How many lines a ranking of callers has.
const TOP: u64 = 8;

/// How many colours the chart has; the last one is for all others.
const COLOURS: usize = 6;

/// Over more days than this, months are kept apart where nothing else is chosen: there are sums of them.
const LONG_DAYS: i64 = 100;

/// What tools of no server are called.
const OWN: &str = "Tools of no server";

/// The longest name in an address.
const MAX_NAME: usize = 200;

pub(in crate::http::console) async fn tools(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

/// The choice of tools and servers that an address makes.
fn chosen(query: Option<&str>) -> OnlyTools {
    let mut only = OnlyTools::default();
    for (name, value) in pairs(query) {
        let list = match name.as_ref() {
            "tool" => &mut only.tools,
            "server" => &mut only.servers,
            _ => continue,
        };
        if !value.is_empty() && value.len() <= MAX_NAME && list.len() < 100 {
            let none = name == "server" && value == "none";
            list.push(if none { String::new() } else { value.into_owned() });
        }
    }
    only
}

async fn look(visitor: &Visitor, query: Option<&str>) -> Result<(Look, OnlyTools), Problem> {
    let mut look = Look::read(visitor, query).await?;
    let only = chosen(query);
    // Endpoints are not known of tools.
    look.filter.endpoints.clear();
    look.asked.only.endpoints.clear();
    let choice = |name: &String| Choice::new(said(name), name_of(name));
    look.filter.tools = only.tools.iter().map(choice).collect();
    look.filter.servers = only.servers.iter().map(choice).collect();
    let days = (look.asked.range.to_ms - look.asked.range.from_ms) / DAY_MS;
    match look.asked.step {
        Step::Hour => look.asked.step = Step::Day,
        Step::Week if look.filter.step.is_empty() && days > LONG_DAYS => look.asked.step = Step::Month,
        _ => {}
    }
    Ok((look, only))
}

/// What a tool or a server is called on the page.
fn name_of(name: &str) -> String {
    match name {
        "" => OWN.to_owned(),
        ToolCounts::OTHER => "Others".to_owned(),
        name => name.to_owned(),
    }
}

async fn gather(visitor: &Visitor, query: Option<&str>) -> Result<ToolsPage, Problem> {
    let (look, only) = look(visitor, query).await?;
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let seen = Box::pin(analytics::tools_seen(
        app,
        &actor,
        &look.asked,
        &only,
        (TOOLS, TOP),
    ))
    .await?;
    let starts = look.starts();
    Ok(ToolsPage {
        over_time: series(&seen.over_time, &starts),
        step: look.asked.step.as_str(),
        calls: seen.tools.calls,
        failed: seen.tools.failed,
        tools: ranking(seen.tools, name_of),
        servers: ranking(seen.servers, name_of),
        teams: ranking(seen.teams, said),
        users: ranking(seen.users, said),
        keys: ranking(seen.keys, said),
        starts,
        filter: look.filter,
    })
}

fn ranking(ranked: ToolsRanked, name: fn(&str) -> String) -> CallsRanking {
    let row = |group: ToolsGroup| CallsRow {
        value: said(&group.id),
        name: group.name.unwrap_or_else(|| name(&group.id)),
        server: group.server,
        calls: group.calls,
        failed: group.failed,
    };
    CallsRanking {
        rows: ranked.groups.into_iter().map(row).collect(),
        count: ranked.count,
    }
}

/// Calls over time: the most called, and all others together.
fn series(groups: &[ToolsGroup], starts: &[UnixMs]) -> Vec<Series> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for group in groups {
        *sums.entry(&group.id).or_default() += group.calls;
    }
    let mut order: Vec<(&str, u64)> = sums.into_iter().collect();
    order.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    let own = if order.len() > COLOURS {
        COLOURS - 1
    } else {
        order.len()
    };
    let empty = |name: String| Series {
        name,
        values: vec![0; starts.len()],
    };
    let mut series: Vec<Series> = order.iter().take(own).map(|(id, _)| empty(name_of(id))).collect();
    if order.len() > own {
        series.push(empty(format!("{} others", order.len() - own)));
    }
    let places: HashMap<&str, usize> = order.iter().enumerate().map(|(n, (id, _))| (*id, n)).collect();
    for group in groups {
        let n = places.get(group.id.as_str()).map_or(own, |n| (*n).min(own));
        // A range may begin within a piece of time.
        let at = starts
            .partition_point(|at| *at <= group.start_ms)
            .saturating_sub(1);
        if let Some(value) = series.get_mut(n).and_then(|series| series.values.get_mut(at)) {
            *value = value.saturating_add(i64::try_from(group.calls).unwrap_or(i64::MAX));
        }
    }
    series
}

pub(in crate::http::console) async fn export_tools(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    match gather_export(&visitor, query.as_deref()).await {
        Ok(file) => file,
        Err(problem) => visitor.refuse(problem),
    }
}

async fn gather_export(visitor: &Visitor, query: Option<&str>) -> Result<Response, Problem> {
    let (look, only) = look(visitor, query).await?;
    let by = pairs(query).into_iter().find(|(name, _)| name == "by");
    let by = by
        .and_then(|(_, value)| ToolsBy::parse(&value))
        .unwrap_or_default();
    let list = |ids: &[String]| {
        let ids: Vec<String> = ids.iter().map(|id| said(id)).collect();
        (!ids.is_empty()).then(|| ids.join(","))
    };
    let asked = &look.asked;
    let query = ToolsQuery {
        from: Some(Timestamp::from_ms(asked.range.from_ms)),
        to: Some(Timestamp::from_ms(asked.range.to_ms)),
        step: Some(asked.step),
        group_by: Some(by),
        team_id: list(&asked.only.teams),
        user_id: list(&asked.only.users),
        key_id: list(&asked.only.keys),
        model: list(&asked.only.models),
        tool: list(&only.tools),
        server: list(&only.servers),
        ..ToolsQuery::default()
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    tools_csv(app, &actor, &query).await
}
