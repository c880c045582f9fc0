//! TCP ports on loopback that a test may hand to a program which has to know its port before it starts.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the range the kernel takes ports for outgoing connections from, so that a program which is killed and
/// started again finds its port still free.
const FIRST: u32 = 18_000;
const COUNT: u32 = 14_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An address on loopback that nothing listens on.
pub fn free_address() -> SocketAddr {
    for _ in 0..COUNT {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, next_port()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port on loopback from {FIRST} to {}", FIRST + COUNT)
}

/// Starts at a place that differs between processes: several test binaries may run at a time.
fn next_port() -> u16 {
    let step = NEXT.fetch_add(1, Ordering::Relaxed);
    let start = std::process::id().wrapping_mul(97);
    u16::try_from(FIRST + start.wrapping_add(step) % COUNT).expect("the range ends below 65536")
}
