//! How often tools were called: sums by the day and the month, of which each keeps some of team, user, key, model and tool apart.
//! [ADR 26](../../../docs/adr/0026-tools-sessions-and-cache-losses.md).

use super::cubes::{Cube, Dims, Facts, Grain, day_start, month_of};
use super::entity::{tool_sum, usage_record};
use super::observed::Observed;
use super::{StoreError, dialect, packs};
use ccag_domain::{ToolCounts, UnixMs, mcp_server};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QuerySelect,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tool_sum::{Column as C, Entity, Model};

/// By team and tool.
const TEAM: [&str; 2] = ["day-team", "month-team"];
/// By team, user and key.
const CALLER: [&str; 2] = ["day-caller", "month-caller"];
/// By everything.
const ALL: &str = "day-all";

const fn cube(name: &'static str, grain: Grain, dims: Dims, packs: Option<&'static str>) -> Cube {
    Cube {
        facts: Facts::Tools,
        name,
        dims,
        grain,
        latency: false,
        packs,
    }
}

const BY_TEAM: Dims = Dims::TEAM.and(Dims::TOOL);

/// The cubes; packs are called by other names, since all of them are in one table.
pub(super) static CUBES: [Cube; 5] = [
    cube(TEAM[0], Grain::Day, BY_TEAM, Some("tools-day-team")),
    cube(TEAM[1], Grain::Month, BY_TEAM, Some("tools-month-team")),
    cube(CALLER[0], Grain::Day, Dims::PEOPLE, Some("tools-day-caller")),
    cube(CALLER[1], Grain::Month, Dims::PEOPLE, Some("tools-month-caller")),
    cube(
        ALL,
        Grain::Day,
        Dims::PEOPLE.and(Dims::MODEL).and(Dims::TOOL),
        None,
    ),
];

/// So many different tools of a team are kept apart on a day; what comes later is counted as [`ToolCounts::OTHER`].
const MOST: usize = 300;

const KEY: [C; 7] = [
    C::Cube,
    C::StartMs,
    C::TeamId,
    C::Tool,
    C::UserId,
    C::KeyId,
    C::Model,
];

/// A day of a team.
type TeamDay = (UnixMs, String);

fn team_day(record: &usage_record::Model) -> TeamDay {
    (
        day_start(record.started_at_ms),
        record.team_id.clone().unwrap_or_default(),
    )
}

