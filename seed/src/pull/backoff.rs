//! When to try again, and when no more.

use std::time::Duration;

use super::PullConfig;
use crate::origin::OriginError;

/// Counts the tries that brought nothing.
#[derive(Debug)]
pub(super) struct Backoff {
    config: PullConfig,
    fruitless: u32,
    ever_progressed: bool,
    random: fastrand::Rng,
}

impl Backoff {
    pub(super) fn new(config: &PullConfig) -> Self {
        // Without randomness the waits are merely the same as another seed's.
        let random = fastrand::Rng::with_seed(getrandom::u64().unwrap_or_default());
        Self { config: config.clone(), fruitless: 0, ever_progressed: false, random }
    }

    pub(super) fn progressed(&mut self) {
        self.fruitless = 0;
        self.ever_progressed = true;
    }

    /// How long to wait before trying again, or `None` to give up with `error`.
    pub(super) fn after(&mut self, error: &OriginError) -> Option<Duration> {
        self.fruitless += 1;
        let most =
            if self.ever_progressed { self.config.tries_without_progress } else { self.config.opening_tries };
        if !error.is_temporary() || self.fruitless >= most {
            return None;
        }
        let max = Duration::from_millis(self.config.max_delay_ms);
        let told = error.retry_after().unwrap_or_default();
        // Trying sooner than told would be refused again, and waiting longer than this helps nobody.
        (told <= max).then(|| self.delay().clamp(told, max.max(told)))
    }

    /// Between half and the whole of a wait that doubles, so that seeds don't come back all at once.
    fn delay(&mut self) -> Duration {
        let doubled = self.config.first_delay_ms.saturating_mul(1 << (self.fruitless - 1).min(16));
        let whole = doubled.min(self.config.max_delay_ms);
        Duration::from_millis(self.random.u64(whole / 2..=whole))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::origin::{PublicUrl, Trouble};

    fn error(retry_after_s: Option<u64>) -> OriginError {
        let url = PublicUrl::from(&Url::parse("https://r.example/").expect("valid"));
        let trouble = Trouble { url, what: "answered 503".to_owned() };
        OriginError::Unavailable { trouble, retry_after: retry_after_s.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_and_end() {
        let config = PullConfig::default();
        let mut backoff = Backoff::new(&config);
        assert_eq!(std::iter::from_fn(|| backoff.after(&error(None))).count(), 2);
        backoff.progressed();
        let waits: Vec<_> = std::iter::from_fn(|| backoff.after(&error(None))).collect();
        assert_eq!(waits.len(), config.tries_without_progress as usize - 1);
        assert!(waits[0] <= Duration::from_millis(200) && waits[7] >= Duration::from_secs(2));
        assert!(
            waits.iter().sum::<Duration>() >= Duration::from_secs(10),
            "outlasts a 10 s outage: {waits:?}"
        );
    }

    #[test]
    fn retry_after_is_honoured_or_not_waited_for() {
        let mut backoff = Backoff::new(&PullConfig::default());
        assert_eq!(backoff.after(&error(Some(3))), Some(Duration::from_secs(3)));
        assert_eq!(backoff.after(&error(Some(60))), None);
    }
}
