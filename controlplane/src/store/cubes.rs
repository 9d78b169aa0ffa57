//! Coarser sums of the ledger beside the hourly ones. A cube keeps some of team, user, key, model and endpoint apart and sums
//! up the rest, by the hour, the day or the month. Which there are is chosen so that each question reads few rows:
//! [ADR 25](../../../docs/adr/0025-coarser-sums.md).

use super::entity::{usage_rollup, usage_sum};
use super::{StoreError, catch_up, dialect, packs, tool_sums};
use crate::latency::Latency;
use ccag_domain::time::DAY_MS;
use ccag_domain::{Period, TimeZone, UnixMs};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict, SimpleExpr};
use sea_orm::{DatabaseTransaction, EntityTrait, IntoActiveModel, Iterable};
use std::collections::BTreeMap;
use usage_sum::{Column as C, Entity, Model};

/// What is kept apart, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dims(u8);

impl Dims {
    pub(super) const NONE: Self = Self(0);
    pub(super) const TEAM: Self = Self(1);
    pub(super) const USER: Self = Self(2);
    pub(super) const KEY: Self = Self(4);
    pub(super) const MODEL: Self = Self(8);
    pub(super) const ENDPOINT: Self = Self(16);
    pub(super) const PEOPLE: Self = Self(1 | 2 | 4);
    const WORK: Self = Self(8 | 16);
    const TEAM_WORK: Self = Self(1 | 8 | 16);
    const ALL: Self = Self(31);
    pub(super) const TOOL: Self = Self(32);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

/// How long a row of a cube is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    Hour,
    Day,
    Month,
    /// All times: only the first and the last hour are kept.
    Ever,
}

impl Grain {
    fn start(self, at: UnixMs) -> UnixMs {
        match self {
            Self::Hour => at,
            Self::Day => day_start(at),
            Self::Month => month_of(at).0,
            Self::Ever => 0,
        }
    }
}

/// The start of a day, UTC.
pub(super) fn day_start(at: UnixMs) -> UnixMs {
    at.div_euclid(DAY_MS) * DAY_MS
}

/// Start and end of a month, UTC.
pub(super) fn month_of(at: UnixMs) -> (UnixMs, UnixMs) {
    let month = Period::Monthly.around(at, &TimeZone::UTC);
    (month.start_ms, month.end_ms)
}

/// What a cube adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Facts {
    /// Requests, tokens and cost.
    Usage,
    /// Calls of tools.
    Tools,
}

impl Facts {
    /// Where their rows are.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Usage => "usage_sums",
            Self::Tools => "tool_sums",
        }
    }

    /// Their cubes; of those that can answer a question, the first is taken.
    pub(super) fn cubes(self) -> &'static [Cube] {
        match self {
            Self::Usage => &CUBES,
            Self::Tools => &tool_sums::CUBES,
        }
    }

    /// The narrowest cube that keeps so much apart.
    pub(super) fn find(self, grain: Grain, dims: Dims) -> Option<&'static Cube> {
        self.cubes()
            .iter()
            .find(|cube| cube.grain == grain && dims.within(cube.dims))
    }
}

/// One of the cubes.
#[derive(Debug)]
pub(super) struct Cube {
    pub(super) facts: Facts,
    pub(super) name: &'static str,
    pub(super) dims: Dims,
    pub(super) grain: Grain,
    /// Whether it has histograms of latency.
    pub(super) latency: bool,
    /// What its packs are called, if what is over is packed: [`super::packs`].
    pub(super) packs: Option<&'static str>,
}

const fn cube(name: &'static str, grain: Grain, dims: Dims, latency: bool) -> Cube {
    Cube {
        facts: Facts::Usage,
        name,
        dims,
        grain,
        latency,
        packs: None,
    }
}

const fn packed(cube: Cube) -> Cube {
    Cube {
        packs: Some(cube.name),
        ..cube
    }
}

/// The first user's hour of all times, by user.
pub(super) const EVER: &str = "ever-user";

