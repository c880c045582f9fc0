//! Verifies pieces on a bounded number of threads, two at once where two wait.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use shoal_protocol::chain::PieceCheck;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_blocking,
};

use crate::buffers::Buffer;

/// Verifies pieces. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
    /// Bounds the pieces that are being verified or wait for it.
    places: Arc<Semaphore>,
}

/// The right to have one piece verified.
pub struct VerifierPlace {
    _permit: OwnedSemaphorePermit,
}

struct Shared {
    max_workers: usize,
    /// A std mutex: held for one look, never while hashing.
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    workers: usize,
}

/// What is done with a piece: whether it is good, and its bytes.
type Then = Box<dyn FnOnce(bool, &[u8]) + Send>;

struct Job {
    check: PieceCheck,
    bytes: Buffer,
    then: Then,
}

impl Default for Verifier {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self::new(cores)
    }
}

impl Verifier {
    /// Verifies on up to `max_workers` threads at a time.
    fn new(max_workers: usize) -> Self {
        // Two for each thread, so that none is ever idle, and each can take two at once.
        let places = Arc::new(Semaphore::new(max_workers * 2));
        Self { shared: Arc::new(Shared { max_workers, queue: Mutex::default() }), places }
    }

    /// Waits until there are few enough pieces.
    pub async fn place(&self) -> VerifierPlace {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(permit) => VerifierPlace { _permit: permit },
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Verifies a piece, and does with it what `then` says, on a thread of its own; `None` when that panicked.
    pub async fn verify<T: Send + 'static>(
        &self,
        place: VerifierPlace,
        check: PieceCheck,
        bytes: Buffer,
        then: impl FnOnce(bool, &[u8]) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, outcome) = oneshot::channel();
        let then = move |good: bool, bytes: &[u8]| {
            // An error means that nobody wants to know any more.
            let _ = reply.send(then(good, bytes));
        };
        if self.shared.enqueue(Job { check, bytes, then: Box::new(then) }) {
            let shared = Arc::clone(&self.shared);
            spawn_blocking(move || Worker { shared, is_counted: true }.run());
        }
        let outcome = outcome.await.ok();
        drop(place);
        outcome
    }
}

impl Shared {
    /// True when it takes one more worker.
    fn enqueue(&self, job: Job) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push_back(job);
        let is_short = queue.workers < self.max_workers;
        queue.workers += usize::from(is_short);
        is_short
    }

    /// What waits; with nothing, one worker less is counted, before anything can be put in again.
    fn next(&self) -> Option<(Job, Option<Job>)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = queue.waiting.pop_front() else {
            queue.workers -= 1;
            return None;
        };
        Some((first, queue.waiting.pop_front()))
    }
}

/// A thread that verifies for as long as something waits.
struct Worker {
    shared: Arc<Shared>,
    is_counted: bool,
}

impl Worker {
    fn run(mut self) {
        while let Some(jobs) = self.shared.next() {
            match jobs {
                (job, None) => {
                    let good = job.check.verify(&job.bytes);
                    (job.then)(good, &job.bytes);
                }
                (one, Some(other)) => {
                    let pair = [(&one.check, &*one.bytes), (&other.check, &*other.bytes)];
                    let [one_good, other_good] = PieceCheck::verify_both(pair);
                    (one.then)(one_good, &one.bytes);
                    (other.then)(other_good, &other.bytes);
                }
            }
        }
        self.is_counted = false;
    }
}

impl Drop for Worker {
    /// Of one that panicked: the next piece begins another.
    fn drop(&mut self) {
        if self.is_counted {
            self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).workers -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BufMut;
    use futures::future::join_all;
    use shoal_protocol::{
        chain::{Chain, ChainBuilder},
        digest::{Algorithm, Digest},
        geometry::Geometry,
        identity::NodeKey,
    };
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::buffers::Buffers;

    const PIECE_BYTES: u32 = 64 * 1024;

    fn content(piece: u32) -> Vec<u8> {
        vec![piece as u8; PIECE_BYTES as usize]
    }

    fn chain(pieces: u32) -> Chain {
        let blob: Vec<u8> = (0..pieces).flat_map(content).collect();
        let geometry = Geometry::new(blob.len() as u64, PIECE_BYTES).unwrap();
        let mut builder = ChainBuilder::new(Digest::of(Algorithm::Sha256, &blob), geometry);
        (0..pieces).for_each(|piece| builder.push(&content(piece)).unwrap());
        builder.sign(&NodeKey::from_secret([1; 32]), None)
    }

    fn buffer(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffers::default().take();
        buffer.room(bytes.len()).put_slice(bytes);
        buffer
    }

    #[tokio::test]
    async fn each_of_many_pieces_gets_its_own_verdict() {
        const PIECES: u32 = 40;
        let chain = chain(PIECES);
        let verifier = Verifier::new(2);
        let verdicts = (0..PIECES).map(|piece| {
            let (verifier, check) = (verifier.clone(), chain.check(piece).unwrap());
            // Each third one is another piece's content.
            let sent = content(if piece % 3 == 0 { piece + 1 } else { piece });
            async move {
                let place = verifier.place().await;
                verifier.verify(place, check, buffer(&sent), |good, bytes| (good, bytes[0])).await
            }
        });
        for (piece, verdict) in join_all(verdicts).await.into_iter().enumerate() {
            let is_lie = piece % 3 == 0;
            assert_eq!(verdict, Some((!is_lie, piece as u8 + u8::from(is_lie))), "piece {piece}");
        }
        // The last verdict comes a moment before its worker looks for more and ends.
        let all_end = async {
            while verifier.shared.queue.lock().unwrap().workers > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(60), all_end).await.unwrap();
    }

    #[tokio::test]
    async fn no_more_pieces_are_taken_than_there_are_places() {
        let verifier = Verifier::new(1);
        let _taken = (verifier.place().await, verifier.place().await);
        assert!(futures::poll!(std::pin::pin!(verifier.place())).is_pending());
    }
}
