//! What a route takes and gives.

use ccag_domain::gate::Gate;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// The schema of a type: a reference to a component, or, for what has no name, the schema itself.
pub(in crate::http) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What a body may be.
#[derive(Clone, Copy)]
pub(in crate::http) enum Content {
    /// JSON of this shape.
    Json(Shape),
    /// Any JSON.
    AnyJson,
    /// Other media types, of which one is to be chosen, with the shape of one line where they have JSON lines.
    Media(&'static [&'static str], Option<Shape>),
}

/// A row of the document: what a route is for, takes and gives.
pub(in crate::http) struct Operation {
    pub(in crate::http) method: &'static str,
    pub(in crate::http) path: &'static str,
    pub(in crate::http) id: &'static str,
    pub(in crate::http) summary: &'static str,
    pub(in crate::http) tag: &'static str,
    pub(in crate::http) query: Option<Shape>,
    /// The ids in the path, in their order. What is not named is text.
    pub(in crate::http) ids: Vec<Shape>,
    pub(in crate::http) body: Option<Content>,
    pub(in crate::http) status: u16,
    /// In which forms it answers; none for an empty answer.
    pub(in crate::http) answers: Vec<Content>,
}

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            tag: "",
            query: None,
            ids: Vec::new(),
            body: None,
            status: 204,
            answers: Vec::new(),
        }
    }

    /// The path has an id of this kind.
    pub(super) fn of<T: JsonSchema>(mut self) -> Self {
        self.ids.push(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It takes these parameters in its query.
    pub(super) fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = Some(T::json_schema);
        self
    }

    /// It takes a JSON body.
    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Content::Json(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// It takes a body of one of these media types.
    pub(super) fn takes_media(mut self, media: &'static [&'static str]) -> Self {
        self.body = Some(Content::Media(media, None));
        self
    }

    /// It answers with JSON.
    pub(super) fn gives<T: JsonSchema>(mut self) -> Self {
        self.answers
            .push(Content::Json(SchemaGenerator::subschema_for::<T>));
        self.status = 200;
        self
    }

    /// It answers with JSON whose shape depends.
    pub(super) fn gives_any_json(mut self) -> Self {
        self.answers.push(Content::AnyJson);
        self.status = 200;
        self
    }

    /// It may answer in one of these media types; `T` is a line of what has JSON lines.
    pub(super) fn gives_media<T: JsonSchema>(mut self, media: &'static [&'static str]) -> Self {
        let line: Shape = SchemaGenerator::subschema_for::<T>;
        self.answers.push(Content::Media(media, Some(line)));
        self.status = 200;
        self
    }

    /// It makes something, and answers with that.
    pub(super) fn makes<T: JsonSchema>(self) -> Self {
        let mut made = self.gives::<T>();
        made.status = 201;
        made
    }

    /// The names of the parameters in the path.
    pub(in crate::http) fn path_parameters(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('/').filter_map(|part| {
            let name = part.strip_prefix('{')?.strip_suffix('}')?;
            Some(name.trim_start_matches('*'))
        })
    }

    /// Whether it takes an idempotency key.
    pub(super) fn may_be_repeated(&self) -> bool {
        let closed = self.gate().is_some_and(|gate| gate != Gate::Public);
        self.method == "POST" && closed && !crate::http::idempotency::is_apart(self.path)
    }

    /// What it takes to be let in.
    pub(in crate::http) fn gate(&self) -> Option<Gate> {
        crate::http::access::routes()
            .find(|route| route.method == self.method && route.path == self.path)
            .map(|route| route.gate)
    }
}

macro_rules! methods {
    ($($name:ident = $method:literal),+) => {
        $(pub(super) fn $name(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
            Operation::new($method, path, id, summary)
        })+
    };
}

methods!(
    get = "GET",
    post = "POST",
    put = "PUT",
    patch = "PATCH",
    delete = "DELETE"
);

/// Puts operations under a heading.
pub(super) fn under(tag: &'static str, operations: Vec<Operation>) -> impl Iterator<Item = Operation> {
    operations
        .into_iter()
        .map(move |operation| Operation { tag, ..operation })
}
