//! The console in a real browser.

mod budgets;
mod flows;
mod hostile;
mod keys;
mod rules;
mod several;
mod walk;
mod world;
