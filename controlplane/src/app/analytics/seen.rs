//! Which tools are called, how sessions go, and what is lost where prompts are not read from the cache.

use super::{Asked, piece, piece_start};
use crate::app::App;
use crate::store::{
    GroupBy, OnlyTools, Piece, Question, RollupFilter, RollupSum, ToolAnswer, ToolQuestion, ToolSum, ToolsBy,
};
use ccag_admin_api::{
    CacheMissReport, LostView, SessionReport, SessionsOfDay, Step, Timestamp, ToolCell, ToolReport,
    ToolsBy as ApiToolsBy, ToolsQuery,
};
use ccag_domain::{Actor, CacheMiss, Code, NanoUsd, Problem, UnixMs};
use std::collections::BTreeMap;

/// The most groups of an answer.
const MOST_CELLS: u64 = 5_000;

/// The most groups that are read to be put together to longer pieces of time.
const MOST_READ: u64 = 50_000;

const fn by(of: ApiToolsBy) -> ToolsBy {
    match of {
        ApiToolsBy::Tool => ToolsBy::Tool,
        ApiToolsBy::Server => ToolsBy::Server,
        ApiToolsBy::Team => ToolsBy::Team,
        ApiToolsBy::User => ToolsBy::User,
        ApiToolsBy::Key => ToolsBy::Key,
    }
}

