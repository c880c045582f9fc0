//! The receiving side of a copy, a process of its own.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use shoal_peer::lane::{LaneListener, Verifier};
use shoal_protocol::{chain::Chain, digest::Digest};
use tokio::task::{JoinSet, spawn_blocking};

use super::{LOCALHOST, bare, content, cpu::CpuTime, other_side::say, way::Way};
use crate::cli::Failure;

/// What the receiving side is told.
#[derive(Debug, clap::Args)]
pub(super) struct ReceiveArgs {
    #[arg(long)]
    way: Way,
    /// File with the chain to verify by
    #[arg(long, requires = "digest")]
    chain: Option<PathBuf>,
    /// Digest of the blob whose chain that is
    #[arg(long)]
    digest: Option<Digest>,
}

/// What it says at the beginning.
#[derive(Serialize, Deserialize)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
}

/// What it says at the end.
#[derive(Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) good_pieces: u32,
    pub(super) cpu_s: f64,
}

/// Listens, receives one copy, says what came.
pub(super) async fn receive(args: ReceiveArgs) -> Result<(), Failure> {
    let (bytes, good_pieces) = match args.way {
        Way::Tls => {
            let listener = tokio::net::TcpListener::bind(LOCALHOST).await?;
            say(&Listening { address: listener.local_addr()? })?;
            (bare::receive_tls(&listener, &args.way.credentials(2)?).await?, 0)
        }
        Way::Tcp | Way::Sendfile => {
            let listener = std::net::TcpListener::bind(LOCALHOST)?;
            say(&Listening { address: listener.local_addr()? })?;
            (spawn_blocking(move || bare::receive_tcp(&listener)).await??, 0)
        }
        Way::Lane | Way::Plaintext => receive_lane(args.way, None).await?,
        Way::Verified => receive_lane(args.way, Some(args.chain()?)).await?,
    };
    say(&Received { bytes, good_pieces, cpu_s: CpuTime::own().total_s() })
}

impl ReceiveArgs {
    fn chain(&self) -> Result<Chain, Failure> {
        let (Some(chain), Some(digest)) = (&self.chain, self.digest) else {
            return Err("nothing to verify the pieces by: --chain is missing".into());
        };
        content::decode(digest, &std::fs::read(chain)?)
    }
}

async fn receive_lane(way: Way, chain: Option<Chain>) -> Result<(u64, u32), Failure> {
    let mut listener = LaneListener::bind(LOCALHOST, way.credentials(2)?).await?;
    say(&Listening { address: listener.address() })?;
    let (_, mut lane) = listener.accept().await.ok_or("no lane came")?;
    let verifier = Verifier::default();
    let (mut bytes, mut verifying) = (0, JoinSet::new());
    while let Some((header, piece)) = lane.next().await? {
        bytes += piece.len() as u64;
        let Some(chain) = &chain else { continue };
        let check = chain.check(header.piece).ok_or("an unknown piece")?;
        let (place, verifier) = (verifier.place().await, verifier.clone());
        verifying.spawn(async move { verifier.verify(place, check, piece, |good, _| good).await });
    }
    let good = verifying.join_all().await.into_iter().filter(|verdict| *verdict == Some(true));
    Ok((bytes, u32::try_from(good.count())?))
}
