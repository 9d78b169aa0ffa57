//! Questions that would read many rows, answered from packs and from the few rows that are in none.

use super::find::{Chosen, Columns, Found, Pack, Wanted};
use super::lines::Group;
use super::numbers::NONE;
use super::{COST, COST_AT, LAST, SUMS};
use crate::store::questions::{Answer, Question};
use crate::store::reading::Reading;
use crate::store::rollups::{GroupBy, Piece, RollupFilter};
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, HashMap};

/// What is added up, in the order of [`SUMS`], and the last hour.
pub(super) type Sums = [i64; 9];

/// Sums by the start of their piece of time and by group.
pub(super) type Groups = HashMap<(i64, Group), Sums>;

/// What groups cost, of those that have a number in its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Costs {
    numbered: Vec<Option<i64>>,
    named: HashMap<String, i64>,
}

impl Costs {
    fn add_to(&mut self, number: i64, more: i64) {
        let Ok(place) = usize::try_from(number) else {
            return;
        };
        if place >= self.numbered.len() {
            self.numbered.resize(place + 1, None);
        }
        if let Some(slot) = self.numbered.get_mut(place) {
            *slot = Some(slot.unwrap_or(0).saturating_add(more));
        }
    }

    fn add(&mut self, group: Group, more: i64) {
        match group {
            Group::Number(number) => self.add_to(number, more),
            Group::Id(id) => {
                let cost = self.named.entry(id).or_default();
                *cost = cost.saturating_add(more);
            }
        }
    }

    /// Each group and what it cost.
    pub(super) fn all(&self) -> impl Iterator<Item = (i64, Group)> {
        let numbers = (0_i64..).zip(&self.numbered);
        let numbered = numbers.filter_map(|(number, cost)| Some(((*cost)?, Group::Number(number))));
        let named = self.named.iter().map(|(id, cost)| (*cost, Group::Id(id.clone())));
        numbered.chain(named)
    }
}

/// What comes of adding up for one question.
#[derive(Debug, Clone)]
pub(super) enum Tally {
    /// What its groups cost, in all of the time.
    Costs(Costs),
    /// All that they used, piece by piece.
    Sums(Groups),
}

/// How a question is answered.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    by: GroupBy,
    piece: Piece,
    /// The dearest are found by their costs, and the rest of what they used is read afterwards.
    by_cost: bool,
}

impl Plan {
    pub(super) fn of(asked: &Question<'_>) -> Self {
        let by_cost = asked.top.is_some() && matches!(asked.by, GroupBy::User | GroupBy::Key);
        Self {
            by: asked.by,
            // The dearest of all of the time.
            piece: if by_cost { Piece::Whole } else { asked.piece },
            by_cost,
        }
    }

    /// The columns to add up, and where they stand in [`Sums`].
    pub(super) fn columns(self) -> impl Iterator<Item = (usize, &'static str)> {
        SUMS.into_iter()
            .chain([LAST])
            .enumerate()
            .filter(move |(_, column)| !self.by_cost || *column == COST)
    }

    pub(super) fn group(self) -> Option<&'static str> {
        (self.by != GroupBy::Nothing).then(|| self.by.column())
    }
}

/// Questions that read the same.
pub(super) struct Together<'a> {
    pub(super) filter: &'a RollupFilter,
    pub(super) reading: Reading,
    /// Their places among the questions, and how they are answered.
    pub(super) members: Vec<(usize, Plan)>,
}

impl Plan {
    pub(super) fn is_by_cost(self) -> bool {
        self.by_cost
    }

    fn tally(self) -> Tally {
        if self.by_cost {
            Tally::Costs(Costs::default())
        } else {
            Tally::Sums(Groups::new())
        }
    }
}

impl Tally {
    /// Adds what a row says.
    pub(super) fn add(&mut self, at: i64, group: Group, more: &Sums) {
        match self {
            Self::Costs(costs) => costs.add(group, more[COST_AT]),
            Self::Sums(groups) => put(groups, (at, group), more),
        }
    }

