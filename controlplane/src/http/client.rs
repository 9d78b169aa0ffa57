//! Where a request comes from.

use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// An address range: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
}

impl Network {
    /// Reads a range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address.parse::<IpAddr>().ok()?, Some(length.parse::<u32>().ok()?)),
            None => (text.trim().parse().ok()?, None),
        };
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length = length.unwrap_or(width);
        if length > width {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - length - offset).unwrap_or(0);
        Some(Self {
            base: bits(address) & mask,
            mask,
        })
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.base
    }
}

/// Every address as IPv6, the old ones mapped.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The client's address: the peer, or what `X-Forwarded-For` says as far as only trusted proxies have written it.
pub(crate) fn client_address(
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
    trusted: &[Network],
) -> Option<IpAddr> {
    let mut address = peer?.ip().to_canonical();
    let hops: Vec<_> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        if !trusted.iter().any(|network| network.contains(address)) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        address = before.to_canonical();
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_contain_what_they_say() {
        let ten = Network::parse("10.0.0.0/8").unwrap();
        assert!(ten.contains(ip("10.255.0.1")) && !ten.contains(ip("11.0.0.1")));
        assert!(Network::parse("::1").unwrap().contains(ip("::1")));
        assert!(Network::parse("fd00::/8").unwrap().contains(ip("fd12::1")));
        assert!(Network::parse("0.0.0.0/0").unwrap().contains(ip("203.0.113.9")));
        assert!(Network::parse("::/0").unwrap().contains(ip("10.0.0.1")));
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_stranger_cannot_say_where_he_comes_from() {
        let trusted = [Network::parse("10.0.0.0/8").unwrap()];
        let peer = |text: &str| Some(SocketAddr::new(ip(text), 1));
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            "1.1.1.1, 203.0.113.9, 10.0.0.7".parse().unwrap(),
        );
        assert_eq!(
            client_address(&headers, peer("10.0.0.2"), &trusted),
            Some(ip("203.0.113.9"))
        );
        assert_eq!(
            client_address(&headers, peer("198.51.100.1"), &trusted),
            Some(ip("198.51.100.1"))
        );
        headers.insert("x-forwarded-for", "nonsense".parse().unwrap());
        assert_eq!(
            client_address(&headers, peer("10.0.0.2"), &trusted),
            Some(ip("10.0.0.2"))
        );
    }
}