/// Those of usage.
pub(super) static CUBES: [Cube; 11] = [
    cube("hour-work", Grain::Hour, Dims::WORK, false),
    cube("hour-team", Grain::Hour, Dims::TEAM, false),
    cube("day-work", Grain::Day, Dims::WORK, true),
    packed(cube("day-team", Grain::Day, Dims::TEAM, false)),
    packed(cube("day-team-work", Grain::Day, Dims::TEAM_WORK, true)),
    packed(cube("day-people", Grain::Day, Dims::PEOPLE, false)),
    packed(cube("day-all", Grain::Day, Dims::ALL, false)),
    cube("month-work", Grain::Month, Dims::WORK, true),
    packed(cube("month-people", Grain::Month, Dims::PEOPLE, false)),
    packed(cube("month-all", Grain::Month, Dims::ALL, false)),
    cube(EVER, Grain::Ever, Dims::USER, false),
];

const SUMS: [C; 8] = [
    C::Requests,
    C::Errors,
    C::InputTokens,
    C::OutputTokens,
    C::CacheReadTokens,
    C::CacheWrite5mTokens,
    C::CacheWrite1hTokens,
    C::CostNanoUsd,
];

const KEY: [C; 7] = [
    C::Cube,
    C::StartMs,
    C::TeamId,
    C::UserId,
    C::KeyId,
    C::Model,
    C::EndpointId,
];

type Key = (String, i64, String, String, String, String, String);

fn key_of(row: &Model) -> Key {
    (
        row.cube.clone(),
        row.start_ms,
        row.team_id.clone(),
        row.user_id.clone(),
        row.key_id.clone(),
        row.model.clone(),
        row.endpoint_id.clone(),
    )
}

/// Hourly sums, summed up for some cubes, in the order of their keys.
pub(super) fn coarser<'c>(
    hours: &[usage_rollup::Model],
    cubes: impl Iterator<Item = &'c Cube> + Clone,
) -> Result<Vec<Model>, StoreError> {
    let mut sums: BTreeMap<Key, (Model, Latency)> = BTreeMap::new();
    for hour in hours {
        let latency = super::rollups::read_latency(&hour.latency)?;
        for cube in cubes.clone() {
            if cube.grain == Grain::Ever && hour.user_id.is_empty() {
                continue;
            }
            let mut row = row(cube, hour);
            let (sum, histogram) = sums.entry(key_of(&row)).or_insert_with(|| {
                let empty = Model {
                    requests: 0,
                    errors: 0,
                    input_tokens: 0,
                    output_tokens: 0,
                    cache_read_tokens: 0,
                    cache_write_5m_tokens: 0,
                    cache_write_1h_tokens: 0,
                    cost_nano_usd: 0,
                    ..row.clone()
                };
                (empty, Latency::default())
            });
            if cube.grain != Grain::Ever {
                add_up(sum, &mut row);
            }
            sum.first_ms = Ord::min(sum.first_ms, row.first_ms);
            sum.last_ms = Ord::max(sum.last_ms, row.last_ms);
            if cube.latency {
                histogram.merge(&latency);
            }
        }
    }
    let finish = |(mut sum, latency): (Model, Latency)| {
        if latency != Latency::default() {
            sum.latency = latency.to_json();
        }
        sum
    };
    Ok(sums.into_values().map(finish).collect())
}

fn row(cube: &Cube, hour: &usage_rollup::Model) -> Model {
    let kept = |one: Dims, id: &String| {
        if cube.dims.has(one) {
            id.clone()
        } else {
            String::new()
        }
    };
    Model {
        cube: cube.name.to_owned(),
        start_ms: cube.grain.start(hour.bucket_ms),
        team_id: kept(Dims::TEAM, &hour.team_id),
        user_id: kept(Dims::USER, &hour.user_id),
        key_id: kept(Dims::KEY, &hour.key_id),
        model: kept(Dims::MODEL, &hour.model),
        endpoint_id: kept(Dims::ENDPOINT, &hour.endpoint_id),
        requests: hour.requests,
        errors: hour.errors,
        input_tokens: hour.input_tokens,
        output_tokens: hour.output_tokens,
        cache_read_tokens: hour.cache_read_tokens,
        cache_write_5m_tokens: hour.cache_write_5m_tokens,
        cache_write_1h_tokens: hour.cache_write_1h_tokens,
        cost_nano_usd: hour.cost_nano_usd,
        first_ms: hour.bucket_ms,
        last_ms: hour.bucket_ms,
        latency: String::new(),
    }
}