    /// Adds the rows of a pack.
    fn add_pack(&mut self, plan: Plan, start: i64, columns: &Columns, rows: &[usize]) {
        let of = plan.group().map(|column| columns.of(column));
        let group = |n: usize| of.map_or(NONE, |of| of.get(n).copied().unwrap_or(NONE));
        let at = plan.piece.start(start);
        match self {
            Self::Costs(costs) => {
                let added = columns.of(COST);
                for n in rows {
                    costs.add_to(group(*n), added.get(*n).copied().unwrap_or(0));
                }
            }
            Self::Sums(groups) => {
                let added: Vec<(usize, &[i64])> = plan
                    .columns()
                    .map(|(slot, column)| (slot, columns.of(column)))
                    .collect();
                // Rows of a user lie together.
                for some in rows.chunk_by(|a, b| group(*a) == group(*b)) {
                    let mut sums = [0; 9];
                    for (slot, values) in &added {
                        for n in some {
                            add(&mut sums, *slot, values.get(*n).copied().unwrap_or(0));
                        }
                    }
                    let group = some.first().map_or(NONE, |n| group(*n));
                    put(groups, (at, Group::Number(group)), &sums);
                }
            }
        }
    }
}

fn add(sums: &mut Sums, slot: usize, more: i64) {
    if let Some(value) = sums.get_mut(slot) {
        *value = if slot == SUMS.len() {
            (*value).max(more)
        } else {
            value.saturating_add(more)
        };
    }
}

fn put(groups: &mut Groups, group: (i64, Group), more: &Sums) {
    let sums = groups.entry(group).or_insert([0; 9]);
    for (slot, value) in more.iter().enumerate() {
        add(sums, slot, *value);
    }
}

/// Adds packs up for each question.
fn add_up(packs: Vec<Pack>, chosen: &Chosen, plans: &[Plan]) -> Result<Vec<Tally>, StoreError> {
    let mut all: Vec<Tally> = plans.iter().map(|plan| plan.tally()).collect();
    for pack in packs {
        let start = pack.start();
        let (columns, rows) = pack.open(chosen)?;
        for (plan, tally) in plans.iter().zip(&mut all) {
            tally.add_pack(*plan, start, &columns, &rows);
        }
    }
    Ok(all)
}

impl Store {
    /// Answers questions that are wide, in their order.
    pub(in crate::store) async fn ask_packs(
        &self,
        questions: &[Question<'_>],
    ) -> Result<Vec<Answer>, StoreError> {
        let mut together: Vec<Together<'_>> = Vec::new();
        for (n, asked) in questions.iter().enumerate() {
            let plan = Plan::of(asked);
            let reading = self.reading(
                &Question {
                    piece: plan.piece,
                    ..*asked
                },
                0,
            );
            let alike = together.iter_mut().find(|other| {
                std::ptr::eq(other.filter, asked.filter)
                    && other.reading.piece == plan.piece
                    && other.reading.reads_as(&reading)
            });
            match alike {
                Some(same) => same.members.push((n, plan)),
                None => together.push(Together {
                    filter: asked.filter,
                    reading,
                    members: vec![(n, plan)],
                }),
            }
        }
        let wanted: Vec<Wanted<'_>> = together.iter().map(Together::wanted).collect();
        let (mut packed, mut rest) = (Vec::new(), Vec::new());
        for (one, found) in together.iter().zip(self.find_packs(&wanted).await?) {
            let Found {
                packs,
                chosen,
                rest: more,
            } = found;
            let plans: Vec<Plan> = one.members.iter().map(|(_, plan)| *plan).collect();
            packed.push(move || add_up(packs, &chosen, &plans));
            rest.push(more);
        }
        let adding = async {
            let all = move || packed.into_iter().map(|one| one()).collect::<Result<Vec<_>, _>>();
            tokio::task::spawn_blocking(all)
                .await
                .map_err(|_| StoreError::Other("packs were not added up".to_owned()))?
        };
        let (packed, rows) = futures_util::try_join!(adding, self.rest(&together, &rest))?;
        let members = together
            .iter()
            .flat_map(|one| one.members.iter().map(|(member, _)| *member));
        let mut tallies: BTreeMap<usize, Tally> = members.zip(packed.into_iter().flatten()).collect();
        for (member, at, group, more) in rows {
            if let Some(tally) = tallies.get_mut(&member) {
                tally.add(at, group, &more);
            }
        }
        self.answered(questions, tallies.into_values().collect()).await
    }
}

impl Together<'_> {
    fn wanted(&self) -> Wanted<'_> {
        let mut columns: Vec<&'static str> = vec![COST];
        for (_, plan) in &self.members {
            columns.extend(plan.group());
            columns.extend(plan.columns().map(|(_, column)| column));
        }
        Wanted {
            filter: self.filter,
            reading: self.reading.clone(),
            columns,
        }
    }
}
