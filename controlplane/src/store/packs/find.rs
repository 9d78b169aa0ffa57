//! What is packed of what a question reads.

use super::open::{Chosen, Pack, Parts};
use super::{IDS, end_of};
use crate::store::cubes::{Dims, Facts, Grain};
use crate::store::questions::Sql;
use crate::store::reading::{Part, Reading};
use crate::store::rollups::{Piece, RollupFilter};
use crate::store::{Store, StoreError};
use ccag_domain::UnixMs;
use sea_orm::FromQueryResult;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Who chooses no more teams than that is better served by the index of teams.
const FEW_TEAMS: usize = 8;

/// So many pieces of time may lie between packs: for each, a statement has another part.
const MOST_GAPS: usize = 40;

/// What is to be read.
pub(in crate::store) struct Wanted<'a> {
    pub(in crate::store) filter: &'a RollupFilter,
    pub(in crate::store) reading: Reading,
    /// The columns, beside those that the filter selects by.
    pub(in crate::store) columns: Vec<&'static str>,
}

/// What is packed of what is wanted.
pub(in crate::store) struct Found {
    pub(in crate::store) packs: Vec<Pack>,
    /// What the filter selects.
    pub(in crate::store) chosen: Chosen,
    /// What is left to be read row by row.
    pub(in crate::store) rest: Vec<Part>,
}

#[derive(FromQueryResult)]
struct PartRow {
    wanted: i32,
    cube: String,
    start_ms: i64,
    part: String,
    data: Vec<u8>,
}

#[derive(FromQueryResult)]
struct NumberRow {
    id: String,
    number: i64,
}

impl Store {
    /// Whether usage that keeps so much apart is better read from packs: if there are any, and rows could not be found by whose
    /// they are.
    pub(in crate::store) fn is_wide(filter: &RollupFilter, dims: Dims, piece: Piece) -> bool {
        let few_teams = |(column, ids): &(&str, Vec<String>)| *column == "team_id" && ids.len() <= FEW_TEAMS;
        piece != Piece::Hour
            && Self::is_of_many(Facts::Usage, filter, dims)
            && !filter.lists().iter().any(few_teams)
    }

    /// Whether there are packs of what keeps so much apart, and nothing is chosen whose rows an index finds.
    pub(in crate::store) fn is_of_many(facts: Facts, filter: &RollupFilter, dims: Dims) -> bool {
        let dims = filter.dims().and(dims);
        let indexed = ["user_id", "key_id", "tool", "server"];
        facts
            .find(Grain::Day, dims)
            .is_some_and(|cube| cube.packs.is_some())
            && !filter.lists().iter().any(|(column, _)| indexed.contains(column))
    }

    /// What is packed of what is wanted, which has to be wide.
    pub(in crate::store) async fn find_packs(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Found>, StoreError> {
        let ids: BTreeSet<String> = wanted
            .iter()
            .flat_map(|one| one.filter.lists())
            .flat_map(|(_, ids)| ids)
            .collect();
        let (rows, numbers) = futures_util::try_join!(self.find_parts(wanted), self.find_numbers(&ids))?;
        let mut packs: Vec<HashMap<(String, UnixMs), Parts>> =
            std::iter::repeat_with(HashMap::new).take(wanted.len()).collect();
        for row in rows {
            if let Some(of) = usize::try_from(row.wanted).ok().and_then(|n| packs.get_mut(n)) {
                let parts = of.entry((row.cube, row.start_ms)).or_default();
                parts.insert(row.part, row.data);
            }
        }
        let found = wanted.iter().zip(packs).map(|(one, mut packs)| {
            let columns = one.columns();
            packs.retain(|_, parts| columns.iter().all(|column| parts.contains_key(*column)));
            let mut found = Found {
                packs: Vec::with_capacity(packs.len()),
                chosen: one.chosen(&numbers),
                rest: Vec::new(),
            };
            for part in one.parts() {
                let Some((cube, its)) = part.cube.and_then(|cube| Some((cube, cube.packs?))) else {
                    found.rest.push(part);
                    continue;
                };
                let of_part = |(name, start): &&(String, UnixMs)| {
                    let (from, to) = (part.from.unwrap_or(i64::MIN), part.to.unwrap_or(i64::MAX));
                    name == its && (from..to).contains(start)
                };
                let starts: BTreeSet<UnixMs> =
                    packs.keys().filter(of_part).map(|(_, start)| *start).collect();
                let (used, rest) = between(part, cube.grain, starts);
                found.rest.extend(rest);
                for start in used {
                    if let Some(parts) = packs.remove(&(its.to_owned(), start)) {
                        found.packs.push(Pack::new(start, parts));
                    }
                }
            }
            found
        });
        Ok(found.collect())
    }

    async fn find_parts(&self, wanted: &[Wanted<'_>]) -> Result<Vec<PartRow>, StoreError> {
        let mut sql = Sql::default();
        for (n, one) in wanted.iter().enumerate() {
            let columns: Vec<String> = one.columns().iter().map(|name| format!("'{name}'")).collect();
            let columns = columns.join(", ");
            for part in one.parts() {
                let Some(its) = part.cube.and_then(|cube| cube.packs) else {
                    continue;
                };
                if !sql.is_empty() {
                    sql.say(" UNION ALL ");
                }
                sql.say(format_args!(
                    "SELECT CAST({n} AS INTEGER) AS wanted, cube, start_ms, part, data FROM usage_packs \
                     WHERE cube = '{its}' AND part IN ({columns})"
                ));
                for (at, sign) in [(part.from, ">="), (part.to, "<")] {
                    if let Some(at) = at {
                        sql.say(format_args!(" AND start_ms {sign} "));
                        sql.bind(at);
                    }
                }
            }
        }
        if sql.is_empty() {
            return Ok(Vec::new());
        }
        let columns = ["wanted", "cube", "start_ms", "part", "data"];
        self.read_large(sql.made(self), columns.map(ToOwned::to_owned).into())
            .await
    }

    async fn find_numbers(&self, ids: &BTreeSet<String>) -> Result<HashMap<String, i64>, StoreError> {
        let mut numbers = HashMap::from([(String::new(), super::numbers::NONE)]);
        if ids.iter().all(String::is_empty) {
            return Ok(numbers);
        }
        let mut sql = Sql::default();
        sql.say("SELECT id, number FROM usage_numbers WHERE id IN (");
        for (n, id) in ids.iter().enumerate() {
            if n > 0 {
                sql.say(", ");
            }
            sql.bind(id.clone());
        }
        sql.say(")");
        let columns = ["id", "number"].map(ToOwned::to_owned).into();
        let rows: Vec<NumberRow> = self.read(sql.made(self), columns).await?;
        numbers.extend(rows.into_iter().map(|row| (row.id, row.number)));
        Ok(numbers)
    }
}

impl Wanted<'_> {
    /// Up to now, the month at hand is read day by day: all but the last of its days are packed, and it is not.
    fn parts(&self) -> Vec<Part> {
        let (from, to) = (self.filter.from_ms, self.filter.to_ms);
        match self.filter.today_ms {
            Some(today) if to.is_none() && from.is_none_or(|from| from < today) => {
                let mut parts = self.reading.parts(from, Some(today));
                parts.push(Part {
                    cube: self.reading.facts.find(Grain::Day, self.reading.dims),
                    from: Some(today),
                    to: None,
                });
                parts
            }
            _ => self.reading.parts(from, to),
        }
    }

    /// All columns that have to be read.
    fn columns(&self) -> Vec<&'static str> {
        let dims = self.filter.dims();
        let selected = IDS.into_iter().filter(|(_, one)| one.within(dims));
        let all: BTreeSet<&'static str> = selected
            .map(|(column, _)| column)
            .chain(self.columns.iter().copied())
            .collect();
        all.into_iter().collect()
    }

