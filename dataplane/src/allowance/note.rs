//! What is written down of the budgets and limits that a request was held against.

use super::Scope;
use super::permit::Bound;
use super::quote::Quote;
use super::reservation::Line;
use super::slot::Slot;
use ccag_domain::explanation::{BudgetChecked, LimitChecked};
use ccag_domain::{BudgetMode, LimitKind, NanoUsd};

/// A budget is looked at: its rules count as refusing until it is known that they do not.
pub(super) fn asked(scope: &Scope, spent: NanoUsd) -> BudgetChecked {
    let budget = &scope.budget;
    BudgetChecked {
        id: budget.id.to_string(),
        scope: budget.scope.kind().into(),
        period: budget.period.as_str().into(),
        mode: budget.mode.as_str().into(),
        limit_nano_usd: budget.amount_at(scope.now),
        ceiling_nano_usd: budget.ceiling_at(scope.now),
        spent_nano_usd: spent,
        verdict: "refused_by_rule".into(),
        ..BudgetChecked::default()
    }
}

/// It never blocks.
pub(super) fn counted(note: Option<&mut BudgetChecked>) {
    let Some(note) = note else { return };
    note.verdict = "counted".into();
}

/// The control plane was waited for, and may have said something of it.
pub(super) fn heard(note: Option<&mut BudgetChecked>, slot: &Slot) {
    let Some(note) = note else { return };
    note.spent_nano_usd = slot.spent();
}

/// It has let the request through.
pub(super) fn passed(note: Option<&mut BudgetChecked>, line: &Line, quote: &Quote) {
    let Some(note) = note else { return };
    note.verdict = "passed".into();
    needs(note, line.scope.budget.mode, quote, NanoUsd(line.reserved));
}

/// Too little is left, by what is known now: the control plane may have been asked meanwhile.
pub(super) fn refused(note: Option<&mut BudgetChecked>, line: &Line, quote: &Quote) {
    let Some(note) = note else { return };
    let mode = line.scope.budget.mode;
    note.spent_nano_usd = line.slot.spent();
    note.verdict = "refused".into();
    needs(note, mode, quote, quote.need(mode, line.slot.is_scarce()));
}

fn needs(note: &mut BudgetChecked, mode: BudgetMode, quote: &Quote, amount: NanoUsd) {
    note.needed_nano_usd = Some(amount);
    note.basis = match mode {
        BudgetMode::Hard | BudgetMode::Fitting => "most",
        BudgetMode::Balanced if amount == quote.likely => "likely",
        BudgetMode::Balanced => "cautious",
    }
    .into();
}

/// A limit is looked at: it counts as refusing until it has let the request through.
pub(super) fn limit(bound: &Bound, needed: i64) -> LimitChecked {
    LimitChecked {
        limit: bound.account.id.to_string(),
        kind: match bound.kind {
            LimitKind::Requests => "requests",
            LimitKind::Tokens(_) => "tokens",
            LimitKind::Concurrency => "concurrency",
        }
        .into(),
        amount: bound.ceiling.unsigned_abs(),
        needed: needed.unsigned_abs(),
        verdict: "refused".into(),
    }
}

/// It has.
pub(super) fn let_through(note: Option<&mut LimitChecked>) {
    if let Some(note) = note {
        note.verdict = "passed".into();
    }
}
