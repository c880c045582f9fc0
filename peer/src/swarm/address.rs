//! Socket addresses in libp2p's words.

use std::net::{IpAddr, SocketAddr};

use libp2p::{Multiaddr, multiaddr::Protocol};

/// `address` as libp2p writes it.
pub(super) fn to_multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// The TCP address that `multiaddr` begins with.
pub(super) fn from_multiaddr(multiaddr: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = multiaddr.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// True for what another node could use. Link-local IPv6 addresses lose the interface that gives them a meaning.
pub(super) fn is_dialable(address: &SocketAddr) -> bool {
    let usable = match address.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
    };
    usable && address.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_way_there_and_back() {
        for text in ["127.0.0.1:5021", "[::1]:1", "[2001:db8::7]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_multiaddr(&to_multiaddr(address)), Some(address));
        }
    }

    #[test]
    fn what_is_no_tcp_address_is_none() {
        for text in ["/ip4/1.2.3.4/udp/5", "/dns4/example.com/tcp/1", "/ip4/1.2.3.4"] {
            assert_eq!(from_multiaddr(&text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn wildcard_and_link_local_addresses_are_of_no_use_to_others() {
        for text in ["0.0.0.0:1", "[::]:1", "[fe80::1]:5021", "10.0.0.1:0", "224.0.0.1:9"] {
            assert!(!is_dialable(&text.parse().unwrap()), "{text}");
        }
    }
}
