//! The endpoints of a registry: in which order they are asked, and which are left alone.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use reqwest::Client;
use tokio::time::{Instant, timeout};

use super::{error::OriginError, health::Health, quiet::Quiet};
use crate::config::{Endpoint, RegistryLimits};

/// All endpoints, the preferred one first.
pub(super) struct Endpoints {
    label: String,
    all: Vec<Reached>,
}

/// An endpoint, and how it has been doing.
pub(super) struct Reached {
    pub(super) endpoint: Endpoint,
    /// Its host and port.
    pub(super) authority: String,
    /// It wanted fewer requests: not asked.
    pub(super) quiet: Quiet,
    /// It failed: asked after the others.
    health: Arc<Health>,
}

impl Endpoints {
    pub(super) fn new(endpoints: Vec<Endpoint>, limits: &RegistryLimits, label: String) -> Self {
        let reached = |endpoint: Endpoint| Reached {
            authority: endpoint.authority(),
            endpoint,
            quiet: Quiet::default(),
            health: Arc::new(Health::new(limits.first_rest())),
        };
        Self { label, all: endpoints.into_iter().map(reached).collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, index: usize) -> &Reached {
        &self.all[index]
    }

    /// The endpoints as they are to be asked: those that rest after the others, and `avoid` last. One whose rest is
    /// over is tried in the background meanwhile.
    pub(super) fn order(&self, avoid: Option<usize>, client: &Client, patience: Duration) -> Vec<usize> {
        if self.all.len() > 1 {
            let now = Instant::now();
            self.all.iter().filter(|one| one.health.begin_trial(now)).for_each(|one| {
                self.try_out(one, client.clone(), patience);
            });
        }
        let mut order: Vec<_> = (0..self.all.len()).collect();
        order.sort_by_key(|index| (Some(*index) == avoid, self.all[*index].health.is_resting()));
        order
    }

    /// Remembers how it went with an endpoint: `None` when it answered.
    pub(super) fn note(&self, index: usize, error: Option<&OriginError>) {
        let Reached { endpoint, health, .. } = &self.all[index];
        match error {
            // Left alone for as long as it said, and well apart from that; or it was not asked at all.
            Some(OriginError::TooManyRequests { retry_after: Some(_), .. }) => {}
            Some(error) if error.is_temporary() => {
                if let Some(rest) = health.failed(Instant::now()).filter(|_| self.all.len() > 1) {
                    tracing::warn!(
                        registry = self.label, %endpoint, %error, ?rest,
                        "an endpoint failed; the others are asked first meanwhile"
                    );
                }
            }
            _ => health.was_well(),
        }
    }

    fn try_out(&self, reached: &Reached, client: Client, patience: Duration) {
        let (health, endpoint) = (Arc::clone(&reached.health), reached.endpoint.clone());
        let label = self.label.clone();
        tokio::spawn(async move {
            let answer = timeout(patience, client.get(endpoint.ping_url()).send()).await;
            // 401 is the usual answer to somebody without a login.
            let is_well = matches!(&answer, Ok(Ok(answer)) if is_answer(answer.status()));
            health.tried(is_well, Instant::now());
            if is_well {
                tracing::info!(registry = label, %endpoint, "an endpoint that had failed answers again");
            }
        });
    }
}

fn is_answer(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}
