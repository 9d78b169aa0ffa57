//! Questions that would read many rows, answered from packs and from the few rows that are in none.

use super::COST;
use super::find::{Found, Wanted};
use super::groups::{Costs, Groups, Numbered, Tally};
use super::open::{Chosen, Pack};
use crate::store::cubes::Facts;
use crate::store::questions::{Answer, Question};
use crate::store::reading::Reading;
use crate::store::rollups::{GroupBy, Piece, RollupFilter};
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

/// How a question is answered.
#[derive(Clone, Copy)]
pub(in crate::store) struct Plan {
    facts: Facts,
    /// The column that is kept apart, if any.
    group: Option<&'static str>,
    piece: Piece,
    /// The dearest are found by their costs, and the rest of what they used is read afterwards.
    by_cost: bool,
}

impl Plan {
    fn of(asked: &Question<'_>) -> Self {
        let by_cost = asked.top.is_some() && matches!(asked.by, GroupBy::User | GroupBy::Key);
        Self {
            facts: Facts::Usage,
            group: (asked.by != GroupBy::Nothing).then(|| asked.by.column()),
            // The dearest of all of the time.
            piece: if by_cost { Piece::Whole } else { asked.piece },
            by_cost,
        }
    }

    /// Calls of tools, by a column.
    pub(in crate::store) const fn of_tools(group: &'static str, piece: Piece) -> Self {
        Self {
            facts: Facts::Tools,
            group: Some(group),
            piece,
            by_cost: false,
        }
    }

    /// The columns to add up, and where they stand in [`Sums`].
    pub(super) fn columns(self) -> impl Iterator<Item = (usize, &'static str)> {
        let all = self.facts.sums().iter().copied().enumerate();
        all.filter(move |(_, column)| !self.by_cost || *column == COST)
    }

    pub(super) fn group(self) -> Option<&'static str> {
        self.group
    }

    pub(super) const fn piece(self) -> Piece {
        self.piece
    }

    /// All columns that it needs.
    fn reads(self) -> impl Iterator<Item = &'static str> {
        self.group
            .into_iter()
            .chain(self.columns().map(|(_, column)| column))
    }

    fn tally(self) -> Tally {
        if self.by_cost {
            Tally::Costs(Costs::default())
        } else {
            Tally::Sums(Groups::new())
        }
    }
}

/// A question that is answered from packs.
pub(in crate::store) struct Asked<'a> {
    pub(in crate::store) filter: &'a RollupFilter,
    pub(in crate::store) reading: Reading,
    pub(in crate::store) plan: Plan,
}

/// Questions that read the same.
pub(super) struct Together<'a> {
    pub(super) filter: &'a RollupFilter,
    pub(super) reading: Reading,
    /// Their places among the questions, and how they are answered.
    pub(super) members: Vec<(usize, Plan)>,
}

/// Adds packs up for each question.
fn add_up(packs: Vec<Pack>, chosen: &Chosen, plans: &[Plan]) -> Result<Vec<Tally>, StoreError> {
    let new = |plan: &Plan| (plan.tally(), Numbered::default());
    let mut all: Vec<(Tally, Numbered)> = plans.iter().map(new).collect();
    for pack in packs {
        let columns = pack.open(chosen, plans.iter().flat_map(|plan| plan.reads()))?;
        for (plan, (tally, groups)) in plans.iter().zip(&mut all) {
            tally.add_pack(*plan, pack.start(), &columns, groups);
        }
    }
    let whole = |(mut tally, mut groups): (Tally, Numbered)| {
        if let Tally::Sums(all) = &mut tally {
            groups.move_to(all);
        }
        tally
    };
    Ok(all.into_iter().map(whole).collect())
}

/// As many bytes of packs are worth a thread of their own, which adds them up in some ten milliseconds,
const PER_THREAD: usize = 1_000_000;

/// and so many threads take part in one question.
const MOST_THREADS: usize = 4;

