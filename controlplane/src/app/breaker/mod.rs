//! The breaker: sessions of Claude Code that run away are paused until somebody resumes them. `docs/budgets.md` says what
//! holds, ADR 14 why it is like this.

mod pauses;
mod policy;
mod watch;

pub(crate) use pauses::{count, list};
pub use pauses::{forget_old, resume};
pub use policy::{clear_team, of_team, organisation, set_organisation, set_team};
pub(super) use watch::watch;
