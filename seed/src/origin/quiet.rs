//! Leaving an origin alone for as long as it asked.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header::RETRY_AFTER};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use tokio::time::Instant;

use super::error::OriginError;

/// Longest that one answer may silence an endpoint: a mistaken date must not shut it for a day.
const MAX_QUIET: Duration = Duration::from_secs(300);

/// Something that is left alone until a moment.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    until: Mutex<Option<Instant>>,
}

impl Quiet {
    /// How long it is still to be left alone.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            *until = None;
        }
        left.filter(|left| !left.is_zero())
    }

    pub(super) fn keep_for(&self, duration: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(Instant::now() + duration));
    }

    /// Keeps quiet for as long as `error` asks for it.
    pub(super) fn heed(&self, error: &OriginError) {
        if let Some(wait) = error.retry_after() {
            self.keep_for(wait);
        }
    }
}

/// The header `Retry-After`: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = text.parse().map(Duration::from_secs).ok().or_else(|| until_date(text, now))?;
    Some(wait.min(MAX_QUIET))
}

fn until_date(text: &str, now: SystemTime) -> Option<Duration> {
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait = date.duration_since(Timestamp::try_from(now).ok()?);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a header"))]);
        retry_after(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn both_forms_are_read_and_bounded() {
        assert_eq!(parsed("17"), Some(Duration::from_secs(17)));
        assert_eq!(parsed("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(parsed("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parsed("86400"), Some(MAX_QUIET));
        assert_eq!(parsed("-1"), None);
        assert_eq!(parsed("soon"), None);
    }

    #[test]
    fn the_longest_wish_for_quiet_counts() {
        let quiet = Quiet::default();
        assert_eq!(quiet.remaining(), None);
        quiet.keep_for(Duration::ZERO);
        assert_eq!(quiet.remaining(), None, "quiet ends");
        quiet.keep_for(Duration::from_secs(3600));
        quiet.keep_for(Duration::from_secs(1));
        assert!(quiet.remaining() > Some(Duration::from_secs(3000)));
    }
}