/// The choice of tools that a question makes.
fn only(query: &ToolsQuery) -> OnlyTools {
    let list = |text: &Option<String>| -> Vec<String> {
        let parts = text.as_deref().unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    OnlyTools {
        tools: list(&query.tool),
        servers: list(&query.server)
            .into_iter()
            .map(|server| if server == "none" { String::new() } else { server })
            .collect(),
    }
}

/// Calls of days as those of the pieces of time that they belong to, the most called first in each.
fn in_pieces(step: Step, sums: Vec<ToolSum>) -> Vec<ToolSum> {
    let mut pieces: BTreeMap<(UnixMs, String), ToolSum> = BTreeMap::new();
    for sum in sums {
        let start_ms = piece_start(step, sum.start_ms);
        let slot = pieces.entry((start_ms, sum.group.clone()));
        let into = slot.or_insert_with(|| ToolSum {
            start_ms,
            calls: 0,
            failed: 0,
            ..sum.clone()
        });
        into.calls += sum.calls;
        into.failed += sum.failed;
    }
    let mut sums: Vec<ToolSum> = pieces.into_values().collect();
    sums.sort_by(|a, b| {
        let order = a.start_ms.cmp(&b.start_ms).then(b.calls.cmp(&a.calls));
        order.then_with(|| a.group.cmp(&b.group))
    });
    sums
}

/// What is asked of tools.
#[derive(Debug, Clone)]
pub(super) struct ToolsAsked {
    pub(super) asked: Asked,
    pub(super) by: ApiToolsBy,
    /// Whether pieces of time are kept apart.
    pub(super) in_pieces: bool,
    pub(super) only: OnlyTools,
}

impl ToolsAsked {
    pub(super) fn read(query: &ToolsQuery, now: UnixMs) -> Result<Self, Problem> {
        if query.step == Some(Step::Hour) {
            let message = "Calls of tools are kept by the day; ask for days, weeks or months.";
            return Err(Problem::new(Code::InvalidRequest, message).field("step"));
        }
        Ok(Self {
            asked: Asked::read(&query.common(), now)?,
            by: query.group_by.unwrap_or_default(),
            in_pieces: query.step.is_some(),
            only: only(query),
        })
    }
}

/// How often tools were called.
///
/// # Errors
/// [`Code::InvalidRequest`] for what cannot be asked; [`Code::Unavailable`] without a database.
pub async fn tools(app: &App, actor: &Actor, query: &ToolsQuery) -> Result<ToolReport, Problem> {
    let asked = ToolsAsked::read(query, app.now_ms())?;
    cells(app, actor, &asked, MOST_CELLS).await
}

/// The same of so many groups.
pub(super) async fn cells(
    app: &App,
    actor: &Actor,
    asked: &ToolsAsked,
    most: u64,
) -> Result<ToolReport, Problem> {
    let range = asked.asked.range;
    let step = asked.asked.step;
    let filter = asked.asked.scope().filter(app, actor)?.of_tools(&asked.only);
    let question = ToolQuestion {
        filter: &filter,
        by: by(asked.by),
        piece: if asked.in_pieces {
            piece(step)
        } else {
            Piece::Whole
        },
        top: if asked.in_pieces {
            most.max(MOST_READ)
        } else {
            most
        },
    };
    let mut answers = app.store.ask_tools(&[question]).await?;
    let answer = answers.pop().unwrap_or_default();
    let unread = answer.groups.saturating_sub(answer.sums.len() as u64);
    let mut sums = if asked.in_pieces {
        in_pieces(step, answer.sums)
    } else {
        answer.sums
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let left_out = unread + sums.len().saturating_sub(most) as u64;
    sums.truncate(most);
    let named = |text: String| Some(text).filter(|text| !text.is_empty());
    let cell = |sum: ToolSum| ToolCell {
        start: asked.in_pieces.then(|| Timestamp::from_ms(sum.start_ms)),
        server: named(sum.server).filter(|_| asked.by == ApiToolsBy::Tool),
        id: named(sum.group),
        name: sum.name,
        calls: sum.calls,
        failed: sum.failed,
    };
    Ok(ToolReport {
        from: Timestamp::from_ms(range.from_ms),
        to: Timestamp::from_ms(range.to_ms),
        group_by: asked.by,
        calls: answer.calls,
        failed: answer.failed,
        cells: sums.into_iter().map(cell).collect(),
        left_out,
    })
}

/// What the page about tools shows.
#[derive(Debug, Clone, Default)]
pub struct ToolsSeen {
    /// Calls by piece of time and server, or by tool if the tools of one server are looked at.
    pub over_time: Vec<ToolsGroup>,
    /// By tool.
    pub tools: ToolsRanked,
    /// By server; the one without a name are tools of none.
    pub servers: ToolsRanked,
    /// By team.
    pub teams: ToolsRanked,
    /// By user.
    pub users: ToolsRanked,
    /// By key.
    pub keys: ToolsRanked,
}

/// The calls of one group.
#[derive(Debug, Clone, Default)]
pub struct ToolsGroup {
    /// When its piece of time begins.
    pub start_ms: UnixMs,
    /// Its name or id; empty for none.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Of a tool: its server.
    pub server: String,
    /// How often it was called.
    pub calls: u64,
    /// How often that failed.
    pub failed: u64,
}

/// The most called of a kind.
#[derive(Debug, Clone, Default)]
pub struct ToolsRanked {
    /// The most called first.
    pub groups: Vec<ToolsGroup>,
    /// How many there are in all.
    pub count: u64,
    /// All of their calls.
    pub calls: u64,
    /// How many of those failed.
    pub failed: u64,
}

impl From<ToolSum> for ToolsGroup {
    fn from(sum: ToolSum) -> Self {
        Self {
            start_ms: sum.start_ms,
            id: sum.group,
            name: sum.name,
            server: sum.server,
            calls: sum.calls,
            failed: sum.failed,
        }
    }
}

impl From<ToolAnswer> for ToolsRanked {
    fn from(answer: ToolAnswer) -> Self {
        Self {
            groups: answer.sums.into_iter().map(Into::into).collect(),
            count: answer.groups,
            calls: answer.calls,
            failed: answer.failed,
        }
    }
}

/// Which tools were called, over time and by whom, in one statement: all servers, the `tools` most called tools and the `top` of
/// everything else.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn tools_seen(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    only: &OnlyTools,
    (tools, top): (u64, u64),
) -> Result<ToolsSeen, Problem> {
    let filter = asked.scope().filter(app, actor)?.of_tools(only);
    let question = |by, piece, top| ToolQuestion {
        filter: &filter,
        by,
        piece,
        top,
    };
    let narrowed = !only.tools.is_empty() || !only.servers.is_empty();
    let kind = if narrowed { ToolsBy::Tool } else { ToolsBy::Server };
    let questions = [
        question(kind, piece(asked.step), MOST_READ),
        question(ToolsBy::Tool, Piece::Whole, tools),
        question(ToolsBy::Server, Piece::Whole, tools),
        question(ToolsBy::Team, Piece::Whole, top),
        question(ToolsBy::User, Piece::Whole, top),
        question(ToolsBy::Key, Piece::Whole, top),
    ];
    let mut answers = app.store.ask_tools(&questions).await?.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let over_time = in_pieces(asked.step, next().sums);
    Ok(ToolsSeen {
        over_time: over_time.into_iter().map(Into::into).collect(),
        tools: next().into(),
        servers: next().into(),
        teams: next().into(),
        users: next().into(),
        keys: next().into(),
    })
}

/// How many sessions began, and what they came to.
///
/// # Errors
/// [`Code::InvalidRequest`] for a choice of models or endpoints; [`Code::Unavailable`] without a database.
pub async fn sessions(app: &App, actor: &Actor, asked: &Asked) -> Result<SessionReport, Problem> {
    for (field, chosen) in [
        ("model", &asked.only.models),
        ("endpoint_id", &asked.only.endpoints),
    ] {
        if !chosen.is_empty() {
            let message = "Sessions are not kept apart by model or endpoint.";
            return Err(Problem::new(Code::InvalidRequest, message).field(field));
        }
    }
    let filter = asked.scope().filter(app, actor)?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let days: Vec<SessionsOfDay> = app
        .store
        .sum_sessions(&filter)
        .await?
        .into_iter()
        .map(|day| SessionsOfDay {
            day: Timestamp::from_ms(day.start_ms),
            sessions: count(day.sessions),
            requests: count(day.requests),
            length_ms: count(day.length_ms),
        })
        .collect();
    Ok(SessionReport {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        sessions: days.iter().map(|day| day.sessions).sum(),
        requests: days.iter().map(|day| day.requests).sum(),
        length_ms: days.iter().map(|day| day.length_ms).sum(),
        days,
    })
}

/// What was lost because prompts were not read from the cache, by reason and by day.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn cache_misses(app: &App, actor: &Actor, asked: &Asked) -> Result<CacheMissReport, Problem> {
    let filter = asked.scope().filter(app, actor)?;
    let answer = app.store.answer(losses(&filter)).await?;
    Ok(lost(asked, &answer.sums))
}

