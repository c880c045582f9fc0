//! How much of what was sent on a lane may still be in its socket.
//!
//! By itself the kernel takes more than the link has room for, a whole piece in many cases. A piece would count as sent
//! long before it arrives, its receiver would be offered the next one and decline it, and more pieces would share the
//! link than were agreed on. So a socket takes what leaves within [`HORIZON`], at the rate of the pieces before.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Long enough for a busy sender to come back in time, short enough to be little of a piece's time on a slow link.
const HORIZON: Duration = Duration::from_millis(10);
/// Less would wake the sender for each packet.
const MIN_BYTES: u64 = 32 * 1024;
/// More than any socket buffer: no limit.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The limit that a lane's socket has.
#[derive(Debug)]
pub(super) struct Backlog {
    limit_bytes: u32,
}

impl Backlog {
    /// That of a new connection, whose link is not known yet: the least.
    pub(super) fn of_new(stream: &TcpStream) -> Self {
        let limit_bytes = limit_bytes(0, HORIZON);
        set(stream, limit_bytes);
        Self { limit_bytes }
    }

    /// Adjusts the limit after `sent_bytes` `took` so long to be taken by the socket.
    pub(super) fn adjust(&mut self, stream: &TcpStream, sent_bytes: u32, took: Duration) {
        let limit_bytes = limit_bytes(sent_bytes, took);
        if limit_bytes != self.limit_bytes {
            set(stream, limit_bytes);
            self.limit_bytes = limit_bytes;
        }
    }
}

/// What leaves within the horizon, as a power of two, so that it changes seldom.
fn limit_bytes(sent_bytes: u32, took: Duration) -> u32 {
    let leaving = f64::from(sent_bytes) * HORIZON.as_secs_f64() / took.as_secs_f64().max(f64::EPSILON);
    let bounded = (leaving as u64).clamp(MIN_BYTES, MAX_BYTES).next_power_of_two();
    u32::try_from(bounded).unwrap_or(u32::MAX)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set(stream: &TcpStream, limit_bytes: u32) {
    if let Err(error) = SockRef::from(stream).set_tcp_notsent_lowat(limit_bytes) {
        tracing::debug!(%error, "a lane's socket takes more than leaves soon");
    }
}

/// Elsewhere a socket takes what it likes, and pieces count as sent early.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set(_stream: &TcpStream, _limit_bytes: u32) {}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PIECE_BYTES: u32 = 256 * 1024;

    #[test]
    fn the_limit_is_what_leaves_within_the_horizon() {
        let in_ms = |ms| limit_bytes(PIECE_BYTES, Duration::from_millis(ms));
        // A twelfth of 100 Mbit/s, of 1 Gbit/s, of 10 Gbit/s.
        assert_eq!((in_ms(250), in_ms(25), in_ms(3)), (32 * 1024, 128 * 1024, 1024 * 1024));
        assert_eq!(limit_bytes(PIECE_BYTES, Duration::ZERO), MAX_BYTES as u32);
        assert_eq!(limit_bytes(0, Duration::ZERO), MIN_BYTES as u32);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_socket_has_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let limit = || SockRef::from(&stream).tcp_notsent_lowat().unwrap();
        let mut backlog = Backlog::of_new(&stream);
        assert_eq!(limit(), 32 * 1024);
        backlog.adjust(&stream, PIECE_BYTES, Duration::from_millis(3));
        assert_eq!(limit(), 1024 * 1024);
        backlog.adjust(&stream, PIECE_BYTES, Duration::from_secs(1));
        assert_eq!(limit(), 32 * 1024);
    }
}
