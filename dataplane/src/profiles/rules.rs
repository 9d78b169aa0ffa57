//! What one request is translated by, and what its attempts change about that.

use super::books::Book;
use super::{Books, INVOKE_MODEL, Learning, Lessons, Pin, Pins};
use crate::conversation::ConversationKey;
use ccag_domain::routing::Candidate;
use ccag_domain::{Code, Model, Problem, UnixMs};
use ccag_translate::profile::{Profile, Reduction};
use std::sync::Arc;

/// The rules that one request follows.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    books: Arc<Books>,
    lessons: Arc<Lessons>,
    model: Arc<Model>,
    key: ConversationKey,
    pin: Option<Arc<Pin>>,
    has_history: bool,
    book: Arc<Book>,
    /// In force, in the order in which they came.
    reductions: Vec<Reduction>,
    /// Those that this request itself has brought up, at the endpoint that it is at.
    fresh: Vec<Reduction>,
    /// Whether another version of the rules was tried already.
    other_tried: bool,
    profile: Arc<Profile>,
}

impl Rules {
    /// The rules that the conversation has followed so far, or for a new one those in force. `has_history` is whether the model
    /// has answered in it before.
    ///
    /// # Errors
    /// [`Code::Internal`] if there are none at all, which a release without rule books would mean.
    pub(crate) fn of(
        conversation: ConversationKey,
        has_history: bool,
        model: &Arc<Model>,
        known: (&Arc<Books>, &Arc<Lessons>),
        pins: (&Pins, UnixMs),
    ) -> Result<Self, Problem> {
        Self::begin((INVOKE_MODEL, conversation), has_history, model, known, pins)
    }

    /// The rules of the same conversation on another surface, where it has a history of its own.
    ///
    /// # Errors
    /// As [`Rules::of`].
    pub(crate) fn on(&self, surface: &str, pins: &Pins, now_ms: UnixMs) -> Result<Self, Problem> {
        let key = self.key.on(surface);
        let known = (&self.books, &self.lessons);
        Self::begin(
            (surface, key),
            self.has_history,
            &self.model,
            known,
            (pins, now_ms),
        )
    }

    fn begin(
        (surface, key): (&str, ConversationKey),
        has_history: bool,
        model: &Arc<Model>,
        (books, lessons): (&Arc<Books>, &Arc<Lessons>),
        (pins, now_ms): (&Pins, UnixMs),
    ) -> Result<Self, Problem> {
        let pin = pins.find(&key);
        let pinned = pin
            .as_ref()
            .and_then(|pin| books.find(&pin.surface, &pin.version));
        let book = match pinned {
            Some(book) => Some(book),
            None if has_history => books.likely(surface, now_ms),
            None => books.current(surface),
        };
        let book =
            Arc::clone(book.ok_or_else(|| Problem::new(Code::Internal, "there are no rules for Bedrock"))?);
        let mut rules = Self {
            profile: book.profile(model),
            books: Arc::clone(books),
            lessons: Arc::clone(lessons),
            model: Arc::clone(model),
            key,
            has_history,
            reductions: pin
                .as_ref()
                .map(|pin| pin.reductions.to_vec())
                .unwrap_or_default(),
            pin,
            book,
            fresh: Vec::new(),
            other_tried: false,
        };
        if !rules.reductions.is_empty() {
            rules.read();
        }
        Ok(rules)
    }

    /// What they are, for an explanation: surface, version, whether an earlier turn decided, and what is done without.
    pub(crate) fn told(&self) -> (&str, &str, bool, &[Reduction]) {
        let (surface, version) = (self.book.surface(), self.book.version());
        (surface, version, self.pin.is_some(), &self.reductions)
    }

    /// The rules in force.
    pub(crate) fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    fn read(&mut self) {
        let whole = self.book.profile(&self.model);
        self.profile = whole.reduced_by(&self.reductions).map_or(whole, Arc::new);
    }

    /// The request goes to `candidate`: a conversation that is not bound yet takes over what was learnt there. Says whether
    /// that changes anything.
    pub(crate) fn meet(&mut self, candidate: &Candidate, learning: &Learning) -> bool {
        self.fresh.clear();
        if self.pin.is_some() {
            return false;
        }
        let lessons = learning.lessons(&self.lessons, candidate, self.book.surface(), self.book.version());
        let before = self.reductions.len();
        for lesson in lessons {
            if !self.reductions.contains(&lesson) {
                self.reductions.push(lesson);
            }
        }
        let changed = self.reductions.len() > before;
        if changed {
            self.read();
        }
        changed
    }

    /// Does without something that was refused; false if that changes nothing.
    pub(crate) fn reduce(&mut self, by: &Reduction) -> bool {
        let Some(reduced) = self.profile.reduced(by) else {
            return false;
        };
        self.profile = Arc::new(reduced);
        self.reductions.push(by.clone());
        self.fresh.push(by.clone());
        true
    }

    /// Bedrock says that the history is not the one that its thinking was signed over. If we may be the cause, because we do
    /// not know what the conversation was translated by before or have changed it, the other version is tried, and then
    /// the history without its thinking. False if the cause is the client's.
    pub(crate) fn other_history(&mut self, candidate: &Candidate) -> bool {
        if !self.has_history || self.reductions.contains(&Reduction::ThinkingHistory) {
            return false;
        }
        let same = self
            .pin
            .as_ref()
            .is_some_and(|pin| pin.endpoint == candidate.endpoint.id && *pin.version == *self.book.version());
        if same && self.fresh.is_empty() {
            return false;
        }
        let other = self.books.other(self.book.surface(), self.book.version());
        if self.pin.is_none() && other.is_none() && self.reductions.is_empty() {
            // It has been translated in one way only, on whichever data plane.
            return false;
        }
        if let Some(other) = other.filter(|_| self.pin.is_none() && !self.other_tried) {
            self.book = Arc::clone(other);
            self.other_tried = true;
            self.read();
            return true;
        }
        self.reduce(&Reduction::ThinkingHistory)
    }

    /// The request takes another call after one that has worked: it keeps to what that one was translated by.
    pub(crate) fn go_on(&mut self, pins: &Pins) {
        self.pin = pins.find(&self.key);
        self.has_history = true;
        self.fresh.clear();
    }

    /// `candidate` has taken the request: the conversation keeps to these rules, and what was refused before is learnt.
    pub(crate) fn worked(&self, candidate: &Candidate, pins: &Pins, learning: &Learning) {
        for reduction in &self.fresh {
            learning.learn(candidate, self.book.surface(), self.book.version(), reduction);
        }
        let unchanged = self.pin.as_ref().is_some_and(|pin| {
            pin.endpoint == candidate.endpoint.id
                && *pin.version == *self.book.version()
                && *pin.reductions == *self.reductions
        });
        if !unchanged {
            let pin = Pin {
                surface: self.book.surface().into(),
                version: self.book.version().into(),
                reductions: self.reductions.as_slice().into(),
                endpoint: candidate.endpoint.id.clone(),
            };
            pins.put(self.key, pin);
        }
    }
}
