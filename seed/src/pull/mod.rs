//! A blob from its origin into pieces, beside the chain that proves them.
//!
//! Bytes are hashed as they come and handed on at once, long before the blob is whole: what goes out early is
//! provisional until the chain closes. Dropping a pull ends it; nothing of it remains but what the sink took.

use std::{fmt, io, ops::Range, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::Digest,
    geometry::{Geometry, GeometryError, PieceIndex},
    reference::ImageName,
};
use tokio::sync::mpsc;

use crate::origin::{OriginError, Origins};

mod backoff;
mod growth;
mod origin_body;
mod range;
mod source;

pub use range::RangePull;

use backoff::Backoff;
use origin_body::{OriginBody, Span};
use source::PieceSource;

/// What waits between the origin's connection and the hash, and again between the hash and the sink.
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// Where pulled pieces go.
pub trait PieceSink: Send + Sync {
    /// The pull begins. When this is called again, it begins anew, and every piece given before is void.
    fn started(&self, geometry: Geometry) -> BoxFuture<'_, Result<(), SinkError>>;

    /// Consecutive pieces, the first of which is `first`, and the chain grown over them: sign it and let both out.
    /// Called once every few milliseconds at most, so that small pieces don't cost a signature each.
    fn pieces<'a>(
        &'a self,
        first: PieceIndex,
        pieces: Vec<Bytes>,
        chain: &'a ChainBuilder,
    ) -> BoxFuture<'a, Result<(), SinkError>>;
}

