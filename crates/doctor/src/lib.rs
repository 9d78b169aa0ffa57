//! What is looked at when something is wrong, by `--check-config` of the servers and by `ccag doctor`, what is found, and how that is
//! told.
//!
//! Every [`Check`] stands in one table ([`checks::ALL`]), which `docs/doctor.md` is made of: nothing can be found that is not explained
//! there. A [`Finding`] says what was looked at, what is wrong and what to do; a [`Report`] puts them in order. None of them ever holds a
//! secret: whoever makes one names files, variables and addresses, never their content.
//!
//! Besides, there is what more than one of the programs looks at: the way over the network ([`reach`]), certificates ([`certificate`]),
//! clocks ([`clock`]), folders ([`disk`]), and addresses to listen on ([`place`]).

pub mod certificate;
pub mod checks;
pub mod clock;
pub mod disk;
mod finding;
pub mod place;
pub mod reach;
mod report;

pub use finding::{Check, Finding, Program, State, within};
pub use report::{FAULTS, Report};
