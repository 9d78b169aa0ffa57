//! SCIM 2.0 (RFC 7643, RFC 7644) without a server: what a resource looks like, what a filter selects, what a PATCH makes of
//! a resource, and how all of it is said on the wire.
//!
//! A resource is a JSON object whose attributes are spelled as its schema spells them, whatever the client has written:
//! [`resource::from_client`] makes one, [`patch`] changes one, [`Filter`] and [`sort`] look at one. Nothing here does I/O,
//! and nothing recurses deeper than [`MAX_DEPTH`].
//!
//! What a schema does not know is left out rather than refused: providers send attributes of their own to everybody.

pub mod bulk;
pub mod discovery;
mod error;
mod filter;
pub mod list;
pub mod patch;
mod path;
mod project;
pub mod resource;
pub mod schema;
pub mod sort;
mod value;

pub use error::{ScimError, ScimType};
pub use filter::{Filter, Op};
pub use path::{AttrPath, Path};
pub use project::Projection;
pub use schema::Kind;

/// The media type (RFC 7644, §8.1).
pub const MEDIA_TYPE: &str = "application/scim+json";

/// How deep filters may be nested.
pub const MAX_DEPTH: usize = 32;

/// The longest filter or path, in bytes.
pub const MAX_FILTER: usize = 16 << 10;

/// The most operations of one PATCH.
pub const MAX_OPERATIONS: usize = 1_000;

/// The most members that a group may have.
pub const MAX_MEMBERS: usize = 50_000;

/// The most values of an attribute other than the members of a group.
pub const MAX_VALUES: usize = 200;

/// How many resources a list holds if the client does not say.
pub const DEFAULT_PAGE: u64 = 100;

/// The most resources that one page holds.
pub const MAX_PAGE: u64 = 1_000;

/// A JSON object.
pub type Object = serde_json::Map<String, serde_json::Value>;
