//! What was spent, over time and by whom and what, and what the month will come to: all in one statement.

use super::{Asked, Cell, forecast, in_pieces, usage};
use crate::app::App;
use crate::store::{Answer, GroupBy, Piece, Question};
use ccag_admin_api::{Forecast, GroupBy as ApiGroupBy, Step, UsageGroup};
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
    /// By pieces of time and teams.
    pub cells: Vec<Cell>,
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

/// What was spent, with the `top` dearest users, keys and endpoints.
///
/// # Errors
/// [`Code::Unavailable`](ccag_domain::Code::Unavailable) without a database.
pub async fn spent(app: &App, actor: &Actor, asked: &Asked, top: u64) -> Result<Spent, Problem> {
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
    let questions = [
        asked.question(&filter, Some(ApiGroupBy::Team)),
        whole(&before, GroupBy::Nothing, None),
        basis.question(&basis_filter, None),
        whole(&filter, GroupBy::Model, None),
        whole(&filter, GroupBy::User, Some(top)),
        whole(&filter, GroupBy::Key, Some(top)),
        whole(&filter, GroupBy::Endpoint, Some(top)),
    ];
    let mut answers = app.store.ask(&questions).await?.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    Ok(Spent {
        cells: in_pieces(asked.step, next().sums),
        before: next().sums.iter().map(|sum| sum.cost).sum(),
        forecast: forecast::from_days(&in_pieces(Step::Day, next().sums), now),
        models: next().sums.into_iter().map(usage::group).collect(),
        users: next().into(),
        keys: next().into(),
        endpoints: next().into(),
    })
}
