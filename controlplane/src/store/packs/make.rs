//! Packs days and months that are over, and takes packs away that no longer say what their rows say.

use super::{COST, LAST, MARK, Row, SUMS, end_of, ids_of, numbers, pack, read};
use crate::store::cubes::{CUBES, Cube, Grain, month_of};
use crate::store::dialect::{self, LedgerUse};
use crate::store::entity::{usage_pack, usage_sum};
use crate::store::{Store, StoreError};
use ccag_domain::UnixMs;
use futures_util::TryStreamExt;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How long something has to be over before it is packed: most of what is late has come in by then.
const LATE_MS: i64 = 15 * 60 * 1_000;

/// A day or a month of a cube that is to be packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    cube: &'static Cube,
    start: UnixMs,
}

/// The cube of days that keeps the same apart: what a month is put together from.
fn days_of(cube: &'static Cube) -> &'static Cube {
    let of_days = |other: &&Cube| other.grain == Grain::Day && other.dims == cube.dims;
    CUBES.iter().find(of_days).unwrap_or(cube)
}

/// When everything begins that a cube has, one after the other.
fn starts(grain: Grain, first_day: UnixMs) -> impl Iterator<Item = UnixMs> {
    let first = match grain {
        Grain::Month => month_of(first_day).0,
        _ => first_day,
    };
    std::iter::successors(Some(first), move |start| Some(end_of(grain, *start)))
}

/// The first day of which a cube has rows.
async fn first_day<C: ConnectionTrait>(db: &C, days: &Cube) -> Result<Option<UnixMs>, StoreError> {
    let first: Option<Option<i64>> = usage_sum::Entity::find()
        .select_only()
        .column_as(usage_sum::Column::StartMs.min(), "first")
        .filter(usage_sum::Column::Cube.eq(days.name))
        .into_tuple()
        .one(db)
        .await?;
    Ok(first.flatten())
}

impl Store {
    /// What is over and not packed, the newest days first and months after their days.
    pub(crate) async fn due(&self, now: UnixMs) -> Result<Vec<Due>, StoreError> {
        // Sums that are still being made change all the time.
        if self.complete_from().await? != 0 {
            return Ok(Vec::new());
        }
        let before = now - LATE_MS;
        let (mut days, mut months) = (Vec::new(), Vec::new());
        for cube in CUBES.iter().filter(|cube| cube.packed) {
            let Some(first) = first_day(&self.db, days_of(cube)).await? else {
                continue;
            };
            let packed = self.packed(cube).await?;
            let due = starts(cube.grain, first)
                .take_while(|start| end_of(cube.grain, *start) <= before)
                .filter(|start| !packed.contains(start))
                .map(|start| Due { cube, start });
            if cube.grain == Grain::Month {
                months.extend(due);
            } else {
                days.extend(due);
            }
        }
        days.sort_by_key(|due| std::cmp::Reverse(due.start));
        days.extend(months);
        Ok(days)
    }

    /// When the packs of a cube begin.
    async fn packed(&self, cube: &Cube) -> Result<BTreeSet<UnixMs>, StoreError> {
        let starts: Vec<i64> = usage_pack::Entity::find()
            .select_only()
            .column(usage_pack::Column::StartMs)
            .filter(usage_pack::Column::Cube.eq(cube.name))
            .filter(usage_pack::Column::Part.eq(MARK))
            .into_tuple()
            .all(&self.db)
            .await?;
        Ok(starts.into_iter().collect())
    }

    /// Packs a day or a month. Nothing is added to the ledger while it is written down.
    pub(crate) async fn pack(&self, due: &Due, now: UnixMs) -> Result<(), StoreError> {
        match due.cube.grain {
            Grain::Month => self.pack_month(due, now).await,
            _ => self.pack_day(due, now).await,
        }
    }

    async fn pack_day(&self, due: &Due, now: UnixMs) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Sum).await?;
        if is_packed(&tx, due).await? {
            // By another control plane.
            return Ok(());
        }
        // Ids are many times as long as their numbers: what they stand for is settled when all are known.
        let (mut places, mut packed) = (HashMap::<String, i64>::new(), Vec::new());
        let mut place = |id: String| {
            let next = i64::try_from(places.len()).unwrap_or(i64::MAX);
            *places.entry(id).or_insert(next)
        };
        let mut rows = usage_sum::Entity::find()
            .filter(usage_sum::Column::Cube.eq(due.cube.name))
            .filter(usage_sum::Column::StartMs.eq(due.start))
            .stream(&tx)
            .await?;
        while let Some(row) = rows.try_next().await? {
            let ids = [row.user_id, row.key_id, row.team_id, row.model, row.endpoint_id];
            packed.push(Row {
                ids: ids.map(&mut place),
                sums: [
                    row.requests,
                    row.errors,
                    row.input_tokens,
                    row.output_tokens,
                    row.cache_read_tokens,
                    row.cache_write_5m_tokens,
                    row.cache_write_1h_tokens,
                    row.cost_nano_usd,
                ],
                last_ms: row.last_ms,
            });
        }
        drop(rows);
        let numbers = numbers::of(&tx, places.keys().map(String::as_str).collect()).await?;
        let settled: HashMap<i64, i64> = places
            .into_iter()
            .map(|(id, place)| (place, numbers.get(&id).copied().unwrap_or(numbers::NONE)))
            .collect();
        for row in &mut packed {
            row.ids = row
                .ids
                .map(|place| settled.get(&place).copied().unwrap_or(numbers::NONE));
        }
        keep(&tx, due, now, &mut packed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A month is put together from its days while records are taken in. If one of these is not packed, or is packed anew
    /// meanwhile, the month waits for the next time.
    async fn pack_month(&self, due: &Due, now: UnixMs) -> Result<(), StoreError> {
        let days = days_of(due.cube);
        let end = month_of(due.start).1;
        let of_month = Condition::all()
            .add(usage_pack::Column::Cube.eq(days.name))
            .add(usage_pack::Column::StartMs.gte(due.start))
            .add(usage_pack::Column::StartMs.lt(end));
        let marks = usage_pack::Entity::find()
            .select_only()
            .columns([usage_pack::Column::StartMs, usage_pack::Column::PackedMs])
            .filter(of_month.clone())
            .filter(usage_pack::Column::Part.eq(MARK));
        let mut before: Vec<(i64, i64)> = marks.clone().into_tuple().all(&self.db).await?;
        before.sort_unstable();
        let mut sums: HashMap<[i64; 5], Row> = HashMap::new();
        for (start, _) in &before {
            let parts = usage_pack::Entity::find()
                .filter(of_month.clone())
                .filter(usage_pack::Column::StartMs.eq(*start))
                .all(&self.db)
                .await?;
            let of_day = tokio::task::spawn_blocking(move || unpacked(days, parts))
                .await
                .map_err(|_| StoreError::Other("a pack was not read".to_owned()))??;
            for row in of_day {
                let sum = sums.entry(row.ids).or_insert_with(|| Row {
                    sums: [0; 8],
                    ..row.clone()
                });
                for (slot, more) in sum.sums.iter_mut().zip(row.sums) {
                    *slot = slot.saturating_add(more);
                }
                sum.last_ms = Ord::max(sum.last_ms, row.last_ms);
            }
        }
        let mut rows: Vec<Row> = sums.into_values().collect();
        let (tx, _writer) = self.write().await?;
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Sum).await?;
        let mut after: Vec<(i64, i64)> = marks.into_tuple().all(&tx).await?;
        after.sort_unstable();
        let first = first_day(&tx, days).await?.unwrap_or(due.start);
        let all = starts(Grain::Day, Ord::max(first, due.start)).take_while(|day| *day < end);
        let is_whole = all.eq(after.iter().map(|(day, _)| *day));
        if after == before && is_whole && !is_packed(&tx, due).await? {
            keep(&tx, due, now, &mut rows).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn is_packed(tx: &DatabaseTransaction, due: &Due) -> Result<bool, StoreError> {
    let of = (due.cube.name.to_owned(), due.start, MARK.to_owned());
    Ok(usage_pack::Entity::find_by_id(of).one(tx).await?.is_some())
}

/// The rows of a pack.
fn unpacked(cube: &Cube, parts: Vec<usage_pack::Model>) -> Result<Vec<Row>, StoreError> {
    let mut columns: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for part in parts {
        let numbers = read(&part.part, part.start_ms, &part.data)?;
        columns.insert(part.part, numbers);
    }
    let count = columns.get(COST).map_or(0, Vec::len);
    let whole = ids_of(cube).chain(SUMS).chain([LAST]);
    for column in whole {
        if columns.get(column).map(Vec::len) != Some(count) {
            let what = format!("{column} has not as many values as {COST}");
            return Err(StoreError::unreadable("usage_packs", what));
        }
    }
    let value = |column: &str, n: usize| {
        let of = columns.get(column).and_then(|numbers| numbers.get(n));
        of.copied().unwrap_or(0)
    };
    let row = |n: usize| Row {
        ids: super::IDS.map(|(column, _)| value(column, n)),
        sums: SUMS.map(|column| value(column, n)),
        last_ms: value(LAST, n),
    };
    Ok((0..count).map(row).collect())
}

/// Writes a pack down.
async fn keep(tx: &DatabaseTransaction, due: &Due, now: UnixMs, rows: &mut [Row]) -> Result<(), StoreError> {
    let parts = pack(due.cube, due.start, rows);
    let models = parts.into_iter().map(|(part, data)| {
        let model = usage_pack::Model {
            cube: due.cube.name.to_owned(),
            start_ms: due.start,
            part: part.to_owned(),
            packed_ms: now,
            data,
        };
        model.into_active_model()
    });
    usage_pack::Entity::insert_many(models)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Takes the packs away of what these rows belong to.
pub(in crate::store) async fn outdated(
    tx: &DatabaseTransaction,
    sums: &[usage_sum::Model],
) -> Result<(), StoreError> {
    let touched: BTreeSet<(&str, UnixMs)> = sums
        .iter()
        .filter(|row| CUBES.iter().any(|cube| cube.packed && cube.name == row.cube))
        .map(|row| (row.cube.as_str(), row.start_ms))
        .collect();
    if touched.is_empty() {
        return Ok(());
    }
    let any = touched.into_iter().fold(Condition::any(), |any, (cube, start)| {
        let of = Condition::all()
            .add(usage_pack::Column::Cube.eq(cube))
            .add(usage_pack::Column::StartMs.eq(start));
        any.add(of)
    });
    usage_pack::Entity::delete_many().filter(any).exec(tx).await?;
    Ok(())
}
