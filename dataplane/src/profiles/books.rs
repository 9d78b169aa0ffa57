//! The versions of the rules that are known, by surface.

use ccag_domain::{CapabilityBook, Model, ModelName, UnixMs};
use ccag_translate::profile::{Profile, RuleBook, RuleBookError};
use std::collections::HashMap;
use std::sync::Arc;

/// How long after a change a running conversation that this data plane has not seen is taken for one that began before it.
const GRACE_MS: i64 = 15 * 60 * 1_000;

/// One version of the rules for one surface.
#[derive(Debug)]
pub(crate) struct Book {
    document: CapabilityBook,
    rules: RuleBook,
    /// Read for each model once, not with every request.
    profiles: HashMap<ModelName, Arc<Profile>>,
}

impl Book {
    fn new(document: CapabilityBook) -> Result<Self, RuleBookError> {
        Ok(Self {
            rules: RuleBook::from_json(document.rules.as_bytes())?,
            document,
            profiles: HashMap::new(),
        })
    }

    /// The version, which names it within its surface.
    pub(crate) fn version(&self) -> &str {
        &self.document.version
    }

    /// The surface.
    pub(crate) fn surface(&self) -> &str {
        &self.document.surface
    }

    /// The rules for a model.
    pub(crate) fn profile(&self, model: &Model) -> Arc<Profile> {
        self.profiles
            .get(&model.name)
            .filter(|profile| profile.max_output_tokens == u64::from(model.max_output_tokens))
            .map_or_else(|| Arc::new(self.read(model)), Arc::clone)
    }

    fn read(&self, model: &Model) -> Profile {
        let mut profile = self.rules.profile(&model.name, model.max_output_tokens);
        // A book of an admin's own may still say the version that it was made from.
        profile.version.clone_from(&self.document.version);
        profile
    }

    fn with_models<'m>(&self, models: impl Iterator<Item = &'m Arc<Model>>) -> Self {
        Self {
            document: self.document.clone(),
            rules: self.rules.clone(),
            profiles: models
                .map(|model| (model.name.clone(), Arc::new(self.read(model))))
                .collect(),
        }
    }
}

/// All versions. Those that this release ships are always among them, so that there are rules before any are pushed.
#[derive(Debug, Clone)]
pub(crate) struct Books(HashMap<String, Vec<Arc<Book>>>);

impl Default for Books {
    fn default() -> Self {
        let shipped = RuleBook::surfaces().filter_map(|surface| {
            let rules = RuleBook::shipped(surface)?;
            let version = RuleBook::from_json(rules.as_bytes()).ok()?.version().to_owned();
            let document = CapabilityBook {
                surface: surface.to_owned(),
                version,
                sequence: 0,
                made_at_ms: 0,
                rules: rules.into(),
            };
            Some((surface.to_owned(), vec![Arc::new(Book::new(document).ok()?)]))
        });
        Self(shipped.collect())
    }
}

