//! Numbers, money and times as text and as HTML elements that keep the exact value.

mod money;
mod number;
mod when;

pub use money::{exact_usd, short_usd};
pub use number::{compact, grouped, percent};
pub use when::{date, date_time, day_start, duration_ms, iso, month_start, past, seconds};

pub(crate) use money::money;
pub(crate) use number::count;
pub(crate) use when::{ago, day_label, hour_ago, moment};
