//! Sums over time for files, whatever their size: some pieces of time after the other, each read when those before are sent.

use super::seen::{self, ToolsAsked};
use super::{Asked, cells, named, piece_start};
use crate::app::App;
use ccag_admin_api::{AnalyticsCell, GroupBy, Step, TimeRange, ToolCell, ToolsBy, ToolsQuery};
use ccag_domain::time::DAY_MS;
use ccag_domain::{Actor, Problem};
use futures_util::{Stream, StreamExt};

impl Asked {
    /// The same in stretches of whole pieces of time, so long that each has some ten thousand lines in a large organisation: there
    /// are many users and keys, and few of everything else. Where there are many, the first is short, so that something is there
    /// soon.
    fn stretches(&self, of_many: bool) -> Vec<Self> {
        let days = match (self.step, of_many) {
            (Step::Hour, true) => 1,
            (Step::Day, true) => 7,
            (Step::Hour, false) => 14,
            (Step::Week, true) => 28,
            (Step::Month, true) => 31,
            (Step::Day, false) => 91,
            (Step::Week | Step::Month, false) => 366,
        };
        let (begin, end) = (self.range.from_ms, self.range.to_ms);
        let is_short = of_many && self.step == Step::Day;
        let next = |from: &i64| {
            let days = if is_short && *from == begin { 1 } else { days };
            let next = piece_start(self.step, from.saturating_add(days * DAY_MS));
            (next < end).then_some(next)
        };
        let starts: Vec<i64> = std::iter::successors(Some(begin), next).collect();
        let ends = starts.iter().copied().skip(1).chain([end]);
        let stretch = |(from_ms, to_ms)| Self {
            range: TimeRange { from_ms, to_ms },
            ..self.clone()
        };
        starts.iter().copied().zip(ends).map(stretch).collect()
    }
}

/// Sums by pieces of time and groups, in the order of [`cells`].
///
/// # Errors
/// As [`cells`], at any time.
pub fn stream(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    by: Option<GroupBy>,
) -> impl Stream<Item = Result<Vec<AnalyticsCell>, Problem>> + Send + use<> {
    let of_many = matches!(by, Some(GroupBy::User | GroupBy::Key));
    let (app, actor) = (app.clone(), actor.clone());
    futures_util::stream::iter(asked.stretches(of_many)).then(move |asked| {
        let (app, actor) = (app.clone(), actor.clone());
        async move { Ok(named(cells(&app, &actor, &asked, by).await?)) }
    })
}

/// Calls of tools by pieces of time and groups, all of them.
///
/// # Errors
/// As [`seen::tools`], at once or at any time.
pub fn stream_tools(
    app: &App,
    actor: &Actor,
    query: &ToolsQuery,
) -> Result<impl Stream<Item = Result<Vec<ToolCell>, Problem>> + Send + use<>, Problem> {
    let asked = ToolsAsked::read(query, app.now_ms())?;
    let of_many = matches!(asked.by, ToolsBy::User | ToolsBy::Key);
    let stretches = match asked.in_pieces {
        true => asked.asked.stretches(of_many),
        false => vec![asked.asked.clone()],
    };
    let (app, actor) = (app.clone(), actor.clone());
    Ok(futures_util::stream::iter(stretches).then(move |stretch| {
        let (app, actor) = (app.clone(), actor.clone());
        let asked = ToolsAsked {
            asked: stretch,
            ..asked.clone()
        };
        async move { Ok(seen::cells(&app, &actor, &asked, u64::MAX).await?.cells) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OnlyOf;

    #[test]
    fn stretches_follow_each_other_and_cut_no_piece() {
        // 2026-11-24, a Tuesday, 12:00.
        let to = 1_795_521_600_000 + DAY_MS / 2;
        for days in [1, 3, 40, 400] {
            for step in [Step::Hour, Step::Day, Step::Week, Step::Month] {
                for of_many in [true, false] {
                    let asked = Asked {
                        range: TimeRange {
                            from_ms: to - days * DAY_MS,
                            to_ms: to,
                        },
                        step,
                        only: OnlyOf::default(),
                    };
                    let all = asked.stretches(of_many);
                    assert_eq!(all.first().unwrap().range.from_ms, asked.range.from_ms);
                    assert_eq!(all.last().unwrap().range.to_ms, to);
                    for pair in all.windows(2) {
                        let [one, next] = pair else { unreachable!() };
                        assert_eq!(one.range.to_ms, next.range.from_ms);
                        assert!(one.range.from_ms < one.range.to_ms);
                        assert_eq!(piece_start(step, one.range.to_ms), one.range.to_ms, "{step:?}");
                    }
                    let most = if of_many && step == Step::Hour {
                        days + 1
                    } else {
                        60
                    };
                    assert!(all.len() as i64 <= most, "{} of {days} {step:?}", all.len());
                }
            }
        }
    }
}
