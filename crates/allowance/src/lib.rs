//! The escrow behind budgets and limits: pure arithmetic, no I/O, no clock.
//!
//! The owner of a limit (the control plane) keeps an [`Account`] with the sum of what has been settled and of what it has
//! granted to holders (data planes), and for each holder a [`Holding`]. A holder keeps a [`Purse`]: it reserves what a
//! request may cost before the request begins, and settles with the real cost when it ends. The record of the request
//! travels to the owner on its own way, at least once and counted once; when it arrives, what was granted becomes settled.
//!
//! What holds, whatever crashes, is lost, or comes twice: **settled + granted ≤ ceiling**, as long as no request costs
//! more than was reserved for it, and no holder that was presumed lost comes back with records. Where they do, the excess
//! is what those requests cost beyond their reservations, or what was released of that holder's share. `tests/it` checks
//! both on simulated worlds.
//!
//! Amounts are plain integers: nano-USD for budgets, permits for limits. Permits are never settled: they are given back when
//! their minute is over, or when the request has ended.

mod owner;
mod purse;

pub use owner::{Account, Answer, Draw, Holding, Refusal, Report, Totals, Want};
pub use purse::{Purse, Short};
