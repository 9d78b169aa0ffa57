//! A request to one of AWS's services, before it is signed.

use bytes::Bytes;

/// A request to one of AWS's services.
pub(crate) struct Ask<'a> {
    /// AWS's name of the operation.
    pub(crate) operation: &'static str,
    /// What it is signed for.
    pub(crate) service: &'static str,
    /// The service's URL.
    pub(crate) base: &'a str,
    /// The path and the query, beginning with a slash.
    pub(crate) path: &'a str,
    /// What is posted; without it, the request is a `GET`.
    pub(crate) body: Option<Bytes>,
    /// The operation as services name it that have one path for all of theirs; such a request is always signed.
    pub(crate) target: Option<&'static str>,
    /// How the body is written.
    pub(crate) form: Form,
}

/// How the body of a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As JSON.
    Json,
    /// As the fields of a form, the operation among them; such a request is always signed.
    Fields,
}

impl<'a> Ask<'a> {
    /// A `GET`.
    pub(crate) const fn new(
        operation: &'static str,
        service: &'static str,
        base: &'a str,
        path: &'a str,
    ) -> Self {
        Self {
            operation,
            service,
            base,
            path,
            body: None,
            target: None,
            form: Form::Json,
        }
    }
}
