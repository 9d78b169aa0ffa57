//! What a data plane knows: the pushed configuration at one revision.
//!
//! A view is immutable. Changes make a new one that shares almost everything with the old (persistent maps), so that a
//! change costs microseconds with 100,000 keys, and a request that holds a view sees one revision from beginning to end.

use super::paused::PausedTable;
use super::policies::PolicyTable;
use super::scopes::{LimitTable, ScopeTable};
use crate::profiles::{Books, INVOKE_MODEL, Lessons};
use ccag_domain::config::Settings;
use ccag_domain::{
    Budget, BudgetId, ConfigObject, Endpoint, EndpointId, KeyDigest, KeyGrant, KeyId, LimitId, Model,
    ModelName, ObjectKind, ObjectRef, PauseId, Price, PriceBook, Revision, RoutingPolicy, SigningKey, Team,
    TeamId, User, UserId,
};
use ccag_session_token::Verifier;
use ccag_translate::profile::Profile;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::collections::HashMap;
use std::sync::Arc;

/// The configuration at one revision.
#[derive(Clone)]
pub(crate) struct ConfigView {
    epoch: Arc<str>,
    revision: Revision,
    keys: HashTrieMapSync<KeyDigest, Arc<KeyGrant>>,
    digests: HashTrieMapSync<KeyId, KeyDigest>,
    teams: HashTrieMapSync<TeamId, Arc<Team>>,
    users: HashTrieMapSync<UserId, Arc<User>>,
    endpoints: RedBlackTreeMapSync<EndpointId, Arc<Endpoint>>,
    models: RedBlackTreeMapSync<ModelName, Arc<Model>>,
    /// From every name of a model to its canonical one.
    names: Arc<HashMap<ModelName, ModelName>>,
    /// What Bedrock takes, in all versions that are known.
    books: Arc<Books>,
    /// What endpoints have refused.
    lessons: Arc<Lessons>,
    prices: RedBlackTreeMapSync<ModelName, Arc<Price>>,
    book: Arc<PriceBook>,
    budgets: ScopeTable<Budget>,
    limits: LimitTable,
    paused: PausedTable,
    signing: HashTrieMapSync<String, Arc<SignedBy>>,
    policies: PolicyTable,
    settings: Settings,
}

/// A signing key, ready for use.
#[derive(Debug)]
pub(crate) struct SignedBy {
    /// What was pushed.
    pub(crate) key: SigningKey,
    /// What verifies its tokens.
    pub(crate) verifier: Verifier,
}

impl From<SigningKey> for SignedBy {
    fn from(key: SigningKey) -> Self {
        Self {
            verifier: Verifier::new(&key.public),
            key,
        }
    }
}

impl std::fmt::Debug for ConfigView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigView")
            .field("epoch", &self.epoch)
            .field("revision", &self.revision)
            .field("keys", &self.keys.size())
            .field("endpoints", &self.endpoints.size())
            .field("models", &self.models.size())
            .finish_non_exhaustive()
    }
}

impl ConfigView {
    /// A view that knows nothing, at the beginning of an epoch.
    #[must_use]
    pub(crate) fn empty(epoch: &str, revision: Revision) -> Self {
        Self {
            epoch: epoch.into(),
            revision,
            keys: HashTrieMapSync::new_sync(),
            digests: HashTrieMapSync::new_sync(),
            teams: HashTrieMapSync::new_sync(),
            users: HashTrieMapSync::new_sync(),
            endpoints: RedBlackTreeMapSync::new_sync(),
            models: RedBlackTreeMapSync::new_sync(),
            names: Arc::default(),
            books: Arc::default(),
            lessons: Arc::default(),
            prices: RedBlackTreeMapSync::new_sync(),
            book: Arc::default(),
            budgets: ScopeTable::default(),
            limits: LimitTable::default(),
            paused: PausedTable::default(),
            signing: HashTrieMapSync::new_sync(),
            policies: PolicyTable::default(),
            settings: Settings::default(),
        }
    }

    /// Names the database that the revision counts in.
    #[must_use]
    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The position.
    #[must_use]
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// The rules of the installation.
    #[must_use]
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many keys there are.
    #[must_use]
    pub(crate) fn key_count(&self) -> usize {
        self.keys.size()
    }

    /// The key with this digest.
    #[must_use]
    pub(crate) fn key(&self, digest: &KeyDigest) -> Option<&Arc<KeyGrant>> {
        self.keys
            .get(digest)
            .filter(|grant| grant.digest.matches(digest) && !grant.session)
    }

    /// The session of a client that a token names.
    #[must_use]
    pub(crate) fn session(&self, id: &KeyId) -> Option<&Arc<KeyGrant>> {
        self.keys.get(self.digests.get(id)?).filter(|grant| grant.session)
    }

    /// What verifies tokens that name this signing key.
    pub(crate) fn signed_by(&self, id: &str) -> Option<&Arc<SignedBy>> {
        self.signing.get(id)
    }

    /// Which models people may use.
    #[must_use]
    pub(crate) fn policies(&self) -> &PolicyTable {
        &self.policies
    }

