//! The gRPC contract between the planes, and its conversions to the domain.
//!
//! Messages are generated from `proto/ccag/v1/*.proto` by `cargo xtask gen` and committed, so that no build needs `protoc`.
//! The domain never sees them: everything crosses through [`mod@convert`].

pub mod convert;

/// The generated messages, clients and servers.
#[expect(
    missing_docs,
    clippy::all,
    reason = "generated code; its documentation is in the .proto files"
)]
pub mod v1 {
    include!("gen/ccag.v1.rs");
}

pub use convert::InvalidMessage;

/// The largest message that either side accepts, in bytes: a snapshot with 100,000 keys is about 20 MB.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024 * 1024;