/// Adds the calls of new records.
pub(super) async fn add(
    tx: &DatabaseTransaction,
    seen: &[(&usage_record::Model, &Observed)],
) -> Result<(), StoreError> {
    let mut named: BTreeMap<TeamDay, BTreeSet<&str>> = BTreeMap::new();
    for (record, observed) in seen {
        for tool in &observed.tools {
            named.entry(team_day(record)).or_default().insert(&tool.name);
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    let kept = kept(tx, &named).await?;
    let mut sums: BTreeMap<[String; 6], BTreeMap<UnixMs, Model>> = BTreeMap::new();
    for (record, observed) in seen {
        for tool in &observed.tools {
            let own = kept
                .get(&team_day(record))
                .is_none_or(|kept| kept.contains(tool.name.as_str()));
            let name = if own {
                tool.name.as_str()
            } else {
                ToolCounts::OTHER
            };
            for row in rows(record, name, i64::from(tool.calls), i64::from(tool.failed)) {
                let key = [
                    row.cube.clone(),
                    row.team_id.clone(),
                    row.tool.clone(),
                    row.user_id.clone(),
                    row.key_id.clone(),
                    row.model.clone(),
                ];
                let at = row.start_ms;
                let sum = sums.entry(key).or_default().entry(at).or_insert_with(|| Model {
                    calls: 0,
                    failed: 0,
                    ..row.clone()
                });
                sum.calls = sum.calls.saturating_add(row.calls);
                sum.failed = sum.failed.saturating_add(row.failed);
            }
        }
    }
    // The same order everywhere: transactions that touch the same rows wait for each other.
    let sums: Vec<Model> = sums.into_values().flat_map(BTreeMap::into_values).collect();
    for chunk in sums.chunks(dialect::rows_per_statement(C::iter().count())) {
        let mut added = OnConflict::columns(KEY);
        for column in [C::Calls, C::Failed] {
            let stored = Expr::col((Entity, column));
            let new = Expr::col((Alias::new("excluded"), column));
            added.value(column, stored.add(new));
        }
        Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(added)
            .exec_without_returning(tx)
            .await?;
    }
    let touched = sums.iter().map(|row| (row.cube.as_str(), row.start_ms));
    packs::make::outdated(tx, Facts::Tools, touched).await
}

/// The names that are kept on days on which a team has had, or would have, more than its share; of all others every name is.
async fn kept<'n>(
    tx: &DatabaseTransaction,
    named: &BTreeMap<TeamDay, BTreeSet<&'n str>>,
) -> Result<HashMap<TeamDay, HashSet<&'n str>>, StoreError> {
    let mut kept = HashMap::new();
    let of = |days: Vec<UnixMs>, teams: Vec<&String>| {
        Entity::find()
            .select_only()
            .filter(C::Cube.eq(TEAM[0]))
            .filter(C::StartMs.is_in(days))
            .filter(C::TeamId.is_in(teams.into_iter().map(String::as_str)))
    };
    let days: BTreeSet<UnixMs> = named.keys().map(|(day, _)| *day).collect();
    let teams: BTreeSet<&String> = named.keys().map(|(_, team)| team).collect();
    let counts: Vec<(UnixMs, String, i64)> = of(days.into_iter().collect(), teams.into_iter().collect())
        .column(C::StartMs)
        .column(C::TeamId)
        .column_as(C::Tool.count(), "tools")
        .group_by(C::StartMs)
        .group_by(C::TeamId)
        .into_tuple()
        .all(tx)
        .await?;
    let counts: HashMap<TeamDay, usize> = counts
        .into_iter()
        .map(|(day, team, count)| ((day, team), usize::try_from(count).unwrap_or(0)))
        .collect();
    for (of_day, names) in named {
        let there = counts.get(of_day).copied().unwrap_or(0);
        if there + names.len() <= MOST {
            continue;
        }
        let known: Vec<String> = of(vec![of_day.0], vec![&of_day.1])
            .column(C::Tool)
            .into_tuple()
            .all(tx)
            .await?;
        let known: HashSet<String> = known.into_iter().collect();
        let (old, new): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| known.contains(**name));
        let room = MOST.saturating_sub(there);
        kept.insert(
            of_day.clone(),
            old.into_iter().chain(new.into_iter().take(room)).collect(),
        );
    }
    Ok(kept)
}

/// The rows that calls of a tool are added to.
fn rows(record: &usage_record::Model, tool: &str, calls: i64, failed: i64) -> [Model; 5] {
    let at = record.started_at_ms;
    let all = Model {
        cube: ALL.to_owned(),
        start_ms: day_start(at),
        team_id: record.team_id.clone().unwrap_or_default(),
        tool: tool.to_owned(),
        user_id: record.user_id.clone().unwrap_or_default(),
        key_id: record.key_id.clone(),
        model: record.model.clone(),
        server: mcp_server(tool).unwrap_or_default().to_owned(),
        calls,
        failed,
    };
    let team = |cube: &str, start_ms| Model {
        cube: cube.to_owned(),
        start_ms,
        user_id: String::new(),
        key_id: String::new(),
        model: String::new(),
        ..all.clone()
    };
    let caller = |cube: &str, start_ms| Model {
        cube: cube.to_owned(),
        start_ms,
        tool: String::new(),
        model: String::new(),
        server: String::new(),
        ..all.clone()
    };
    let month = month_of(at).0;
    [
        team(TEAM[0], all.start_ms),
        team(TEAM[1], month),
        caller(CALLER[0], all.start_ms),
        caller(CALLER[1], month),
        all,
    ]
}
