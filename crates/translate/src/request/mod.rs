//! A client's Messages request → the body, and for some lanes the headers, that Bedrock takes.
//!
//! [`peek`] reads the body once, checks it and leaves an index; [`prepare_for`] follows the [`Profile`](crate::profile::Profile)
//! of the model and splices. It can be called again for another model, endpoint or a reduced profile without reading the
//! body again.

mod betas;
mod cache;
mod estimate;
mod facts;
mod messages;
mod output;
mod peek;
mod plan;
mod prepare;
mod roles;
mod system;
mod target;
mod thinking;
mod tools;

pub use facts::Digests;
pub use peek::{Operation, Peeked, peek};
pub use prepare::{Headers, Prepared, prepare, prepare_for, prepare_with};
pub use target::Target;

pub(crate) use messages::Place;
pub(crate) use plan::Plan;
