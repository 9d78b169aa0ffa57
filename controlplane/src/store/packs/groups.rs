//! What comes of adding up, by groups.

use super::answer::foremost;
use super::lines::Group;
use super::numbers::NONE;
use super::open::Columns;
use super::sum::Plan;
use super::{COST, COST_AT, Sums, add, add_all, together};
use crate::store::rollups::Piece;
use std::collections::{HashMap, HashSet};

/// Sums by the start of their piece of time and by group.
pub(in crate::store) type Groups = HashMap<(i64, Group), Sums>;

/// What groups cost, of those that have a number in its place.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Costs {
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
pub(in crate::store) enum Tally {
    /// What its groups cost, in all of the time.
    Costs(Costs),
    /// All that they used, piece by piece.
    Sums(Groups),
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
    pub(super) fn add_pack(&mut self, plan: Plan, start: i64, columns: &Columns, groups: &mut Numbered) {
        let nobody: Vec<i64>;
        let of = match plan.group() {
            Some(column) => columns.of(column),
            None => {
                nobody = vec![NONE; columns.rows()];
                &nobody
            }
        };
        match self {
            Self::Costs(costs) => {
                for (number, cost) in of.iter().zip(columns.of(COST)) {
                    costs.add_to(*number, *cost);
                }
            }
            Self::Sums(all) => {
                let at = plan.piece().start(start);
                if groups.at != at {
                    groups.move_to(all);
                    groups.at = at;
                }
                let added: Vec<(usize, &[i64])> = plan
                    .columns()
                    .map(|(slot, column)| (slot, columns.of(column)))
                    .collect();
                let mut from = 0;
                // Rows of a user, or of a team, lie together.
                for some in of.chunk_by(|a, b| a == b) {
                    let rows = from..from + some.len();
                    from = rows.end;
                    let Some(sums) = some.first().and_then(|group| groups.of(*group)) else {
                        continue;
                    };
                    for (slot, values) in &added {
                        let values = values.get(rows.clone()).unwrap_or_default();
                        add(sums, *slot, together(*slot, values));
                    }
                }
            }
        }
    }

    /// The same of all of the time.
    pub(super) fn whole(&self) -> Self {
        match self {
            Self::Costs(costs) => Self::Costs(costs.clone()),
            Self::Sums(groups) => {
                let mut whole = Groups::new();
                for ((_, group), sums) in groups {
                    put(&mut whole, (Piece::Whole.start(0), group.clone()), sums);
                }
                Self::Sums(whole)
            }
        }
    }

    /// Leaves all but the groups that cost most, by what they cost in all of the time.
    pub(super) fn keep_dearest(&mut self, whole: &Self, top: u64) {
        let (Self::Sums(groups), Self::Sums(whole)) = (self, whole) else {
            return;
        };
        let costs = whole.iter().map(|((_, group), sums)| (group, sums[COST_AT]));
        let dearest = foremost(costs.collect(), top, |(_, cost)| *cost);
        let dearest: HashSet<&Group> = dearest.into_iter().map(|(group, _)| group).collect();
        groups.retain(|(_, group), _| dearest.contains(group));
    }

    /// Adds what another thread has found.
    pub(super) fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Costs(costs), Self::Costs(more)) => {
                for (cost, group) in more.all() {
                    costs.add(group, cost);
                }
            }
            (Self::Sums(groups), Self::Sums(more)) => {
                for (group, sums) in more {
                    put(groups, group, &sums);
                }
            }
            _ => {}
        }
    }
}

/// Sums of one piece of time by the numbers of groups, which are found by their places: packs have as many rows of models as of
/// teams, all over them.
#[derive(Default)]
pub(super) struct Numbered {
    at: i64,
    /// One more than where a number's sums are, and 0 for those that have none.
    places: Vec<u32>,
    sums: Vec<(i64, Sums)>,
}

impl Numbered {
    fn of(&mut self, number: i64) -> Option<&mut Sums> {
        let n = usize::try_from(number).ok()?;
        if n >= self.places.len() {
            self.places.resize(n + 1, 0);
        }
        let place = self.places.get_mut(n)?;
        if *place == 0 {
            self.sums.push((number, [0; 9]));
            *place = u32::try_from(self.sums.len()).ok()?;
        }
        let (_, sums) = self.sums.get_mut(*place as usize - 1)?;
        Some(sums)
    }

    /// Adds them to those of all times, and begins anew.
    pub(super) fn move_to(&mut self, groups: &mut Groups) {
        for (number, sums) in self.sums.drain(..) {
            put(groups, (self.at, Group::Number(number)), &sums);
            if let Some(place) = usize::try_from(number).ok().and_then(|n| self.places.get_mut(n)) {
                *place = 0;
            }
        }
    }
}

fn put(groups: &mut Groups, group: (i64, Group), more: &Sums) {
    add_all(groups.entry(group).or_insert([0; 9]), more);
}
