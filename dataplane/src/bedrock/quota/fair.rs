//! Fair shares of what is short: max-min.

/// The most that anybody may have of `capacity`, so that whoever wants less has all that they want and the rest is shared out
/// evenly among the others; `u64::MAX` if there is enough for all. The order of `wants` is lost.
pub(super) fn level(wants: &mut [u64], capacity: u64) -> u64 {
    wants.sort_unstable();
    let mut left = capacity;
    for (place, want) in wants.iter().enumerate() {
        let others = u64::try_from(wants.len() - place).unwrap_or(u64::MAX);
        let share = left / others;
        if *want > share {
            return share;
        }
        left -= want;
    }
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_wants_little_has_it_and_the_others_share_the_rest() {
        assert_eq!(level(&mut [80, 10], 90), u64::MAX);
        assert_eq!(level(&mut [85, 10], 90), 80);
        assert_eq!(level(&mut [85, 60], 90), 45);
        assert_eq!(level(&mut [5, 100, 100, 10], 90), 37);
        assert_eq!(level(&mut [100], 90), 90);
        assert_eq!(level(&mut [], 90), u64::MAX);
        assert_eq!(level(&mut [0, 1], 0), 0);
    }
}
