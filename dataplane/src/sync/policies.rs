//! The policies of a view.

use ccag_domain::{ModelPolicy, PolicyId, PolicySubject, policy};
use rpds::RedBlackTreeMapSync;
use std::sync::Arc;

/// All policies that say something of models, by their ids. Clones share almost everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct PolicyTable(RedBlackTreeMapSync<PolicyId, Arc<ModelPolicy>>);

impl PolicyTable {
    /// Adds or replaces a policy.
    pub(super) fn put(&mut self, policy: ModelPolicy) {
        self.0.insert_mut(policy.id.clone(), Arc::new(policy));
    }

    /// Removes a policy.
    pub(super) fn remove(&mut self, id: &str) {
        if let Ok(id) = PolicyId::parse(id) {
            self.0.remove_mut(&id);
        }
    }

    /// The policy that says which models somebody may use; `None`: all.
    pub(crate) fn of(&self, who: &PolicySubject<'_>) -> Option<&ModelPolicy> {
        if self.0.is_empty() {
            return None;
        }
        policy::model_policy(self.0.values().map(AsRef::as_ref), who)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ModelPolicy>> {
        self.0.values()
    }
}