/// The question for what was lost.
pub(super) const fn losses(filter: &RollupFilter) -> Question<'_> {
    Question {
        filter,
        by: GroupBy::Miss,
        piece: Piece::Day,
        top: None,
    }
}

/// What came of it.
pub(super) fn lost(asked: &Asked, sums: &[RollupSum]) -> CacheMissReport {
    let view = |day: &RollupSum| {
        Some(LostView {
            day: Some(Timestamp::from_ms(day.bucket_ms)),
            reason: CacheMiss::parse(&day.group)?,
            requests: day.requests,
            tokens: day.tokens.input,
            lost_nano_usd: day.cost,
        })
    };
    let days: Vec<LostView> = sums.iter().filter_map(view).collect();
    let mut of_reasons: BTreeMap<CacheMiss, LostView> = BTreeMap::new();
    for day in &days {
        let sum = of_reasons.entry(day.reason).or_insert(LostView {
            day: None,
            reason: day.reason,
            requests: 0,
            tokens: 0,
            lost_nano_usd: NanoUsd::ZERO,
        });
        sum.requests += day.requests;
        sum.tokens += day.tokens;
        sum.lost_nano_usd += day.lost_nano_usd;
    }
    let mut reasons: Vec<LostView> = of_reasons.into_values().collect();
    reasons.sort_by_key(|lost| std::cmp::Reverse(lost.lost_nano_usd));
    CacheMissReport {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        lost_nano_usd: reasons.iter().map(|lost| lost.lost_nano_usd).sum(),
        reasons,
        days,
    }
}
