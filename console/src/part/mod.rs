//! Pieces that pages are made of.

pub(crate) mod block;
pub(crate) mod breaker;
pub(crate) mod budget;
pub(crate) mod chart;
pub(crate) mod confirm;
pub(crate) mod connect;
pub(crate) mod field;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod stacked;
