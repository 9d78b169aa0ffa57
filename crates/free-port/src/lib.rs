//! Ports for programs that tests and benchmarks start.
//!
//! A port that the system chose a moment ago is anybody's again before the program listens on it, and while the program is
//! started anew: the system gives it to the next outgoing connection, or to the next who asks. A port of this crate lies below
//! those that systems choose from, and belongs to the process that reserved it until that process ends.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// Below what Linux (`net.ipv4.ip_local_port_range`, 32768 and up) and others (RFC 6335 section 6: 49152 and up) choose from,
/// and below what Kubernetes gives to services (30000 and up).
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// What other processes see of the ports of this one: as a program listens for TCP, UDP at the same number is free to say whose
/// it is. Where the process ends, however it ends, the system closes these.
static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A TCP port of 127.0.0.1 that nobody listens on, and that no other call, in whatever process, returns while this process runs.
///
/// # Errors
///
/// [`io::ErrorKind::AddrInUse`] if every port is taken.
pub fn reserve() -> io::Result<u16> {
    let anywhere = RandomState::new().hash_one(std::process::id()) % u64::from(COUNT);
    let start = u16::try_from(anywhere).unwrap_or_default();
    for step in 0..COUNT {
        let port = FIRST + (start + step) % COUNT;
        if let Some(owned) = take(port) {
            RESERVED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(owned);
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!(
            "every port from {FIRST} to {} of 127.0.0.1 is taken: end what listens there",
            FIRST + COUNT - 1
        ),
    ))
}

/// The sign that a port is this process's, if nobody else's sign is there and nobody listens.
fn take(port: u16) -> Option<UdpSocket> {
    let owned = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    Some(owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_port_is_given_once_and_can_be_listened_on_again_and_again() {
        let ports: HashSet<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..50).map(|_| reserve().unwrap()).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(ports.len(), 400, "a port was given twice");
        for port in ports {
            assert!((FIRST..FIRST + COUNT).contains(&port));
            for _ in 0..2 {
                drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
            }
        }
    }

    #[test]
    fn a_port_that_is_reserved_or_listened_on_is_passed_over() {
        let port = reserve().unwrap();
        assert!(take(port).is_none(), "it belongs to who reserved it");

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(take(port).is_none(), "somebody listens there");
        drop(listener);
        assert!(take(port).is_some(), "a port that was passed over is left alone");
    }
}
