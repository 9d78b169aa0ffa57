//! The budgets of a view, by whose spending they bound.

use ccag_domain::budget::applicable;
use ccag_domain::{Budget, BudgetId, BudgetScope, Caller};
use rpds::HashTrieMapSync;
use std::sync::Arc;

/// All budgets. Clones share almost everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct BudgetTable {
    by_scope: HashTrieMapSync<BudgetScope, Vec<Arc<Budget>>>,
    scopes: HashTrieMapSync<BudgetId, BudgetScope>,
}

impl BudgetTable {
    /// Adds or replaces a budget.
    pub(super) fn put(&mut self, budget: Budget) {
        self.remove(&budget.id);
        let scope = budget.scope.clone();
        self.scopes.insert_mut(budget.id.clone(), scope.clone());
        let mut same = self.by_scope.get(&scope).cloned().unwrap_or_default();
        same.push(Arc::new(budget));
        self.by_scope.insert_mut(scope, same);
    }

    /// Removes a budget.
    pub(super) fn remove(&mut self, id: &BudgetId) {
        let Some(scope) = self.scopes.get(id).cloned() else {
            return;
        };
        self.scopes.remove_mut(id);
        let mut same = self.by_scope.get(&scope).cloned().unwrap_or_default();
        same.retain(|budget| budget.id != *id);
        if same.is_empty() {
            self.by_scope.remove_mut(&scope);
        } else {
            self.by_scope.insert_mut(scope, same);
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_scope.is_empty()
    }

    /// The budgets that bound a caller's spending.
    pub(crate) fn of(&self, caller: &Caller) -> Vec<&Arc<Budget>> {
        applicable(caller, |scope| {
            self.by_scope.get(scope).map_or(&[], Vec::as_slice)
        })
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.by_scope.values().flatten()
    }
}
