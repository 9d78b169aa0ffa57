//! People who come from identity providers.

pub(crate) mod groups;