    fn chosen(&self, numbers: &HashMap<String, i64>) -> Chosen {
        let lists = self.filter.lists().into_iter();
        Chosen(
            lists
                .map(|(column, ids)| {
                    let ids: HashSet<&String> = ids.iter().collect();
                    let mut known: Vec<i64> = ids
                        .into_iter()
                        .filter_map(|id| numbers.get(id).copied())
                        .collect();
                    known.sort_unstable();
                    (column, known)
                })
                .collect(),
        )
    }
}

/// Which packs to use of a part that is made of whole days or months, and what lies between them.
fn between(part: Part, grain: Grain, starts: BTreeSet<UnixMs>) -> (BTreeSet<UnixMs>, Vec<Part>) {
    let mut gaps = Vec::new();
    let mut from = part.from;
    for start in &starts {
        if from.is_none_or(|from| from < *start) {
            gaps.push(Part {
                from,
                to: Some(*start),
                ..part
            });
        }
        from = Some(end_of(grain, *start));
    }
    if part.to.is_none() || from < part.to {
        gaps.push(Part { from, ..part });
    }
    if gaps.len() > MOST_GAPS {
        return (BTreeSet::new(), vec![part]);
    }
    (starts, gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::time::DAY_MS;

    #[test]
    fn what_is_not_packed_lies_between_packs() {
        let part = |from: Option<i64>, to: Option<i64>| Part {
            cube: Facts::Usage.find(Grain::Day, Dims::USER),
            from: from.map(|day| day * DAY_MS),
            to: to.map(|day| day * DAY_MS),
        };
        let gaps = |from, to, packed: &[i64]| {
            let starts = packed.iter().map(|day| day * DAY_MS).collect();
            let (used, gaps) = between(part(from, to), Grain::Day, starts);
            let days = |at: Option<i64>| at.map(|at| at / DAY_MS);
            let gaps: Vec<_> = gaps
                .into_iter()
                .map(|part| (days(part.from), days(part.to)))
                .collect();
            (used.len(), gaps)
        };
        assert_eq!(gaps(Some(1), Some(4), &[1, 2, 3]), (3, vec![]));
        assert_eq!(gaps(Some(1), None, &[1, 2]), (2, vec![(Some(3), None)]));
        assert_eq!(
            gaps(None, Some(9), &[2, 3, 5]),
            (3, vec![(None, Some(2)), (Some(4), Some(5)), (Some(6), Some(9))])
        );
        assert_eq!(gaps(Some(1), Some(2), &[]), (0, vec![(Some(1), Some(2))]));
        // Too many of them.
        let every_other: Vec<i64> = (0..100).map(|n| n * 2).collect();
        assert_eq!(gaps(Some(0), None, &every_other), (0, vec![(Some(0), None)]));
    }
}
