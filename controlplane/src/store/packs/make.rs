//! Packs days and months that are over, and takes packs away that no longer say what their rows say.

use super::open::{Chosen, Pack};
use super::{Row, Sums, add_all, end_of, ids_of, numbers, pack};
use crate::store::cubes::{Cube, Facts, Grain, month_of};
use crate::store::dialect::{self, LedgerUse};
use crate::store::entity::{tool_sum, usage_pack, usage_sum};
use crate::store::{Store, StoreError};
use ccag_domain::UnixMs;
use futures_util::TryStreamExt;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, Statement,
};
use std::collections::{BTreeSet, HashMap};

/// How long something has to be over before it is packed: most of what is late has come in by then.
const LATE_MS: i64 = 15 * 60 * 1_000;

/// A day or a month of a cube that is to be packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    cube: &'static Cube,
    /// What the cube's packs are called.
    packs: &'static str,
    start: UnixMs,
}

/// Cubes that are packed, and what their packs are called.
fn packed_cubes() -> impl Iterator<Item = (&'static Cube, &'static str)> {
    let all = [Facts::Usage, Facts::Tools].into_iter().flat_map(Facts::cubes);
    all.filter_map(|cube| Some((cube, cube.packs?)))
}

/// The cube of days that keeps the same apart: what a month is put together from.
fn days_of(cube: &'static Cube) -> &'static Cube {
    let of_days = |other: &&Cube| other.grain == Grain::Day && other.dims == cube.dims;
    cube.facts.cubes().iter().find(of_days).unwrap_or(cube)
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
    let sql = format!("SELECT MIN(start_ms) FROM {} WHERE cube = $1", days.facts.table());
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [days.name.into()]);
    let first = db.query_one_raw(statement).await?;
    Ok(first.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
}

/// Ids by the places that stand for them until their numbers are known: ids are many times as long.
#[derive(Default)]
struct Places(HashMap<String, i64>);

impl Places {
    fn of(&mut self, id: String) -> i64 {
        let next = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        *self.0.entry(id).or_insert(next)
    }
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
        for (cube, packs) in packed_cubes() {
            let Some(first) = first_day(&self.db, days_of(cube)).await? else {
                continue;
            };
            let packed = self.packed(cube.facts, packs).await?;
            let due = starts(cube.grain, first)
                .take_while(|start| end_of(cube.grain, *start) <= before)
                .filter(|start| !packed.contains(start))
                .map(|start| Due { cube, packs, start });
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
    async fn packed(&self, facts: Facts, packs: &str) -> Result<BTreeSet<UnixMs>, StoreError> {
        let starts: Vec<i64> = usage_pack::Entity::find()
            .select_only()
            .column(usage_pack::Column::StartMs)
            .filter(usage_pack::Column::Cube.eq(packs))
            .filter(usage_pack::Column::Part.eq(facts.mark()))
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
        let mut places = Places::default();
        let mut packed = match due.cube.facts {
            Facts::Usage => usage_rows(&tx, due, &mut places).await?,
            Facts::Tools => tool_rows(&tx, due, &mut places).await?,
        };
        let numbers = numbers::of(&tx, places.0.keys().map(String::as_str).collect()).await?;
        let settled: HashMap<i64, i64> = places
            .0
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
            .add(usage_pack::Column::Cube.eq(days.packs.unwrap_or(days.name)))
            .add(usage_pack::Column::StartMs.gte(due.start))
            .add(usage_pack::Column::StartMs.lt(end));
        let marks = usage_pack::Entity::find()
            .select_only()
            .columns([usage_pack::Column::StartMs, usage_pack::Column::PackedMs])
            .filter(of_month.clone())
            .filter(usage_pack::Column::Part.eq(days.facts.mark()));
        let mut before: Vec<(i64, i64)> = marks.clone().into_tuple().all(&self.db).await?;
        before.sort_unstable();
        let mut sums: HashMap<[i64; 6], Sums> = HashMap::new();
        for (start, _) in &before {
            let parts = usage_pack::Entity::find()
                .filter(of_month.clone())
                .filter(usage_pack::Column::StartMs.eq(*start))
                .all(&self.db)
                .await?;
            let parts = parts.into_iter().map(|part| (part.part, part.data));
            let pack = Pack::new(*start, parts);
            let of_day = tokio::task::spawn_blocking(move || unpacked(days, &pack))
                .await
                .map_err(|_| StoreError::Other("a pack was not read".to_owned()))??;
            for row in of_day {
                add_all(sums.entry(row.ids).or_insert([0; 9]), &row.sums);
            }
        }
        let mut rows: Vec<Row> = sums.into_iter().map(|(ids, sums)| Row { ids, sums }).collect();
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
    let mark = due.cube.facts.mark();
    let of = (due.packs.to_owned(), due.start, mark.to_owned());
    Ok(usage_pack::Entity::find_by_id(of).one(tx).await?.is_some())
}

/// The rows of a pack.
fn unpacked(cube: &Cube, pack: &Pack) -> Result<Vec<Row>, StoreError> {
    let all = ids_of(cube).chain(cube.facts.sums().iter().copied());
    let columns = pack.open(&Chosen::default(), all)?;
    let value = |column: &str, n: usize| columns.of(column).get(n).copied().unwrap_or(0);
    let row = |n: usize| {
        let mut sums = [0; 9];
        for (slot, column) in sums.iter_mut().zip(cube.facts.sums()) {
            *slot = value(column, n);
        }
        let ids = super::IDS.map(|(column, _)| value(column, n));
        Row { ids, sums }
    };
    Ok((0..columns.rows()).map(row).collect())
}

/// The rows that a day of usage is packed from.
async fn usage_rows(
    tx: &DatabaseTransaction,
    due: &Due,
    places: &mut Places,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = usage_sum::Entity::find()
        .filter(usage_sum::Column::Cube.eq(due.cube.name))
        .filter(usage_sum::Column::StartMs.eq(due.start))
        .stream(tx)
        .await?;
    let (mut packed, none) = (Vec::new(), places.of(String::new()));
    while let Some(row) = rows.try_next().await? {
        let [user, key, team, model, endpoint] =
            [row.user_id, row.key_id, row.team_id, row.model, row.endpoint_id].map(|id| places.of(id));
        packed.push(Row {
            ids: [user, key, team, model, endpoint, none],
            sums: [
                row.requests,
                row.errors,
                row.input_tokens,
                row.output_tokens,
                row.cache_read_tokens,
                row.cache_write_5m_tokens,
                row.cache_write_1h_tokens,
                row.cost_nano_usd,
                row.last_ms,
            ],
        });
    }
    Ok(packed)
}

/// The rows that a day of tools is packed from. What is not kept apart is empty in them.
async fn tool_rows(tx: &DatabaseTransaction, due: &Due, places: &mut Places) -> Result<Vec<Row>, StoreError> {
    let mut rows = tool_sum::Entity::find()
        .filter(tool_sum::Column::Cube.eq(due.cube.name))
        .filter(tool_sum::Column::StartMs.eq(due.start))
        .stream(tx)
        .await?;
    let (mut packed, none) = (Vec::new(), places.of(String::new()));
    while let Some(row) = rows.try_next().await? {
        let [user, key, team, model, tool] =
            [row.user_id, row.key_id, row.team_id, row.model, row.tool].map(|id| places.of(id));
        packed.push(Row {
            ids: [user, key, team, model, none, tool],
            sums: [row.calls, row.failed, 0, 0, 0, 0, 0, 0, 0],
        });
    }
    Ok(packed)
}

/// Writes a pack down.
async fn keep(tx: &DatabaseTransaction, due: &Due, now: UnixMs, rows: &mut [Row]) -> Result<(), StoreError> {
    let parts = pack(due.cube, due.start, rows);
    let models = parts.into_iter().map(|(part, data)| {
        let model = usage_pack::Model {
            cube: due.packs.to_owned(),
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

/// Takes the packs away of these days and months of cubes.
pub(in crate::store) async fn outdated(
    tx: &DatabaseTransaction,
    facts: Facts,
    touched: impl Iterator<Item = (&str, UnixMs)>,
) -> Result<(), StoreError> {
    let packs = |(name, start): (&str, UnixMs)| {
        let cube = facts.cubes().iter().find(|cube| cube.name == name)?;
        Some((cube.packs?, start))
    };
    let touched: BTreeSet<(&str, UnixMs)> = touched.filter_map(packs).collect();
    if touched.is_empty() {
        return Ok(());
    }
    let any = touched.into_iter().fold(Condition::any(), |any, (packs, start)| {
        let of = Condition::all()
            .add(usage_pack::Column::Cube.eq(packs))
            .add(usage_pack::Column::StartMs.eq(start));
        any.add(of)
    });
    usage_pack::Entity::delete_many().filter(any).exec(tx).await?;
    Ok(())
}
