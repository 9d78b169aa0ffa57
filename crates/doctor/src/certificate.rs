//! Certificates: until when they are good, and for which names.

pub use ccag_certificate::Facts;

use crate::finding::{Check, Finding};

/// So long before its end a certificate is worth a warning, in milliseconds.
const SOON_MS: i64 = 30 * DAY_MS;

/// So long before its end it is a fault.
const VERY_SOON_MS: i64 = 7 * DAY_MS;

const DAY_MS: i64 = 86_400_000;

/// Says whether a certificate is good now, and for how long it will be.
#[must_use]
pub fn judge(check: &'static Check, whose: &str, facts: &Facts, now_ms: i64, renew: &str) -> Finding {
    let days = |ms: i64| ms.abs() / DAY_MS;
    let left = facts.not_after_s * 1_000 - now_ms;
    let until_good = facts.not_before_s * 1_000 - now_ms;
    if until_good > 0 {
        let found = format!(
            "the certificate is not good yet: it will be in {} days",
            days(until_good)
        );
        let advice = "look at this machine's clock first; if it is right, put the certificate in place that is good today";
        return check.fault(whose, found, advice);
    }
    if left <= 0 {
        let found = format!("the certificate has expired {} days ago", days(left));
        return check.fault(whose, found, renew);
    }
    let names = match facts.names.as_slice() {
        [] => facts.subject.clone(),
        names => names.join(", "),
    };
    let found = format!("the certificate for {names} expires in {} days", days(left));
    if left < VERY_SOON_MS {
        check.fault(whose, found, renew)
    } else if left < SOON_MS {
        check.warning(whose, found, renew)
    } else {
        check.ok(whose, found)
    }
}
