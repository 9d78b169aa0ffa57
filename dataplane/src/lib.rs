//! The stateless proxy: authenticate, admit, translate, route, stream, record.
//!
//! [`DataPlane`] is the whole of it as a library; [`config`] is what the process `ccag-dataplane` adds around it. A request
//! is told from top to bottom in `http/messages.rs`. Nothing on its way asks the control plane, a database, or a lock that
//! another request holds while it waits.

mod admission;
mod allowance;
mod auth;
mod backoff;
pub mod bedrock;
pub mod check;
pub mod config;
mod conversation;
mod explain;
mod files;
mod http;
mod metrics;
mod permission;
mod plane;
mod profiles;
mod ratelimit;
mod search;
mod sync;
mod traces;
mod usage;

pub use ccag_aws::BadBundle;
pub use config::DataPlaneConfig;
pub use http::Front;
pub use metrics::{ALIASES, METRICS};
pub use plane::{DataPlane, StartError, World};
pub use sync::{ControlLink, LinkError};
pub use usage::SpoolError;