    /// A team.
    #[must_use]
    pub(crate) fn team(&self, id: &TeamId) -> Option<&Arc<Team>> {
        self.teams.get(id)
    }

    /// A user.
    #[must_use]
    pub(crate) fn user(&self, id: &UserId) -> Option<&Arc<User>> {
        self.users.get(id)
    }

    /// Whether there is such an endpoint.
    pub(crate) fn has_endpoint(&self, id: &EndpointId) -> bool {
        self.endpoints.contains_key(id)
    }

    /// All endpoints, in the order of their ids.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().map(AsRef::as_ref)
    }

    /// All models, in the order of their names.
    pub(crate) fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    /// The model that a client means, however it names it.
    #[must_use]
    pub(crate) fn model(&self, said: &str) -> Option<&Arc<Model>> {
        let name = ModelName::canonical(said);
        let known = |name: &ModelName| self.models.get(self.names.get(name)?);
        known(&name).or_else(|| known(&name.without_date()?))
    }

    /// What Bedrock takes for a model of this view, by the rules in force.
    #[must_use]
    pub(crate) fn profile(&self, model: &Model) -> Option<Arc<Profile>> {
        Some(self.books.current(INVOKE_MODEL)?.profile(model))
    }

    /// What Bedrock takes, in all versions that are known.
    #[must_use]
    pub(crate) fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// What endpoints have refused.
    #[must_use]
    pub(crate) fn lessons(&self) -> &Arc<Lessons> {
        &self.lessons
    }

    /// How much may be spent, and by whom.
    #[must_use]
    pub(crate) fn budgets(&self) -> &ScopeTable<Budget> {
        &self.budgets
    }

    /// How much may be asked for at a time, and by whom.
    #[must_use]
    pub(crate) fn limits(&self) -> &LimitTable {
        &self.limits
    }

    /// The sessions that are paused.
    #[must_use]
    pub(crate) fn paused(&self) -> &PausedTable {
        &self.paused
    }

    /// What tokens cost.
    #[must_use]
    pub(crate) fn prices(&self) -> &Arc<PriceBook> {
        &self.book
    }

    /// Whether a model has a price of its own.
    #[must_use]
    pub(crate) fn is_priced(&self, model: &ModelName) -> bool {
        self.book.find(model).is_some()
    }

    /// Whether any price can stand in for the missing one of a model.
    #[must_use]
    pub(crate) fn has_price_like(&self, model: &ModelName) -> bool {
        self.book.dearest_like(model).is_some()
    }

    /// Moves on to a revision.
    pub(super) fn set_revision(&mut self, revision: Revision) {
        self.revision = revision;
    }

    /// Adds or replaces an object.
    ///
    /// # Errors
    /// Why it cannot be used; nothing has changed then.
    pub(crate) fn put(&mut self, object: ConfigObject) -> Result<(), String> {
        match object {
            ConfigObject::Key(grant) => {
                self.remove_key(&grant.id);
                self.digests.insert_mut(grant.id.clone(), grant.digest);
                self.keys.insert_mut(grant.digest, Arc::new(grant));
            }
            ConfigObject::Team(team) => {
                self.teams.insert_mut(team.id.clone(), Arc::new(team));
            }
            ConfigObject::User(user) => {
                self.users.insert_mut(user.id.clone(), Arc::new(user));
            }
            ConfigObject::Endpoint(endpoint) => {
                self.endpoints.insert_mut(endpoint.id.clone(), Arc::new(endpoint));
                self.index_models();
            }
            ConfigObject::Model(model) => {
                self.models.insert_mut(model.name.clone(), Arc::new(model));
                self.index_models();
            }
            ConfigObject::Price(price) => {
                self.prices.insert_mut(price.model.clone(), Arc::new(price));
                self.index_prices();
            }
            ConfigObject::Settings(settings) => self.settings = settings,
            ConfigObject::CapabilityBook(book) => {
                let models = self.models.values();
                Arc::make_mut(&mut self.books)
                    .put(book, models)
                    .map_err(|error| error.to_string())?;
            }
            ConfigObject::LearntFact(fact) => Arc::make_mut(&mut self.lessons).put(fact),
            ConfigObject::Budget(budget) => self.budgets.put(budget),
            ConfigObject::Limit(limit) => self.limits.put(limit),
            ConfigObject::PausedSession(paused) => self.paused.put(paused),
            ConfigObject::SigningKey(key) => {
                self.signing.insert_mut(key.id.clone(), Arc::new(key.into()));
            }
            ConfigObject::ModelPolicy(policy) => self.policies.put(policy),
        }
        Ok(())
    }

    /// Removes an object; one that cannot be named any more is not there. Settings fall back to the strictest.
    pub(crate) fn remove(&mut self, object: &ObjectRef) {
        match object.kind {
            ObjectKind::Key => {
                if let Ok(id) = KeyId::parse(&object.id) {
                    self.remove_key(&id);
                }
            }
            ObjectKind::Team => {
                if let Ok(id) = TeamId::parse(&object.id) {
                    self.teams.remove_mut(&id);
                }
            }
            ObjectKind::User => {
                if let Ok(id) = UserId::parse(&object.id) {
                    self.users.remove_mut(&id);
                }
            }
            ObjectKind::Endpoint => {
                if let Ok(id) = EndpointId::parse(&object.id) {
                    self.endpoints.remove_mut(&id);
                    self.index_models();
                }
            }
            ObjectKind::Model => {
                self.models.remove_mut(&ModelName::canonical(&object.id));
                self.index_models();
            }
            ObjectKind::Price => {
                self.prices.remove_mut(&ModelName::canonical(&object.id));
                self.index_prices();
            }
            ObjectKind::Settings => {
                self.settings = Settings {
                    routing: RoutingPolicy::sealed(),
                    ..Settings::default()
                };
            }
            ObjectKind::CapabilityBook => Arc::make_mut(&mut self.books).remove(&object.id),
            ObjectKind::LearntFact => Arc::make_mut(&mut self.lessons).remove(&object.id),
            ObjectKind::Budget => {
                if let Ok(id) = BudgetId::parse(&object.id) {
                    self.budgets.remove(&id);
                }
            }
            ObjectKind::Limit => {
                if let Ok(id) = LimitId::parse(&object.id) {
                    self.limits.remove(&id);
                }
            }
            ObjectKind::PausedSession => {
                if let Ok(id) = PauseId::parse(&object.id) {
                    self.paused.remove(&id);
                }
            }
            ObjectKind::SigningKey => {
                self.signing.remove_mut(&object.id);
            }
            ObjectKind::ModelPolicy => self.policies.remove(&object.id),
        }
    }

    fn remove_key(&mut self, id: &KeyId) {
        if let Some(digest) = self.digests.get(id).copied() {
            self.digests.remove_mut(id);
            self.keys.remove_mut(&digest);
        }
    }

    /// There are a few dozen models and endpoints, which change a few times a day at most.
    fn index_models(&mut self) {
        let mut names = HashMap::new();
        // An application inference profile's ARN says nothing of its model: whoever names one means the model behind it.
        let discovered = self
            .endpoints
            .values()
            .filter_map(|e| e.offers.discovery.as_ref());
        for profile in discovered.flat_map(|d| &d.profiles).filter(|p| p.application) {
            let model = self
                .models
                .values()
                .find(|m| m.bedrock_id == profile.foundation_model);
            if let Some(model) = model {
                names.insert(ModelName::canonical(&profile.id), model.name.clone());
            }
        }
        for endpoint in self.endpoints.values() {
            for pinned in &endpoint.offers.pinned {
                names.insert(ModelName::canonical(&pinned.arn), pinned.model.clone());
            }
        }
        for model in self.models.values() {
            names.insert(ModelName::canonical(&model.bedrock_id), model.name.clone());
            for alias in &model.aliases {
                names.insert(alias.clone(), model.name.clone());
            }
        }
        // A model's own name counts before another one's alias.
        for model in self.models.values() {
            names.insert(model.name.clone(), model.name.clone());
        }
        self.names = Arc::new(names);
        let models: Vec<Arc<Model>> = self.models.values().cloned().collect();
        Arc::make_mut(&mut self.books).set_models(&models);
    }

    fn index_prices(&mut self) {
        self.book = Arc::new(PriceBook::new(self.prices.values().map(|p| p.as_ref().clone())));
    }

    /// Everything there is, for the snapshot on disk.
    pub(super) fn objects(&self) -> Vec<ConfigObject> {
        let mut objects = vec![ConfigObject::Settings(self.settings.clone())];
        objects.extend(
            self.models
                .values()
                .map(|o| ConfigObject::Model(o.as_ref().clone())),
        );
        objects.extend(
            self.prices
                .values()
                .map(|o| ConfigObject::Price(o.as_ref().clone())),
        );
        objects.extend(
            self.endpoints
                .values()
                .map(|o| ConfigObject::Endpoint(o.as_ref().clone())),
        );
        objects.extend(
            self.teams
                .values()
                .map(|o| ConfigObject::Team(o.as_ref().clone())),
        );
        objects.extend(
            self.users
                .values()
                .map(|o| ConfigObject::User(o.as_ref().clone())),
        );
        objects.extend(self.books.pushed().cloned().map(ConfigObject::CapabilityBook));
        objects.extend(
            self.lessons
                .facts()
                .map(|o| ConfigObject::LearntFact(o.as_ref().clone())),
        );
        objects.extend(
            self.budgets
                .all()
                .map(|o| ConfigObject::Budget(o.as_ref().clone())),
        );
        objects.extend(self.limits.all().map(|o| ConfigObject::Limit(o.as_ref().clone())));
        objects.extend(
            self.paused
                .all()
                .map(|o| ConfigObject::PausedSession(o.as_ref().clone())),
        );
        objects.extend(
            self.signing
                .values()
                .map(|o| ConfigObject::SigningKey(o.key.clone())),
        );
        objects.extend(
            self.policies
                .all()
                .map(|o| ConfigObject::ModelPolicy(o.as_ref().clone())),
        );
        objects.extend(self.keys.values().map(|o| ConfigObject::Key(o.as_ref().clone())));
        objects
    }
}
