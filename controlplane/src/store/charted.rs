//! All teams, and what the dearest of them used over time: what a chart shows.

use super::questions::Question;
use super::rollups::{GroupBy, Piece, RollupFilter, RollupSum};
use super::{Store, StoreError};

/// Teams over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Teams {
    /// All of them, in all of the time, the dearest first.
    pub(crate) all: Vec<RollupSum>,
    /// The dearest few, piece by piece.
    pub(crate) over_time: Vec<RollupSum>,
}

impl Store {
    /// What all teams used, and so many of the dearest piece by piece.
    pub(crate) async fn teams_over_time(
        &self,
        filter: &RollupFilter,
        piece: Piece,
        few: usize,
    ) -> Result<Teams, StoreError> {
        let all = Question {
            filter,
            by: GroupBy::Team,
            piece: Piece::Whole,
            top: None,
        };
        let pieces = Question { piece, ..all };
        if pieces.is_wide(self.complete_from().await?) {
            // Packs hold all teams: they are read once.
            let (all, over_time) = self.ask_packs_twice(pieces, few as u64).await?;
            return Ok(Teams {
                all: all.sums,
                over_time: over_time.sums,
            });
        }
        // Rows of a few can be found by whose they are.
        let all = self.answer(all).await?.sums;
        let mut of = filter.clone();
        of.of.teams = all.iter().take(few).map(|sum| sum.group.clone()).collect();
        let over_time = match of.of.teams.is_empty() {
            true => Vec::new(),
            false => {
                let few = Question {
                    filter: &of,
                    ..pieces
                };
                self.answer(few).await?.sums
            }
        };
        Ok(Teams { all, over_time })
    }
}