/// Why a sink takes no more.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why a pull ended early.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The origin does not give the blob.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The sink takes no more.
    #[error("the pieces could not be kept: {0}; the pull ends")]
    Sink(#[source] SinkError),
    /// The blob can't be cut.
    #[error("the blob does not fit a piece chain: {0}")]
    Length(#[from] GeometryError),
    /// This node failed, not the origin.
    #[error("the blob could not be spooled or hashed here: {0}; the pull ends")]
    Local(#[from] io::Error),
    /// A piece was asked for that the chain can't prove yet.
    #[error("the chain of {digest} does not reach piece {piece} yet; ask again when it has grown")]
    BeyondChain {
        /// The blob.
        digest: Digest,
        /// The piece.
        piece: PieceIndex,
    },
}

/// How long a pull keeps trying.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PullConfig {
    /// Tries before the first byte: few, as a runtime could ask the origin itself in the meantime.
    pub opening_tries: u32,
    /// Tries in a row that bring no byte, once some have come.
    pub tries_without_progress: u32,
    /// Wait before the first retry; doubled for each further one.
    pub first_delay_ms: u64,
    /// Longest wait before a retry, also where the origin names a longer one.
    pub max_delay_ms: u64,
    /// How long small pieces are collected before they are handed on together.
    pub batch_delay_ms: u64,
}

impl Default for PullConfig {
    fn default() -> Self {
        Self {
            opening_tries: 3,
            // With the waits below, a link may be down for some 20 s.
            tries_without_progress: 9,
            first_delay_ms: 200,
            max_delay_ms: 4_000,
            batch_delay_ms: 4,
        }
    }
}

/// Pulls blobs from origins.
pub struct Puller {
    origins: Arc<Origins>,
    config: PullConfig,
    spool_dir: PathBuf,
}

impl Puller {
    /// A blob of unknown length passes through a nameless file in `spool_dir`, as its pieces depend on its length.
    pub fn new(origins: Arc<Origins>, config: PullConfig, spool_dir: PathBuf) -> Self {
        Self { origins, config, spool_dir }
    }

    /// Pulls the blob into `sink`, going on after the pieces whose links `from` knows. Returns the whole chain.
    ///
    /// When the bytes turn out not to have the digest, the pull begins anew, once: with another endpoint, without
    /// trusting `from`, or because nothing told the end of the blob from a connection that broke.
    ///
    /// # Errors
    /// When the origin gives no such blob, or the sink takes no more.
    pub async fn pull_blob(
        &self,
        image: &ImageName,
        digest: &Digest,
        from: Option<&Chain>,
        sink: &dyn PieceSink,
    ) -> Result<ChainBuilder, PullError> {
        let from = from.filter(|chain| chain.digest() == digest);
        let other_way = from.is_some() || self.origins.endpoint_count(image) > 1;
        let mut tried = Tried::default();
        let pulled = self.attempt(image, digest, from, &mut tried, sink).await;
        match pulled {
            Err(PullError::Origin(error @ OriginError::Corrupt(_))) => {
                self.origins.count_corrupt(image);
                if !other_way && !tried.end_is_a_guess {
                    return Err(error.into());
                }
                tracing::warn!(%image, %digest, %error, "the pull begins anew");
                self.attempt(image, digest, None, &mut tried, sink).await
            }
            pulled => pulled,
        }
    }

    /// Fills holes: pulls `pieces` alone, each checked against `chain` before it comes out.
    pub fn pull_range<'a>(
        &'a self,
        image: &'a ImageName,
        chain: &'a Chain,
        pieces: Range<PieceIndex>,
    ) -> RangePull<'a> {
        let geometry = chain.geometry();
        let end = geometry.range(pieces.end.max(1) - 1).end;
        let span = Span {
            start: geometry.range(pieces.start).start,
            end: Some(end),
            total: Some(geometry.blob_bytes()),
            avoid: None,
        };
        RangePull::new(PieceSource::new(self.body(image, chain.digest(), span)), chain, pieces)
    }

    /// One try with one idea of the blob. Avoids the endpoint in `tried`, and leaves there how this try went.
    async fn attempt(
        &self,
        image: &ImageName,
        digest: &Digest,
        from: Option<&Chain>,
        tried: &mut Tried,
        sink: &dyn PieceSink,
    ) -> Result<ChainBuilder, PullError> {
        let resumed = from.map(|chain| (chain.geometry(), ChainBuilder::resume(chain)));
        let start = resumed.as_ref().map_or(0, |(geometry, chain)| geometry.range(chain.next_piece()).start);
        let total = resumed.as_ref().map(|(geometry, _)| geometry.blob_bytes());
        let mut body = self.body(image, digest, Span { start, end: None, total, avoid: tried.endpoint });
        body.open().await?;
        let mut source = PieceSource::new(body);
        let total_bytes = source.known_length(&self.spool_dir).await?;
        tried.end_is_a_guess = source.is_spooled();
        let (geometry, chain) = match resumed {
            Some(resumed) => resumed,
            None => {
                let geometry = Geometry::for_blob(total_bytes)?;
                (geometry, ChainBuilder::new(*digest, geometry))
            }
        };
        sink.started(geometry).await.map_err(PullError::Sink)?;
        let grown = self.pump(&mut source, geometry, chain, sink).await;
        tried.endpoint = source.body().endpoint();
        grown.map_err(|error| match error {
            GrowthError::Pull(error) => error,
            GrowthError::Digest => source.body().corrupt("sent content that does not have the digest").into(),
        })
    }

    /// Moves pieces from `source` to `sink`. Reading goes on while the pieces before are hashed and stored.
    async fn pump(
        &self,
        source: &mut PieceSource<'_>,
        geometry: Geometry,
        chain: ChainBuilder,
        sink: &dyn PieceSink,
    ) -> Result<ChainBuilder, GrowthError> {
        let capacity = (BATCH_BYTES / geometry.piece_bytes() as usize).max(1);
        let (sender, receiver) = mpsc::channel(capacity);
        let pieces = chain.next_piece()..geometry.piece_count();
        let delay = Duration::from_millis(self.config.batch_delay_ms);
        let (cut, grown) =
            tokio::join!(source.cut(geometry, pieces, sender), growth::grow(chain, receiver, delay, sink));
        // What arrived before the source failed has been handed on by now.
        let grown = grown?;
        cut.map_err(GrowthError::Pull)?;
        Ok(grown)
    }

    fn body<'a>(&'a self, image: &'a ImageName, digest: &Digest, span: Span) -> OriginBody<'a> {
        OriginBody::new(&self.origins, image, *digest, span, Backoff::new(&self.config))
    }
}

impl fmt::Debug for Puller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Puller").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What is known after a try.
#[derive(Default)]
struct Tried {
    /// Which endpoint was asked last.
    endpoint: Option<usize>,
    /// The origin said no length: the end of its answer was taken for the end of the blob.
    end_is_a_guess: bool,
}

/// Why a chain stopped growing.
enum GrowthError {
    /// The content is not the blob.
    Digest,
    Pull(PullError),
}

impl From<io::Error> for GrowthError {
    fn from(error: io::Error) -> Self {
        Self::Pull(PullError::Local(error))
    }
}
