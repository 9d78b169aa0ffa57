//! Money: exact in the markup, short to the eye.

use super::number::group_digits;
use ccag_domain::NanoUsd;
use leptos::prelude::*;

/// Dollars with every digit that counts: `$1,234.50`, `$0.000004`.
#[must_use]
pub fn exact_usd(amount: NanoUsd) -> String {
    dollars(&amount.to_string())
}

/// Dollars for reading: cents from one dollar on, four significant digits below, never a rounding to zero.
#[must_use]
pub fn short_usd(amount: NanoUsd) -> String {
    let nano = amount.0.unsigned_abs();
    if nano >= 1_000_000_000 || nano == 0 {
        return dollars(&amount.to_usd_string(2));
    }
    // The place of the first significant digit after the point, counted from 1.
    let first = 9 - nano.ilog10();
    let text = amount.to_usd_string((first + 3).min(9));
    let kept = text.trim_end_matches('0');
    let decimals = kept.rsplit('.').next().map_or(0, str::len);
    let kept = &text[..kept.len() + 2usize.saturating_sub(decimals)];
    dollars(kept)
}

fn dollars(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("−", rest),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}${}{point}{fraction}", group_digits(whole))
}

/// An amount, with its exact value for machines and for those who point at it.
pub(crate) fn money(amount: NanoUsd) -> AnyView {
    let shown = short_usd(amount);
    let exact = exact_usd(amount);
    let title = (exact != shown).then(|| format!("exactly {exact}"));
    view! { <data class="money" value=amount.to_string() title=title>{shown}</data> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_the_digits_that_matter() {
        for (nano, shown) in [
            (0, "$0.00"),
            (4, "$0.000000004"),
            (4_000, "$0.000004"),
            (12_345_678, "$0.01235"),
            (250_000_000, "$0.25"),
            (999_999_999, "$1.00"),
            (1_005_000_000, "$1.01"),
            (1_234_567_891_000_000, "$1,234,567.89"),
            (-2_500_000_000, "−$2.50"),
        ] {
            assert_eq!(short_usd(NanoUsd(nano)), shown, "{nano}");
        }
        assert_eq!(exact_usd(NanoUsd(1_234_500_000_001)), "$1,234.500000001");
        assert_eq!(short_usd(NanoUsd(i64::MIN)), "−$9,223,372,036.85");
    }
}
