//! One record for every request that reached Bedrock, whatever its ending.

mod recorder;
mod shipper;
mod spool;

pub(crate) use recorder::{Ending, Recorder, Start, Ticket, wait};
pub(crate) use shipper::Shipper;
pub use spool::SpoolError;
pub(crate) use spool::{Accounts, NotSpooled, Pending, Spool, SpoolConfig};
