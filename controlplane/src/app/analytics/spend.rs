//! What was spent, over time and by whom and what, and what the month will come to.

use super::{Asked, Cell, forecast, in_pieces, piece, usage};
use crate::app::App;
use crate::store::{Answer, GroupBy, Piece, Question};
use ccag_admin_api::{Forecast, Step, UsageGroup};
use ccag_domain::{Actor, NanoUsd, Problem};

/// The dearest of a kind, and what the others come to.
#[derive(Debug, Clone, Default)]
pub struct Ranked {
    /// The dearest first.
    pub groups: Vec<UsageGroup>,
    /// How many others there are,
    pub others: u64,
    /// and what they cost.
    pub others_cost: NanoUsd,
}

impl From<Answer> for Ranked {
    fn from(answer: Answer) -> Self {
        Self {
            groups: answer.sums.into_iter().map(usage::group).collect(),
            others: answer.others,
            others_cost: answer.others_cost,
        }
    }
}

/// What was spent.
#[derive(Debug, Clone)]
pub struct Spent {
    /// By pieces of time.
    pub over_time: Vec<Cell>,
    /// By team, all of them, the dearest first,
    pub teams: Vec<UsageGroup>,
    /// and by pieces of time, of the dearest few.
    pub teams_over_time: Vec<Cell>,
    /// What was spent in the time before.
    pub before: NanoUsd,
    /// What the month will come to.
    pub forecast: Forecast,
    /// By model, all of them.
    pub models: Vec<UsageGroup>,
    /// By user.
    pub users: Ranked,
    /// By key.
    pub keys: Ranked,
    /// By endpoint.
    pub endpoints: Ranked,
}

/// How many of each are told apart.
#[derive(Debug, Clone, Copy)]
pub struct Few {
    /// Of users, keys and endpoints.
    pub ranked: u64,
    /// Of teams, over time.
    pub charted: usize,
}

/// What was spent.
///
/// # Errors
/// [`Code::Unavailable`](ccag_domain::Code::Unavailable) without a database.
pub async fn spent(app: &App, actor: &Actor, asked: &Asked, few: Few) -> Result<Spent, Problem> {
    let now = app.now_ms();
    let filter = asked.scope().filter(app, actor)?;
    let before = asked.before().scope().filter(app, actor)?;
    let basis = forecast::basis(asked, now);
    let basis_filter = basis.scope().filter(app, actor)?;
    let whole = |filter, by, top| Question {
        filter,
        by,
        piece: Piece::Whole,
        top,
    };
    let top = Some(few.ranked);
    let questions = [
        asked.question(&filter, None),
        whole(&before, GroupBy::Nothing, None),
        basis.question(&basis_filter, None),
        whole(&filter, GroupBy::Model, None),
        whole(&filter, GroupBy::User, top),
        whole(&filter, GroupBy::Key, top),
        whole(&filter, GroupBy::Endpoint, top),
    ];
    let teams = app.store.teams_over_time(&filter, piece(asked.step), few.charted);
    let (answers, teams) = futures_util::try_join!(app.store.ask(&questions), teams)?;
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    Ok(Spent {
        over_time: in_pieces(asked.step, next().sums),
        teams: teams.all.into_iter().map(usage::group).collect(),
        teams_over_time: in_pieces(asked.step, teams.over_time),
        before: next().sums.iter().map(|sum| sum.cost).sum(),
        forecast: forecast::from_days(&in_pieces(Step::Day, next().sums), now),
        models: next().sums.into_iter().map(usage::group).collect(),
        users: next().into(),
        keys: next().into(),
        endpoints: next().into(),
    })
}
