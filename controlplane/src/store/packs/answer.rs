//! Sums in order, with the names of groups.

use super::groups::{Costs, Groups, Tally};
use super::lines::Group;
use super::numbers::NONE;
use crate::store::dialect;
use crate::store::questions::{Answer, Question, Sql};
use crate::store::rollups::{RollupFilter, RollupSum};
use crate::store::{Backend, Store, StoreError};
use ccag_domain::{NanoUsd, Tokens};
use sea_orm::FromQueryResult;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

/// So many of equal rank are looked at more closely.
const MOST_ALIKE: usize = 1_000;

/// So many names are asked for at once.
const NAMES: usize = 50_000;

/// A few of many groups: what remains of a ranking.
#[derive(Debug, Clone, Default)]
pub(crate) struct Among {
    pub(in crate::store) column: &'static str,
    pub(in crate::store) numbers: Vec<i64>,
    pub(in crate::store) ids: Vec<String>,
    /// Of SQLite, which would sometimes rather read all days.
    sqlite: bool,
}

impl Among {
    /// The index of sums that has to be used.
    pub(in crate::store) fn index(&self) -> Option<String> {
        self.sqlite
            .then(|| format!("ix_usage_sums_cube_{}_start_ms", self.column))
    }
}

#[derive(FromQueryResult)]
struct Named {
    number: Option<i64>,
    id: String,
    name: Option<String>,
}

/// A group's id, and what people call it.
pub(in crate::store) type Names = HashMap<Group, (String, Option<String>)>;

