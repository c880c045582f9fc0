//! On seeds: a blob from the origin into pieces that are stored, signed for and let out at once.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::Digest,
    geometry::{Geometry, PieceIndex},
    reference::ImageName,
    wire::CloseReason,
};
use shoal_seed::{
    origin::OriginError,
    pull::{PieceSink, PullError, SinkError},
};
use tokio::{
    sync::{Mutex, mpsc},
    task::spawn_blocking,
};

use super::{ProgressReceiver, SeedParts, Shared, event::Event};
use crate::store::PartialBlob;

/// What a pull is for.
pub(super) struct Pull {
    pub(super) shared: Arc<Shared>,
    pub(super) seed: SeedParts,
    pub(super) digest: Digest,
    pub(super) image: ImageName,
    /// The chain known before; the pull goes on where it ends.
    pub(super) chain: Option<Chain>,
    pub(super) progress: ProgressReceiver,
    pub(super) events: mpsc::Sender<Event>,
}

impl Pull {
    /// Pulls from where the chain ends to the end of the blob.
    pub(super) async fn blob(self) {
        let (digest, image, events) = (self.digest, self.image.clone(), self.events.clone());
        tracing::info!(%digest, %image, "pulling from the origin");
        let seed = self.seed.clone();
        let known = self.chain.clone();
        let sink = Sink { pull: self, state: Mutex::default() };
        let result = seed.puller.pull_blob(&image, &digest, known.as_ref(), &sink).await;
        report(&events, digest, &image, result.map(|_| ())).await;
    }

    /// Pulls single pieces that nobody has any more.
    pub(super) async fn pieces(self, pieces: Vec<PieceIndex>) {
        let (digest, image, events) = (self.digest, self.image.clone(), self.events.clone());
        tracing::info!(%digest, %image, pieces = pieces.len(), "pulling lost pieces from the origin");
        let result = self.pull_runs(&pieces).await;
        report(&events, digest, &image, result).await;
    }

    async fn pull_runs(&self, pieces: &[PieceIndex]) -> Result<(), PullError> {
        let Some(chain) = &self.chain else { return Ok(()) };
        let partial = partial(self.progress.clone()).await.map_err(PullError::Sink)?;
        for run in pieces.chunk_by(|one, next| one + 1 == *next) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let mut pull = self.seed.puller.pull_range(&self.image, chain, *first..*last + 1);
            while let Some((piece, bytes)) = pull.next().await? {
                let len_bytes = bytes.len() as u64;
                store(partial.clone(), piece, vec![bytes]).await.map_err(PullError::Sink)?;
                let (digest, chain) = (self.digest, chain.clone());
                // An error means that the exchange has stopped.
                let _ =
                    self.events.send(Event::Authored { digest, chain, pieces: vec![piece], len_bytes }).await;
            }
        }
        Ok(())
    }
}

async fn report(
    events: &mpsc::Sender<Event>,
    digest: Digest,
    image: &ImageName,
    result: Result<(), PullError>,
) {
    let result = result.map_err(|error| {
        tracing::warn!(%digest, %image, %error, "the pull from the origin ended early");
        reason(&error)
    });
    // An error means that the exchange has stopped.
    let _ = events.send(Event::PullEnded { digest, result }).await;
}

/// What others are told.
fn reason(error: &PullError) -> CloseReason {
    match error {
        PullError::Origin(OriginError::NotFound(_)) => CloseReason::NotFound,
        PullError::Origin(
            OriginError::Denied(_) | OriginError::Unlisted { .. } | OriginError::Refused(_),
        ) => CloseReason::Denied,
        // What was signed so far is not the blob.
        PullError::Origin(OriginError::Corrupt(_)) => CloseReason::BadChain,
        PullError::Sink(error) if error.is::<BeganAnew>() => CloseReason::BadChain,
        _ => CloseReason::OriginFailed,
    }
}

/// The puller wants to begin anew, because what came so far is not the blob. Pieces of it are with others already.
#[derive(Debug, thiserror::Error)]
#[error("the origin sent wrong bytes, and pieces of them are in use; the next request begins anew")]
struct BeganAnew;

/// Keeps the pieces of a pull.
struct Sink {
    pull: Pull,
    /// Set when the pull has begun.
    state: Mutex<Option<PartialBlob>>,
}

impl PieceSink for Sink {
    fn started(&self, geometry: Geometry) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            if state.is_some() {
                return Err(BeganAnew.into());
            }
            let known = self.pull.chain.as_ref().map(ChainBuilder::resume);
            let builder = known.unwrap_or_else(|| ChainBuilder::new(self.pull.digest, geometry));
            self.tell(&builder, Vec::new(), 0).await;
            *state = Some(partial(self.pull.progress.clone()).await?);
            Ok(())
        })
    }

    fn pieces<'a>(
        &'a self,
        first: PieceIndex,
        pieces: Vec<Bytes>,
        chain: &'a ChainBuilder,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(async move {
            let partial = self.state.lock().await.clone().ok_or("the pull has not begun")?;
            let len_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
            let indices = (first..).take(pieces.len()).collect();
            store(partial, first, pieces).await?;
            self.tell(chain, indices, len_bytes).await;
            Ok(())
        })
    }
}

impl Sink {
    async fn tell(&self, builder: &ChainBuilder, pieces: Vec<PieceIndex>, len_bytes: u64) {
        let digest = self.pull.digest;
        let chain = builder.sign(self.pull.shared.key(), Some(self.pull.seed.token.clone()));
        // An error means that the exchange has stopped.
        let _ = self.pull.events.send(Event::Authored { digest, chain, pieces, len_bytes }).await;
    }
}

/// Waits until there is room for the pieces.
async fn partial(mut progress: ProgressReceiver) -> Result<PartialBlob, SinkError> {
    let state = progress.wait_for(|state| state.partial.is_some() || state.end.is_some()).await?;
    state.partial.clone().ok_or_else(|| "the fetch ended before".into())
}

async fn store(partial: PartialBlob, first: PieceIndex, pieces: Vec<Bytes>) -> Result<(), SinkError> {
    let stored = spawn_blocking(move || {
        (first..).zip(&pieces).try_for_each(|(index, piece)| partial.write_piece(index, piece))
    });
    Ok(stored.await??)
}