impl Books {
    /// Adds a version.
    pub(crate) fn put<'m>(
        &mut self,
        document: CapabilityBook,
        models: impl Iterator<Item = &'m Arc<Model>>,
    ) -> Result<(), RuleBookError> {
        let book = Book::new(document)?.with_models(models);
        let versions = self.0.entry(book.surface().to_owned()).or_default();
        versions.retain(|known| known.document.sequence == 0 || known.version() != book.version());
        versions.push(Arc::new(book));
        versions.sort_by_key(|book| book.document.sequence);
        Ok(())
    }

    /// Takes a pushed version away; what this release ships stays.
    pub(crate) fn remove(&mut self, id: &str) {
        let Some((surface, version)) = id.split_once('@') else {
            return;
        };
        if let Some(versions) = self.0.get_mut(surface) {
            versions.retain(|book| book.document.sequence == 0 || book.version() != version);
        }
    }

    /// Reads all versions for other models.
    pub(crate) fn set_models(&mut self, models: &[Arc<Model>]) {
        for versions in self.0.values_mut() {
            for book in versions {
                *book = Arc::new(book.with_models(models.iter()));
            }
        }
    }

    /// What was pushed, for the snapshot on disk.
    pub(crate) fn pushed(&self) -> impl Iterator<Item = &CapabilityBook> {
        let all = self.0.values().flatten().map(|book| &book.document);
        all.filter(|document| document.sequence > 0)
    }

    /// The version in force.
    pub(crate) fn current(&self, surface: &str) -> Option<&Arc<Book>> {
        self.0.get(surface)?.last()
    }

    /// A version by its name.
    pub(crate) fn find(&self, surface: &str, version: &str) -> Option<&Arc<Book>> {
        let mut newest_first = self.0.get(surface)?.iter().rev();
        newest_first.find(|book| book.version() == version)
    }

    /// The version that a running conversation of which nothing is known most likely began under.
    pub(crate) fn likely(&self, surface: &str, now_ms: UnixMs) -> Option<&Arc<Book>> {
        let settled = |book: &&Arc<Book>| book.document.made_at_ms <= now_ms - GRACE_MS;
        let mut newest_first = self.0.get(surface)?.iter().rev();
        // What ships with this release stands in only where nothing was pushed.
        let pushed = |book: &&Arc<Book>| book.document.sequence > 0;
        newest_first
            .find(|book| settled(book) && pushed(book))
            .or_else(|| self.first_pushed(surface))
            .or_else(|| self.current(surface))
    }

    /// Another version that a conversation could have begun under: the newest, or the one before it.
    pub(crate) fn other(&self, surface: &str, than: &str) -> Option<&Arc<Book>> {
        let mut newest_first = self.0.get(surface)?.iter().rev();
        newest_first.find(|book| book.version() != than)
    }

    fn first_pushed(&self, surface: &str) -> Option<&Arc<Book>> {
        self.0
            .get(surface)?
            .iter()
            .find(|book| book.document.sequence > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::INVOKE_MODEL;
    use super::*;
    use ccag_domain::catalogue;
    use ccag_translate::profile::{Action, overlaid};
    use serde_json::json;

    const BETA: &str = "unheard-of-2030-01-01";

    fn pushed(sequence: u64, made_at_ms: UnixMs, action: &str) -> CapabilityBook {
        let version = format!("1+{sequence}");
        let row = json!({"name": BETA, "do": action, "source": "a test"});
        let shipped = RuleBook::shipped(INVOKE_MODEL).unwrap();
        CapabilityBook {
            surface: INVOKE_MODEL.into(),
            rules: overlaid(shipped, [("betas", &row)], &version).unwrap().into(),
            version,
            sequence,
            made_at_ms,
        }
    }

    fn action(book: &Book) -> Option<Action> {
        let model = catalogue::models().remove(0);
        book.profile(&model).betas.action(BETA)
    }

    #[test]
    fn the_newest_version_is_in_force_and_older_ones_can_still_be_followed() {
        let mut books = Books::default();
        assert_eq!(action(books.current(INVOKE_MODEL).unwrap()), Some(Action::Drop));
        let models: Vec<_> = catalogue::models().into_iter().map(Arc::new).collect();
        books.put(pushed(2, 2, "refuse"), models.iter()).unwrap();
        books.put(pushed(1, 1, "keep"), models.iter()).unwrap();
        assert_eq!(action(books.current(INVOKE_MODEL).unwrap()), Some(Action::Refuse));
        assert_eq!(
            action(books.find(INVOKE_MODEL, "1+1").unwrap()),
            Some(Action::Keep)
        );
        assert_eq!(books.pushed().count(), 2);
        books.remove("invoke-model@1+2");
        assert_eq!(action(books.current(INVOKE_MODEL).unwrap()), Some(Action::Keep));
        books.remove("invoke-model@1+1");
        assert!(books.current(INVOKE_MODEL).is_some(), "the shipped rules remain");
    }

    #[test]
    fn an_unknown_running_conversation_is_taken_to_have_begun_before_a_fresh_change() {
        let mut books = Books::default();
        let now = 100 * GRACE_MS;
        let none = || std::iter::empty::<&Arc<Model>>();
        books.put(pushed(1, 0, "keep"), none()).unwrap();
        books
            .put(pushed(2, now - GRACE_MS / 2, "refuse"), none())
            .unwrap();
        let likely = |now| books.likely(INVOKE_MODEL, now).unwrap().version().to_owned();
        assert_eq!(likely(now), "1+1");
        assert_eq!(likely(now + GRACE_MS), "1+2");
        assert_eq!(books.other(INVOKE_MODEL, "1+1").unwrap().version(), "1+2");
        assert_eq!(books.other(INVOKE_MODEL, "1+2").unwrap().version(), "1+1");
    }

    #[test]
    fn a_book_that_cannot_be_read_changes_nothing() {
        let mut books = Books::default();
        let broken = CapabilityBook {
            rules: "{}".into(),
            ..pushed(1, 0, "keep")
        };
        assert!(books.put(broken, std::iter::empty()).is_err());
        assert_eq!(books.pushed().count(), 0);
    }
}
