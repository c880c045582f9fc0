//! Timestamps.

use std::time::Duration;

use shoal_protocol::time::Timestamp;

#[test]
fn time_adds_up_and_never_overflows() {
    let second = Timestamp::ZERO + Duration::from_secs(1);
    assert_eq!(second.as_micros(), 1_000_000);
    assert_eq!(second - Timestamp::from_micros(250_000), Duration::from_millis(750));
    assert_eq!(Timestamp::ZERO.since(second), Duration::ZERO);
    assert_eq!(second + Duration::MAX, Timestamp::from_micros(u64::MAX));
}
