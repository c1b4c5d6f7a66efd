//! The choice of a free port on the loopback interface.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    net::{Ipv4Addr, TcpListener},
};

use super::ServiceError;

/// First port that is considered, and how many follow it.
///
/// They end below the range from which kernels take the ports of outgoing connections. A client that keeps
/// calling a dead server can then neither be given the server's port nor, by bad luck, connect to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;
const ATTEMPTS: usize = 64;

/// A TCP port of 127.0.0.1 on which nobody listens at the moment.
///
/// It is not reserved: between this answer and its use somebody else may take it.
///
/// # Errors
/// [`ServiceError::Io`] when the operating system gives no port at all.
pub fn free_port() -> Result<u16, ServiceError> {
    for _ in 0..ATTEMPTS {
        let port = FIRST + random_below(COUNT);
        if is_free(port) {
            return Ok(port);
        }
    }
    let any =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ServiceError::io("bind a loopback port"))?;
    Ok(any.local_addr().map_err(ServiceError::io("read the address of a socket"))?.port())
}

/// Whether a server could listen on this loopback port now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn random_below(bound: u16) -> u16 {
    // The standard library seeds each `RandomState` differently, which is all the randomness needed here.
    let random = RandomState::new().build_hasher().finish() % u64::from(bound);
    u16::try_from(random).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port().unwrap();
        assert!((FIRST..FIRST + COUNT).contains(&port));
    }
}