/// Groups that are to be named.
pub(in crate::store) struct Unnamed {
    /// Where their names are, if they have any: table, id and name.
    table: Option<(&'static str, &'static str, &'static str)>,
    numbers: BTreeSet<i64>,
    ids: BTreeSet<String>,
}

impl Unnamed {
    pub(in crate::store) fn of<'g>(
        table: Option<(&'static str, &'static str, &'static str)>,
        groups: impl Iterator<Item = &'g Group>,
    ) -> Self {
        let (mut numbers, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for group in groups {
            match group {
                Group::Number(NONE) => {}
                Group::Number(number) => drop(numbers.insert(*number)),
                Group::Id(id) => drop(ids.insert(id.clone())),
            }
        }
        Self { table, numbers, ids }
    }
}

impl Store {
    /// Puts sums in order, with the names of groups, or with all that the dearest of them used.
    pub(super) async fn answered(
        &self,
        questions: &[Question<'_>],
        tallies: Vec<Tally>,
    ) -> Result<Vec<Answer>, StoreError> {
        let mut answers = vec![Answer::default(); questions.len()];
        let mut filters: Vec<(usize, RollupFilter)> = Vec::new();
        let mut unnamed: Vec<(usize, Groups)> = Vec::new();
        for (n, (asked, tally)) in questions.iter().zip(tallies).enumerate() {
            let costs = match tally {
                Tally::Sums(groups) => {
                    unnamed.push((n, groups));
                    continue;
                }
                Tally::Costs(costs) => costs,
            };
            let top = asked.top.unwrap_or(0);
            if let Some(answer) = answers.get_mut(n) {
                answer.others = (costs.all().count() as u64).saturating_sub(top);
                answer.others_cost = costs.all().map(|(cost, _)| NanoUsd(cost)).sum();
            }
            let filter = RollupFilter {
                among: Some(Among {
                    column: asked.by.column(),
                    sqlite: self.backend == Backend::Sqlite,
                    ..dearest(&costs, top)
                }),
                ..asked.filter.clone()
            };
            filters.push((n, filter));
        }
        let closer: Vec<Question<'_>> = filters
            .iter()
            .filter_map(|(n, filter)| {
                let asked = questions.get(*n)?;
                Some(Question {
                    filter,
                    top: None,
                    ..*asked
                })
            })
            .collect();
        let (closer, names) = futures_util::try_join!(
            async {
                match closer.is_empty() {
                    true => Ok(Vec::new()),
                    false => self.ask_rows(&closer, 0).await,
                }
            },
            async {
                let unnamed = unnamed.iter().map(|(n, groups)| {
                    let table = questions.get(*n).and_then(|asked| asked.by.names());
                    Unnamed::of(table, groups.keys().map(|(_, group)| group))
                });
                self.names(&unnamed.collect::<Vec<_>>()).await
            }
        )?;
        for ((n, _), found) in filters.iter().zip(closer) {
            let top = questions.get(*n).and_then(|asked| asked.top).unwrap_or(0);
            if let Some(answer) = answers.get_mut(*n) {
                answer.sums = first_groups(found.sums, top);
                let shown: NanoUsd = answer.sums.iter().map(|sum| sum.cost).sum();
                answer.others_cost.0 = answer.others_cost.0.saturating_sub(shown.0);
            }
        }
        for ((n, groups), names) in unnamed.into_iter().zip(names) {
            if let (Some(answer), Some(asked)) = (answers.get_mut(n), questions.get(n)) {
                *answer = in_order(groups, &names, asked.top);
            }
        }
        Ok(answers)
    }

    /// The names of groups, of each of these.
    pub(in crate::store) async fn names(&self, unnamed: &[Unnamed]) -> Result<Vec<Names>, StoreError> {
        futures_util::future::try_join_all(unnamed.iter().map(|some| self.names_of(some))).await
    }

    async fn names_of(&self, unnamed: &Unnamed) -> Result<Names, StoreError> {
        let Unnamed { table, numbers, ids } = unnamed;
        let mut names = Names::from([(Group::Number(NONE), (String::new(), None))]);
        names.extend(ids.iter().map(|id| (Group::Id(id.clone()), (id.clone(), None))));
        let name = table.map_or("CAST(NULL AS TEXT)", |(_, _, name)| name);
        let joined = table.map_or_else(String::new, |(table, id, _)| {
            format!(" LEFT JOIN {table} ON {table}.{id} = usage_numbers.id")
        });
        let mut chunks: Vec<Sql> = Vec::new();
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        for some in numbers.chunks(NAMES) {
            let mut sql = Sql::default();
            sql.say(format_args!(
                "SELECT usage_numbers.number AS number, usage_numbers.id AS id, {name} AS name FROM usage_numbers{joined} \
                 WHERE usage_numbers.number IN ({})",
                some.join(", ")
            ));
            chunks.push(sql);
        }
        let ids: Vec<String> = ids.iter().cloned().collect();
        for some in ids.chunks(dialect::rows_per_statement(1)) {
            // Without names an id says all.
            let Some((table, id, _)) = table else { break };
            let mut sql = Sql::default();
            sql.say(format_args!(
                "SELECT CAST(NULL AS BIGINT) AS number, {table}.{id} AS id, {name} AS name FROM {table} WHERE 1 = 1"
            ));
            sql.one_of(&format!("{table}.{id}"), some);
            chunks.push(sql);
        }
        let reads = chunks.into_iter().map(|sql| {
            let columns = ["number", "id", "name"].map(ToOwned::to_owned).into();
            self.read::<Named>(sql.made(self), columns)
        });
        let found = futures_util::future::try_join_all(reads).await?;
        names.extend(found.into_iter().flatten().map(|row| {
            let group = row
                .number
                .map_or_else(|| Group::Id(row.id.clone()), Group::Number);
            (group, (row.id, row.name))
        }));
        Ok(names)
    }
}

/// The first few by their rank, and those of the same rank as the last of them: which of these come first is a matter of their
/// ids.
pub(in crate::store) fn foremost<T>(mut all: Vec<T>, top: u64, rank: impl Fn(&T) -> i64) -> Vec<T> {
    let top = usize::try_from(top).unwrap_or(usize::MAX);
    all.sort_unstable_by_key(|one| Reverse(rank(one)));
    let last = top.checked_sub(1).and_then(|n| all.get(n)).map(&rank);
    let alike = all.iter().skip(top).take(MOST_ALIKE);
    let alike = alike.take_while(|one| last == Some(rank(one))).count();
    all.truncate(top.saturating_add(alike));
    all
}

/// The dearest, and those that cost as much as the last of them.
fn dearest(costs: &Costs, top: u64) -> Among {
    let mut among = Among::default();
    for (_, group) in foremost(costs.all().collect(), top, |(cost, _)| *cost) {
        match group {
            Group::Number(NONE) => among.ids.push(String::new()),
            Group::Number(number) => among.numbers.push(number),
            Group::Id(id) => among.ids.push(id),
        }
    }
    among
}

/// What groups cost in all of the time.
fn costs(sums: &[RollupSum]) -> HashMap<&str, i64> {
    let mut costs: HashMap<&str, i64> = HashMap::new();
    for sum in sums {
        let cost = costs.entry(sum.group.as_str()).or_default();
        *cost = cost.saturating_add(sum.cost.0);
    }
    costs
}

/// Of sums in order, those of the groups that were the dearest in all of the time.
fn first_groups(mut sums: Vec<RollupSum>, top: u64) -> Vec<RollupSum> {
    let mut order: Vec<(Reverse<i64>, String)> = costs(&sums)
        .into_iter()
        .map(|(group, cost)| (Reverse(cost), group.to_owned()))
        .collect();
    order.sort_unstable();
    order.truncate(usize::try_from(top).unwrap_or(usize::MAX));
    let first: HashSet<String> = order.into_iter().map(|(_, group)| group).collect();
    sums.retain(|sum| first.contains(&sum.group));
    sums
}

/// Pieces of time in order, and within each the dearest group first.
fn in_order(groups: Groups, names: &Names, top: Option<u64>) -> Answer {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let mut sums: Vec<RollupSum> = groups
        .into_iter()
        .map(|((at, group), sums)| {
            let [
                requests,
                errors,
                input,
                output,
                read,
                write_5m,
                write_1h,
                cost,
                last,
            ] = sums;
            let (id, name) = names.get(&group).cloned().unwrap_or_default();
            RollupSum {
                group: id,
                name,
                bucket_ms: at,
                last_bucket_ms: last,
                requests: count(requests),
                errors: count(errors),
                tokens: Tokens {
                    input: count(input),
                    output: count(output),
                    cache_read: count(read),
                    cache_write_5m: count(write_5m),
                    cache_write_1h: count(write_1h),
                },
                cost: NanoUsd(cost),
            }
        })
        .collect();
    sums.sort_by(|a, b| {
        let place = |sum: &RollupSum| (sum.bucket_ms, Reverse(sum.cost.0));
        place(a).cmp(&place(b)).then_with(|| a.group.cmp(&b.group))
    });
    let mut answer = Answer::default();
    if let Some(top) = top {
        let all = costs(&sums);
        answer.others = (all.len() as u64).saturating_sub(top);
        answer.others_cost = NanoUsd(all.values().sum());
        sums = first_groups(sums, top);
        let shown: NanoUsd = sums.iter().map(|sum| sum.cost).sum();
        answer.others_cost.0 = answer.others_cost.0.saturating_sub(shown.0);
    }
    answer.sums = sums;
    answer
}
