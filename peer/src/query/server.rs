//! The answering side.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use shoal_protocol::{
    bounds::MAX_QUERY_FRAME_BYTES,
    identity::NodeId,
    wire::{Answer, Query, Refusal},
};
use tokio::sync::Semaphore;

use crate::{framed, swarm::BoxStream};

/// Queries answered at a time. Most take no time; those that go to the origin have their own bound there.
const MAX_QUERIES: usize = 1024;
/// A query that is not read, answered and taken by then is dropped.
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);

/// What queries are answered from.
pub trait Answers: Send + Sync + 'static {
    /// The answer to a member's query.
    fn answer(&self, from: NodeId, query: Query) -> BoxFuture<'_, Answer>;
}

/// Answers queries, each in a task of its own.
#[derive(Clone)]
pub struct QueryServer {
    answers: Arc<dyn Answers>,
    places: Arc<Semaphore>,
}

impl QueryServer {
    /// Answers from `answers`.
    pub fn new(answers: Arc<dyn Answers>) -> Self {
        Self { answers, places: Arc::new(Semaphore::new(MAX_QUERIES)) }
    }

    /// Takes a stream on which a member asks. With too many under way, it says so instead of an answer.
    pub fn serve(&self, from: NodeId, mut stream: BoxStream) {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let answers = Arc::clone(&self.answers);
        tokio::spawn(async move {
            let served = async {
                let answer = match framed::read_message(&mut stream, MAX_QUERY_FRAME_BYTES).await {
                    Err(error) => {
                        tracing::debug!(%from, %error, "a query can't be read");
                        Answer::Refused(Refusal::Malformed)
                    }
                    Ok(_) if place.is_err() => Answer::Refused(Refusal::Busy),
                    Ok(query) => answers.answer(from, query).await,
                };
                framed::write_message(&mut stream, &answer).await
            };
            match tokio::time::timeout(QUERY_TIMEOUT, served).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%from, %error, "an answer was not taken"),
                Err(_) => tracing::debug!(%from, "a query was not answered in time"),
            }
        });
    }
}