impl Store {
    /// Answers questions that are wide, in their order.
    pub(in crate::store) async fn ask_packs(
        &self,
        questions: &[Question<'_>],
    ) -> Result<Vec<Answer>, StoreError> {
        let asked = questions.iter().map(|asked| self.asked_of_packs(asked));
        let tallies = self.tallies(asked.collect()).await?;
        self.answered(questions, tallies).await
    }

    /// Answers a question that is wide twice, of the same packs: for all of the time, and piece by piece of so many groups, those
    /// that were the dearest.
    pub(in crate::store) async fn ask_packs_twice(
        &self,
        pieces: Question<'_>,
        top: u64,
    ) -> Result<(Answer, Answer), StoreError> {
        let mut tallies = self.tallies(vec![self.asked_of_packs(&pieces)]).await?;
        if let Some(of_pieces) = tallies.first_mut() {
            let whole = of_pieces.whole();
            of_pieces.keep_dearest(&whole, top);
            tallies.push(whole);
        }
        let top = Some(top);
        let whole = Question {
            piece: Piece::Whole,
            ..pieces
        };
        let questions = [Question { top, ..pieces }, whole];
        let mut answers = self.answered(&questions, tallies).await?.into_iter();
        let of_pieces = answers.next().unwrap_or_default();
        Ok((answers.next().unwrap_or_default(), of_pieces))
    }

    fn asked_of_packs<'a>(&self, asked: &Question<'a>) -> Asked<'a> {
        let plan = Plan::of(asked);
        let of_piece = Question {
            piece: plan.piece,
            ..*asked
        };
        Asked {
            filter: asked.filter,
            reading: self.reading(&of_piece, 0),
            plan,
        }
    }

    /// What questions come to, in their order.
    pub(in crate::store) async fn tallies(&self, asked: Vec<Asked<'_>>) -> Result<Vec<Tally>, StoreError> {
        let mut together: Vec<Together<'_>> = Vec::new();
        for (n, asked) in asked.into_iter().enumerate() {
            let alike = together.iter_mut().find(|other| {
                std::ptr::eq(other.filter, asked.filter)
                    && other.reading.piece == asked.plan.piece
                    && other.reading.reads_as(&asked.reading)
            });
            match alike {
                Some(same) => same.members.push((n, asked.plan)),
                None => together.push(Together {
                    filter: asked.filter,
                    reading: asked.reading,
                    members: vec![(n, asked.plan)],
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
            packed.push(add_up_together(packs, chosen, plans));
            rest.push(more);
        }
        let adding = futures_util::future::try_join_all(packed);
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
        Ok(tallies.into_values().collect())
    }
}

/// Packs in so many shares of about the same size, in their order.
fn shares(packs: Vec<Pack>, count: usize) -> Vec<Vec<Pack>> {
    let size: usize = packs.iter().map(Pack::size).sum();
    let mut shares: Vec<Vec<Pack>> = std::iter::repeat_with(Vec::new).take(count).collect();
    let mut before = 0;
    for pack in packs {
        let next = before + pack.size();
        if let Some(share) = shares.get_mut(before * count / size.max(1)) {
            share.push(pack);
        }
        before = next;
    }
    shares
}

/// Adds packs up on as many threads as it takes.
async fn add_up_together(
    packs: Vec<Pack>,
    chosen: Chosen,
    plans: Vec<Plan>,
) -> Result<Vec<Tally>, StoreError> {
    let (chosen, plans) = (Arc::new(chosen), Arc::new(plans));
    let size: usize = packs.iter().map(Pack::size).sum();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (size / PER_THREAD).clamp(1, MOST_THREADS.min(cores));
    let some = shares(packs, threads);
    let parts = some.into_iter().map(|some| {
        let (chosen, plans) = (chosen.clone(), plans.clone());
        tokio::task::spawn_blocking(move || add_up(some, &chosen, &plans))
    });
    let mut all: Option<Vec<Tally>> = None;
    for part in futures_util::future::join_all(parts).await {
        let part = part.map_err(|_| StoreError::Other("packs were not added up".to_owned()))??;
        match &mut all {
            None => all = Some(part),
            Some(all) => {
                for (tally, more) in all.iter_mut().zip(part) {
                    tally.merge(more);
                }
            }
        }
    }
    Ok(all.unwrap_or_default())
}

impl Together<'_> {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            filter: self.filter,
            reading: self.reading.clone(),
            columns: self.members.iter().flat_map(|(_, plan)| plan.reads()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Row;
    use super::*;
    use crate::store::cubes::{Dims, Grain};
    use ccag_domain::time::DAY_MS;

    /// Nine days of some users, whose packs are of different sizes.
    fn packs() -> Vec<Pack> {
        let cube = Facts::Usage.find(Grain::Day, Dims::USER).unwrap();
        let row = |day: i64, user: i64| Row {
            ids: [user, user * 2, user % 3, 0, 0, 0],
            sums: [1, 0, day, user, 5, 6, 7, day * user, day * DAY_MS + user],
        };
        let of_day = |day: i64| {
            let mut rows: Vec<Row> = (1..=day * 3).map(|user| row(day, user)).collect();
            Pack::new(day * DAY_MS, super::super::pack(cube, day * DAY_MS, &mut rows))
        };
        (1..10).map(of_day).collect()
    }

    #[test]
    fn shares_come_to_what_all_come_to() {
        let plan = |group, piece, by_cost| Plan {
            facts: Facts::Usage,
            group,
            piece,
            by_cost,
        };
        let plans = [
            plan(Some("user_id"), Piece::Whole, true),
            plan(Some("team_id"), Piece::Week, false),
            plan(None, Piece::Day, false),
        ];
        let content = |tally: &Tally| {
            let mut all: Vec<String> = match tally {
                Tally::Costs(costs) => costs.all().map(|one| format!("{one:?}")).collect(),
                Tally::Sums(groups) => groups.iter().map(|one| format!("{one:?}")).collect(),
            };
            all.sort_unstable();
            all
        };
        let whole = add_up(packs(), &Chosen::default(), &plans).unwrap();
        assert_eq!(content(&whole[0]).len(), 27);
        for count in [2, 3, 4] {
            let shares = shares(packs(), count);
            assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), 9);
            assert!(shares.iter().all(|share| !share.is_empty()), "{count}");
            let mut all: Vec<Tally> = plans.iter().map(|plan| plan.tally()).collect();
            for share in shares {
                let part = add_up(share, &Chosen::default(), &plans).unwrap();
                for (tally, more) in all.iter_mut().zip(part) {
                    tally.merge(more);
                }
            }
            for (tally, whole) in all.iter().zip(&whole) {
                assert_eq!(content(tally), content(whole));
            }
        }
    }
}
