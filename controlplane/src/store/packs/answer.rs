//! Sums in order, with the names of groups.

use super::lines::Group;
use super::numbers::NONE;
use super::sum::{Costs, Groups, Tally};
use crate::store::dialect;
use crate::store::questions::{Answer, Question, Sql};
use crate::store::rollups::{RollupFilter, RollupSum};
use crate::store::{Backend, Store, StoreError};
use ccag_domain::{NanoUsd, Tokens};
use sea_orm::FromQueryResult;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

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
type Names = HashMap<Group, (String, Option<String>)>;

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
            self.names(questions, &unnamed)
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

    /// The names of groups, question by question.
    async fn names(
        &self,
        questions: &[Question<'_>],
        unnamed: &[(usize, Groups)],
    ) -> Result<Vec<Names>, StoreError> {
        let mut all = Vec::with_capacity(unnamed.len());
        for (n, groups) in unnamed {
            let mut names = Names::from([(Group::Number(NONE), (String::new(), None))]);
            let names_of = questions.get(*n).and_then(|asked| asked.by.names());
            let Some((table, id, name)) = names_of else {
                all.push(names);
                continue;
            };
            let (mut numbers, mut ids) = (Vec::new(), Vec::new());
            for (_, group) in groups.keys() {
                match group {
                    Group::Number(number) => numbers.push(*number),
                    Group::Id(id) => ids.push(id.clone()),
                }
            }
            ids.sort_unstable();
            ids.dedup();
            numbers.sort_unstable();
            numbers.dedup();
            let mut chunks: Vec<Sql> = Vec::new();
            for some in numbers.chunks(NAMES) {
                let some: Vec<String> = some.iter().map(ToString::to_string).collect();
                let mut sql = Sql::default();
                sql.say(format_args!(
                    "SELECT usage_numbers.number AS number, usage_numbers.id AS id, {name} AS name FROM usage_numbers LEFT JOIN \
                     {table} ON {table}.{id} = usage_numbers.id WHERE usage_numbers.number IN ({})",
                    some.join(", ")
                ));
                chunks.push(sql);
            }
            for some in ids.chunks(dialect::rows_per_statement(1)) {
                let mut sql = Sql::default();
                sql.say(format_args!(
                    "SELECT CAST(NULL AS BIGINT) AS number, {table}.{id} AS id, {name} AS name FROM {table} WHERE {table}.{id} IN ("
                ));
                for (n, id) in some.iter().enumerate() {
                    if n > 0 {
                        sql.say(", ");
                    }
                    sql.bind(id.clone());
                }
                sql.say(")");
                chunks.push(sql);
            }
            names.extend(ids.into_iter().map(|id| (Group::Id(id.clone()), (id, None))));
            for sql in chunks {
                let columns = ["number", "id", "name"].map(ToOwned::to_owned).into();
                for row in self.read::<Named>(sql.made(self), columns).await? {
                    let group = row
                        .number
                        .map_or_else(|| Group::Id(row.id.clone()), Group::Number);
                    names.insert(group, (row.id, row.name));
                }
            }
            all.push(names);
        }
        Ok(all)
    }
}

/// The dearest, and those that cost as much as the last of them: which of these come first is a matter of their ids.
fn dearest(costs: &Costs, top: u64) -> Among {
    let top = usize::try_from(top).unwrap_or(usize::MAX);
    let mut costs: Vec<(i64, Group)> = costs.all().collect();
    costs.sort_unstable_by_key(|(cost, _)| Reverse(*cost));
    let last = top
        .checked_sub(1)
        .and_then(|n| costs.get(n))
        .map(|(cost, _)| *cost);
    let mut among = Among::default();
    let alike = |(n, (cost, _)): &(usize, (i64, Group))| *n < top || last == Some(*cost);
    for (_, (_, group)) in costs
        .into_iter()
        .enumerate()
        .take_while(alike)
        .take(top.saturating_add(MOST_ALIKE))
    {
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
