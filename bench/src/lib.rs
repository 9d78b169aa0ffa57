//! How fast a data plane is: the thinnest proxy to hold it against, a stand-in for Bedrock that costs next to nothing, clients
//! that read and check every answer, and the account of what a process uses. `cargo xtask bench speed` and `control-plane` run
//! it, and `docs/performance.md` says how to read it.

pub mod client;
pub mod cpu;
pub mod null_proxy;
pub mod upstream;
