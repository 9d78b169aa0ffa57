//! Operations about what is used and spent, and how far.

use super::operation::{Operation, delete, get, post, put, under};
use ccag_admin_api::{
    Activity, Analytics, AnalyticsCell, AnalyticsQuery, BudgetAccountList, BudgetEventList, BudgetList,
    BudgetStatusQuery, BudgetStatusView, BudgetView, CacheMissReport, CreateBudget, CreateLimit, CreateRaise,
    DefaultBudgetView, ExplanationView, ExportQuery, Forecast, LedgerRow, LimitList, LimitView, ListAccounts,
    ListBudgetEvents, ListBudgets, ListLimits, ListPausedSessions, ListQuarantine, PausedSessionList,
    PausedSessionView, PerformanceReport, QuarantineList, Reprice, RepriceQuery, RepriceReport, RetriedView,
    SessionBreakerView, SessionReport, SetDefaultBudget, SetSessionBreaker, SetSpendLimit, SetTeamBudget,
    SpendLimitView, TeamBudgetView, ToolCell, ToolReport, ToolsQuery, UpdateBudget, UpdateLimit, UsageQuery,
    UsageSummary, WhatIf, WhatIfQuery, paths,
};
use ccag_domain::{BudgetId, LimitId, PauseId, RequestId, TeamId, UserId};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.extend(under("Usage", usage()));
    all.extend(under("Budgets", budgets()));
    all.extend(under("Limits", limits()));
    all.extend(under("Sessions", sessions()));
    all
}

fn usage() -> Vec<Operation> {
    vec![
        get(
            paths::USAGE_SUMMARY,
            "summariseUsage",
            "Sums up what was used and what it cost, as one or by group.",
        )
        .asks::<UsageQuery>()
        .gives::<UsageSummary>(),
        get(
            paths::USAGE_EXPORT,
            "exportUsage",
            "Streams the ledger, one row per request, as JSON lines or CSV.",
        )
        .asks::<ExportQuery>()
        .gives_media::<LedgerRow>(&["application/x-ndjson", "text/csv"]),
        get(
            paths::USAGE_FOCUS,
            "exportCharges",
            "Streams the ledger as charges in the form of FOCUS 1.2, by the hour, as CSV.",
        )
        .asks::<ExportQuery>()
        .gives_media::<String>(&["text/csv"]),
        get(
            paths::ANALYTICS,
            "analyseUsage",
            "Shows what was used over time, by group, as JSON or CSV.",
        )
        .asks::<AnalyticsQuery>()
        .gives::<Analytics>()
        .gives_media::<AnalyticsCell>(&["text/csv"]),
        get(
            paths::ANALYTICS_ACTIVITY,
            "analyseActivity",
            "Shows who was active, by day and by hour of the week.",
        )
        .asks::<AnalyticsQuery>()
        .gives::<Activity>(),
        get(
            paths::ANALYTICS_PERFORMANCE,
            "analysePerformance",
            "Shows how long models and endpoints took.",
        )
        .asks::<AnalyticsQuery>()
        .gives::<PerformanceReport>(),
        get(
            paths::ANALYTICS_TOOLS,
            "analyseTools",
            "Shows how often tools and MCP servers were called, and by whom, as JSON or CSV.",
        )
        .asks::<ToolsQuery>()
        .gives::<ToolReport>()
        .gives_media::<ToolCell>(&["text/csv"]),
        get(
            paths::ANALYTICS_SESSIONS,
            "analyseSessions",
            "Shows how many sessions of clients began, how many requests they had, and how long they were.",
        )
        .asks::<AnalyticsQuery>()
        .gives::<SessionReport>(),
        get(
            paths::ANALYTICS_CACHE_MISSES,
            "analyseCacheMisses",
            "Shows what was lost because prompts were not read from the cache, and why.",
        )
        .asks::<AnalyticsQuery>()
        .gives::<CacheMissReport>(),
        get(
            paths::ANALYTICS_FORECAST,
            "forecastSpending",
            "Says what this month will have cost at its end.",
        )
        .asks::<AnalyticsQuery>()
        .gives::<Forecast>(),
        get(
            paths::ANALYTICS_WHAT_IF,
            "tryBudget",
            "Says what a budget would have refused in the last days.",
        )
        .asks::<WhatIfQuery>()
        .gives::<WhatIf>(),
        get(
            paths::EXPLANATION,
            "explainRequest",
            "Explains how a request was decided, by its id, and what it cost.",
        )
        .of::<RequestId>()
        .gives::<ExplanationView>(),
        get(
            paths::REPRICE,
            "previewRepricing",
            "Says what other prices would change in the ledger.",
        )
        .asks::<RepriceQuery>()
        .gives::<RepriceReport>(),
        post(paths::REPRICE, "reprice", "Prices part of the ledger anew.")
            .takes::<Reprice>()
            .gives::<RepriceReport>(),
        get(
            paths::QUARANTINE,
            "listQuarantine",
            "Lists usage records that could not be stored.",
        )
        .asks::<ListQuarantine>()
        .gives::<QuarantineList>(),
        post(
            paths::QUARANTINED_RETRY,
            "retryQuarantined",
            "Tries again to store a usage record.",
        )
        .gives::<RetriedView>(),
        delete(
            paths::QUARANTINED,
            "dismissQuarantined",
            "Drops a usage record that could not be stored.",
        ),
    ]
}

