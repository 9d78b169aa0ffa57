//! The budgets and limits of a view, by whom they are about.

use ccag_domain::budget::applicable;
use ccag_domain::{BudgetScope, Caller, Limit, LimitId, LimitKind, Scoped};
use rpds::HashTrieMapSync;
use std::sync::Arc;

/// What is set, by scope. Clones share almost everything.
#[derive(Debug, Clone)]
pub(crate) struct ScopeTable<T: Scoped> {
    by_scope: HashTrieMapSync<BudgetScope, Vec<Arc<T>>>,
    scopes: HashTrieMapSync<T::Id, BudgetScope>,
}

impl<T: Scoped> Default for ScopeTable<T> {
    fn default() -> Self {
        Self {
            by_scope: HashTrieMapSync::default(),
            scopes: HashTrieMapSync::default(),
        }
    }
}

impl<T: Scoped> ScopeTable<T> {
    /// Adds or replaces one.
    pub(super) fn put(&mut self, one: T) {
        self.remove(one.id());
        let scope = one.scope().clone();
        self.scopes.insert_mut(one.id().clone(), scope.clone());
        let mut same = self.by_scope.get(&scope).cloned().unwrap_or_default();
        same.push(Arc::new(one));
        self.by_scope.insert_mut(scope, same);
    }

    /// Removes one.
    pub(super) fn remove(&mut self, id: &T::Id) {
        let Some(scope) = self.scopes.get(id).cloned() else {
            return;
        };
        self.scopes.remove_mut(id);
        let mut same = self.by_scope.get(&scope).cloned().unwrap_or_default();
        same.retain(|one| one.id() != id);
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

    /// Those that are about a caller.
    pub(crate) fn of(&self, caller: &Caller) -> Vec<&Arc<T>> {
        if self.is_empty() {
            return Vec::new();
        }
        applicable(caller, |scope| {
            self.by_scope.get(scope).map_or(&[], Vec::as_slice)
        })
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_scope.values().flatten()
    }
}

/// All limits, apart by what they count: which of them is about a caller is found for each separately.
#[derive(Debug, Clone, Default)]
pub(crate) struct LimitTable {
    requests: ScopeTable<Limit>,
    tokens: ScopeTable<Limit>,
    concurrency: ScopeTable<Limit>,
}

impl LimitTable {
    /// Adds or replaces a limit.
    pub(super) fn put(&mut self, limit: Limit) {
        self.remove(&limit.id);
        match limit.kind {
            LimitKind::Requests => self.requests.put(limit),
            LimitKind::Tokens(_) => self.tokens.put(limit),
            LimitKind::Concurrency => self.concurrency.put(limit),
        }
    }

    /// Removes a limit.
    pub(super) fn remove(&mut self, id: &LimitId) {
        self.requests.remove(id);
        self.tokens.remove(id);
        self.concurrency.remove(id);
    }

    /// The limits that are about a caller.
    pub(crate) fn of(&self, caller: &Caller) -> impl Iterator<Item = &Arc<Limit>> {
        [&self.requests, &self.tokens, &self.concurrency]
            .into_iter()
            .flat_map(|table| table.of(caller))
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Limit>> {
        [&self.requests, &self.tokens, &self.concurrency]
            .into_iter()
            .flat_map(|table| table.all())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.tokens.is_empty() && self.concurrency.is_empty()
    }
}
