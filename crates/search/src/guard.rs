//! Which addresses may be asked.
//!
//! A name is resolved by [`GuardedResolver`], which hands out admitted addresses only, so that what was checked is what is
//! connected to. An address that is written as such never reaches a resolver: [`check_url`] looks at it.

use crate::Failure;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// How far a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The public internet.
    Public,
    /// Private networks and this machine, too; never the link-local addresses where clouds keep credentials.
    Private,
}

impl Reach {
    /// Whether this address may be connected to.
    #[must_use]
    pub fn admits(self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.admits_v4(v4),
            IpAddr::V6(v6) => self.admits_v6(v6),
        }
    }

    fn admits_v4(self, ip: Ipv4Addr) -> bool {
        let [a, b, c, _] = ip.octets();
        if ip.is_link_local() || ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast() {
            return false;
        }
        let not_public = a == 0
            || ip.is_loopback()
            || ip.is_private()
            || ip.is_documentation()
            // Carrier-grade NAT (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544), reserved (RFC 1112).
            || (a == 100 && (64..128).contains(&b))
            || (a == 192 && b == 0 && c == 0)
            || (a == 198 && (18..20).contains(&b))
            || a >= 240;
        !not_public || (self == Self::Private && a != 0 && a < 240)
    }

    fn admits_v6(self, ip: Ipv6Addr) -> bool {
        let s = ip.segments();
        let embedded = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            self.admits_v4(Ipv4Addr::new(a, b, c, d))
        };
        if ip.is_loopback() {
            return self == Self::Private;
        }
        // Unspecified and IPv4-compatible, multicast, link-local, site-local (RFC 3879).
        if s[..6].iter().all(|part| *part == 0) || s[0] & 0xff00 == 0xff00 || s[0] & 0xff80 == 0xfe80 {
            return false;
        }
        if s[0] == 0x64 && s[1] == 0xff9b {
            // NAT64 (RFC 6052); the local-use prefix (RFC 8215) says nothing that could be checked.
            return s[2..6].iter().all(|part| *part == 0) && embedded(s[6], s[7]);
        }
        if s[0] == 0x2002 {
            // 6to4 (RFC 3056).
            return embedded(s[1], s[2]);
        }
        let is_local = s[0] & 0xfe00 == 0xfc00;
        if is_local {
            // Amazon's instance metadata service has an address of its own here (AWS, "Instance metadata").
            return self == Self::Private && s[..7] != [0xfd00, 0x0ec2, 0, 0, 0, 0, 0];
        }
        // Teredo (RFC 4380) and documentation (RFC 3849) lead nowhere that a service is.
        !(s[0] == 0x2001 && (s[1] == 0 || s[1] == 0xdb8))
    }
}

/// Checks an address that somebody has given: `http` or `https`, without a user, with a host that may be asked as far as
/// that can be told without resolving it.
///
/// # Errors
/// [`Failure`] says what is wrong with it.
pub fn check_url(text: &str, reach: Reach) -> Result<Url, Failure> {
    let wrong = |what: &str| Failure::Misconfigured(format!("the address {what}"));
    let url = Url::parse(text.trim()).map_err(|_| wrong("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not contain a user name or a password"));
    }
    let literal = match url.host() {
        None => return Err(wrong("names no host")),
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
    };
    if literal.is_some_and(|ip| !reach.admits(ip)) {
        return Err(Failure::PrivateAddress);
    }
    Ok(url)
}

/// No address of the name may be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be asked")]
pub struct NotAdmitted;

/// Resolves names to admitted addresses alone.
#[derive(Debug, Clone, Copy)]
pub struct GuardedResolver(pub Reach);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let admitted = resolve(name.as_str(), 0, reach).await?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name, or an address as it is written, that may be asked: at least one.
///
/// # Errors
/// [`NotAdmitted`] if there is none, or what the resolver says.
pub async fn resolve(
    name: &str,
    port: u16,
    reach: Reach,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let found = tokio::net::lookup_host((name, port)).await?;
    let admitted: Vec<SocketAddr> = found.filter(|a| reach.admits(a.ip())).collect();
    if admitted.is_empty() {
        return Err(Box::new(NotAdmitted));
    }
    Ok(admitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(reach: Reach, ip: &str) -> bool {
        reach.admits(ip.parse().unwrap())
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "198.18.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!admits(Reach::Public, inside), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "100.128.0.1",
        ] {
            assert!(admits(Reach::Public, outside), "{outside}");
            assert!(admits(Reach::Private, outside), "{outside}");
        }
    }

    #[test]
    fn even_an_admin_does_not_reach_where_clouds_keep_credentials() {
        for inside in ["127.0.0.1", "10.0.0.1", "::1", "fd12::1", "100.64.0.1"] {
            assert!(admits(Reach::Private, inside), "{inside}");
        }
        for never in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(!admits(Reach::Private, never), "{never}");
        }
    }

    #[test]
    fn every_way_to_write_an_address_is_seen() {
        for url in [
            "http://127.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://127.1:8080/x",
            "http://[::1]/",
        ] {
            assert_eq!(
                check_url(url, Reach::Public),
                Err(Failure::PrivateAddress),
                "{url}"
            );
        }
        for url in [
            "ftp://a.example/",
            "a.example",
            "https://u:p@a.example/",
            "file:///etc/passwd",
        ] {
            assert!(
                matches!(check_url(url, Reach::Public), Err(Failure::Misconfigured(_))),
                "{url}"
            );
        }
        assert!(check_url("https://search.example.com/x", Reach::Public).is_ok());
    }
}