fn budgets() -> Vec<Operation> {
    vec![
        get(paths::BUDGETS, "listBudgets", "Lists budgets.")
            .asks::<ListBudgets>()
            .gives::<BudgetList>(),
        post(paths::BUDGETS, "createBudget", "Makes a budget.")
            .takes::<CreateBudget>()
            .makes::<BudgetView>(),
        get(
            paths::BUDGET,
            "showBudget",
            "Shows a budget, and where it stands.",
        )
        .of::<BudgetId>()
        .gives::<BudgetView>(),
        put(
            paths::BUDGET,
            "updateBudget",
            "Changes a budget; what is left out stays.",
        )
        .of::<BudgetId>()
        .takes::<UpdateBudget>()
        .gives::<BudgetView>(),
        delete(paths::BUDGET, "deleteBudget", "Deletes a budget.").of::<BudgetId>(),
        get(
            paths::BUDGET_ACCOUNTS,
            "listBudgetAccounts",
            "Lists how each user stands in a budget per user.",
        )
        .of::<BudgetId>()
        .asks::<ListAccounts>()
        .gives::<BudgetAccountList>(),
        get(
            paths::BUDGET_EVENTS,
            "listBudgetEvents",
            "Lists what the rules of a budget did, the newest first.",
        )
        .of::<BudgetId>()
        .asks::<ListBudgetEvents>()
        .gives::<BudgetEventList>(),
        post(
            paths::BUDGET_RAISES,
            "raiseBudget",
            "Raises a budget until a moment, with a reason.",
        )
        .of::<BudgetId>()
        .takes::<CreateRaise>()
        .makes::<BudgetView>(),
        delete(
            paths::BUDGET_RAISE,
            "withdrawRaise",
            "Ends a raise of a budget before its time.",
        )
        .of::<BudgetId>()
        .gives::<BudgetView>(),
        get(
            paths::BUDGET_STATUS,
            "showBudgetStatus",
            "Says how one stands with all budgets that bind one.",
        )
        .asks::<BudgetStatusQuery>()
        .gives::<BudgetStatusView>(),
        get(
            paths::TEAM_BUDGET,
            "showTeamBudget",
            "Shows a team's budget, and that of each of its members.",
        )
        .of::<TeamId>()
        .gives::<TeamBudgetView>(),
        put(
            paths::TEAM_BUDGET,
            "setTeamBudget",
            "Sets a team's budget, and that of each of its members.",
        )
        .of::<TeamId>()
        .takes::<SetTeamBudget>()
        .gives::<TeamBudgetView>(),
        delete(
            paths::TEAM_BUDGET,
            "clearTeamBudget",
            "Removes a team's budget, and that of its members.",
        )
        .of::<TeamId>(),
        get(
            paths::DEFAULT_BUDGET,
            "showDefaultBudget",
            "Shows the budget of everybody who has no other.",
        )
        .gives::<DefaultBudgetView>(),
        put(
            paths::DEFAULT_BUDGET,
            "setDefaultBudget",
            "Sets the budget of everybody who has no other.",
        )
        .takes::<SetDefaultBudget>()
        .gives::<DefaultBudgetView>(),
        get(
            paths::USER_SPEND_LIMIT,
            "showSpendLimit",
            "Shows a user's own budget.",
        )
        .of::<UserId>()
        .gives::<SpendLimitView>(),
        put(
            paths::USER_SPEND_LIMIT,
            "setSpendLimit",
            "Sets a user's own budget.",
        )
        .of::<UserId>()
        .takes::<SetSpendLimit>()
        .gives::<SpendLimitView>(),
    ]
}

fn limits() -> Vec<Operation> {
    vec![
        get(
            paths::LIMITS,
            "listLimits",
            "Lists limits of requests, tokens and concurrency.",
        )
        .asks::<ListLimits>()
        .gives::<LimitList>(),
        post(paths::LIMITS, "createLimit", "Makes a limit.")
            .takes::<CreateLimit>()
            .makes::<LimitView>(),
        get(paths::LIMIT, "showLimit", "Shows a limit.")
            .of::<LimitId>()
            .gives::<LimitView>(),
        put(
            paths::LIMIT,
            "updateLimit",
            "Changes a limit; what is left out stays.",
        )
        .of::<LimitId>()
        .takes::<UpdateLimit>()
        .gives::<LimitView>(),
        delete(paths::LIMIT, "deleteLimit", "Deletes a limit.").of::<LimitId>(),
    ]
}

fn sessions() -> Vec<Operation> {
    vec![
        get(
            paths::PAUSED_SESSIONS,
            "listPausedSessions",
            "Lists sessions that ran away and were paused.",
        )
        .asks::<ListPausedSessions>()
        .gives::<PausedSessionList>(),
        post(
            paths::PAUSED_SESSION_RESUME,
            "resumeSession",
            "Lets a paused session go on.",
        )
        .of::<PauseId>()
        .gives::<PausedSessionView>(),
        get(
            paths::SESSION_BREAKER,
            "showBreaker",
            "Shows what a session may do within a minute.",
        )
        .gives::<SessionBreakerView>(),
        put(
            paths::SESSION_BREAKER,
            "setBreaker",
            "Sets what a session may do within a minute.",
        )
        .takes::<SetSessionBreaker>()
        .gives::<SessionBreakerView>(),
        get(
            paths::TEAM_SESSION_BREAKER,
            "showTeamBreaker",
            "Shows what a team's sessions may do within a minute.",
        )
        .of::<TeamId>()
        .gives::<SessionBreakerView>(),
        put(
            paths::TEAM_SESSION_BREAKER,
            "setTeamBreaker",
            "Sets what a team's sessions may do within a minute.",
        )
        .of::<TeamId>()
        .takes::<SetSessionBreaker>()
        .gives::<SessionBreakerView>(),
        delete(
            paths::TEAM_SESSION_BREAKER,
            "clearTeamBreaker",
            "Lets the general rule hold for a team's sessions.",
        )
        .of::<TeamId>(),
    ]
}