fn add_up(sum: &mut Model, more: &mut Model) {
    for (slot, count) in [
        (&mut sum.requests, more.requests),
        (&mut sum.errors, more.errors),
        (&mut sum.input_tokens, more.input_tokens),
        (&mut sum.output_tokens, more.output_tokens),
        (&mut sum.cache_read_tokens, more.cache_read_tokens),
        (&mut sum.cache_write_5m_tokens, more.cache_write_5m_tokens),
        (&mut sum.cache_write_1h_tokens, more.cache_write_1h_tokens),
        (&mut sum.cost_nano_usd, more.cost_nano_usd),
    ] {
        *slot = slot.saturating_add(count);
    }
}

/// Adds hourly sums to all cubes. Numbers are added by the database, which locks the rows; histograms are then merged here,
/// row by locked row.
///
/// What has its hour's turn still to come while old sums are made is left to that.
pub(super) async fn add(
    tx: &DatabaseTransaction,
    mut hours: Vec<usage_rollup::Model>,
) -> Result<(), StoreError> {
    if let Some(filled) = catch_up::filled(tx).await? {
        hours.retain(|hour| filled.has(hour));
    }
    put(tx, coarser(&hours, CUBES.iter())?).await
}

/// Adds sums to those that are stored. They must be in the order of their keys: transactions that touch the same rows wait
/// for each other.
pub(super) async fn put(tx: &DatabaseTransaction, sums: Vec<Model>) -> Result<(), StoreError> {
    for chunk in sums.chunks(dialect::rows_per_statement(C::iter().count())) {
        let (with, without): (Vec<Model>, Vec<Model>) =
            chunk.iter().cloned().partition(|row| !row.latency.is_empty());
        if !without.is_empty() {
            Entity::insert_many(without.into_iter().map(IntoActiveModel::into_active_model))
                .on_conflict(adding())
                .exec_without_returning(tx)
                .await?;
        }
        if with.is_empty() {
            continue;
        }
        let mut new: BTreeMap<Key, String> = with
            .iter()
            .map(|row| (key_of(row), row.latency.clone()))
            .collect();
        let empty = with.into_iter().map(|row| Model {
            latency: String::new(),
            ..row
        });
        let mut stored = Entity::insert_many(empty.map(IntoActiveModel::into_active_model))
            .on_conflict(adding())
            .exec_with_returning(tx)
            .await?;
        for row in &mut stored {
            let mut latency = super::rollups::read_latency(&row.latency)?;
            let more = new.remove(&key_of(row)).unwrap_or_default();
            latency.merge(&super::rollups::read_latency(&more)?);
            row.latency = latency.to_json();
        }
        stored.sort_by_key(key_of);
        Entity::insert_many(stored.into_iter().map(IntoActiveModel::into_active_model))
            .on_conflict(OnConflict::columns(KEY).update_column(C::Latency).to_owned())
            .exec_without_returning(tx)
            .await?;
    }
    let touched = sums.iter().map(|row| (row.cube.as_str(), row.start_ms));
    packs::make::outdated(tx, Facts::Usage, touched).await
}

/// What to do with a row that is there already: add to its numbers, and leave its histogram.
fn adding() -> OnConflict {
    let stored = |column: C| Expr::col((Entity, column));
    let new = |column: C| Expr::col((Alias::new("excluded"), column));
    let mut added = OnConflict::columns(KEY);
    for column in SUMS {
        added.value(column, stored(column).add(new(column)));
    }
    let other_if =
        |condition: SimpleExpr, column: C| Expr::case(condition, new(column)).finally(stored(column));
    added.value(
        C::FirstMs,
        other_if(new(C::FirstMs).lt(stored(C::FirstMs)), C::FirstMs),
    );
    added.value(
        C::LastMs,
        other_if(new(C::LastMs).gt(stored(C::LastMs)), C::LastMs),
    );
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_cube_answers() {
        let name = |grain, dims| Facts::Usage.find(grain, dims).map(|cube| cube.name);
        assert_eq!(name(Grain::Day, Dims::NONE), Some("day-work"));
        assert_eq!(name(Grain::Day, Dims::TEAM), Some("day-team"));
        assert_eq!(
            name(Grain::Day, Dims::TEAM.and(Dims::MODEL)),
            Some("day-team-work")
        );
        assert_eq!(name(Grain::Day, Dims::KEY), Some("day-people"));
        assert_eq!(name(Grain::Day, Dims::KEY.and(Dims::MODEL)), Some("day-all"));
        assert_eq!(name(Grain::Hour, Dims::USER), None);
        assert_eq!(name(Grain::Month, Dims::USER), Some("month-people"));
    }
}
