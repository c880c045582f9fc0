//! Pieces on their way: sent from the store, received, and verified off the reactor.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use shoal_protocol::{
    exchange::{Fault, PieceOutcome, Refused},
    identity::NodeId,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Shared,
    event::{Event, Expected, ReceivedPiece, UploadJob},
};
use crate::{
    lane::{LaneError, LaneReceiver, LaneSender, Verifier, VerifierPlace},
    metrics::{Counted, Direction},
};

/// Pieces that may wait for one neighbour; there are never more upload slots than that.
pub(super) const MAX_JOBS: usize = 32;
/// A lane that nothing was sent on for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// How often the exchange is told that bytes of a piece still come.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// A lane to a neighbour, counted for as long as it is open.
struct OpenLane {
    sender: LaneSender,
    _counted: Counted,
}

/// Sends pieces to one neighbour, one after the other, on a lane that is opened when it is needed.
pub(super) async fn upload(
    shared: Arc<Shared>,
    to: NodeId,
    mut jobs: mpsc::Receiver<UploadJob>,
    events: mpsc::Sender<Event>,
) {
    let mut lane = None;
    loop {
        let Ok(job) = timeout(IDLE, jobs.recv()).await else {
            lane = None;
            continue;
        };
        let Some(job) = job else { break };
        let (digest, piece) = (job.digest, job.header.piece);
        let sent = match send(&shared, to, &mut lane, &job).await {
            Ok(sent) => sent,
            Err(reason) => {
                tracing::debug!(%to, %digest, piece, reason, "a piece was not sent");
                lane = None;
                false
            }
        };
        if events.send(Event::Uploaded { to, digest, piece, sent }).await.is_err() {
            break;
        }
    }
}

async fn send(
    shared: &Shared,
    to: NodeId,
    lane: &mut Option<OpenLane>,
    job: &UploadJob,
) -> Result<bool, String> {
    if job.cancelled.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let open = match lane {
        Some(open) => open,
        None => {
            let addresses = shared.inventory.lane_addresses(&to);
            let opened = LaneSender::open(&shared.credentials, &shared.swarm, to, &addresses).await;
            let sender = opened.map_err(|error| error.to_string())?;
            lane.insert(OpenLane { sender, _counted: shared.metrics.lane(Direction::Out) })
        }
    };
    open.sender.send(job.header, &job.file, job.offset).await.map_err(|error| error.to_string())?;
    Ok(true)
}

/// Receives the pieces of one lane until it ends.
pub(super) async fn receive(shared: Arc<Shared>, mut lane: LaneReceiver, events: mpsc::Sender<Event>) {
    let from = lane.node();
    let _counted = shared.metrics.lane(Direction::In);
    let progress = lane.progress();
    let watch = async {
        let mut ticks = interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen_bytes = 0;
        loop {
            ticks.tick().await;
            let total_bytes = progress.total_bytes();
            if total_bytes != seen_bytes && events.send(Event::LaneProgress { from }).await.is_err() {
                break;
            }
            seen_bytes = total_bytes;
        }
    };
    let result = tokio::select! {
        result = receive_all(&shared, from, &mut lane, &events) => result,
        () = watch => Ok(()),
    };
    if let Err(error) = result {
        tracing::debug!(%from, %error, "its lane broke");
        if let LaneError::Malformed(_) = error {
            // An error means that the exchange has stopped.
            let _ = events.send(Event::Fault { node: from, fault: Fault::Malformed }).await;
        }
    }
}

async fn receive_all(
    shared: &Arc<Shared>,
    from: NodeId,
    lane: &mut LaneReceiver,
    events: &mpsc::Sender<Event>,
) -> Result<(), LaneError> {
    while let Some((header, bytes)) = lane.next().await? {
        let (reply, verdict) = oneshot::channel();
        let asked = events.send(Event::PieceArrived { from, header, reply }).await;
        let (Ok(()), Ok(verdict)) = (asked, verdict.await) else { return Ok(()) };
        match verdict {
            Ok(expected) => {
                let piece = ReceivedPiece { from, piece: header.piece, bytes, expected };
                verify_later(shared, piece, events).await;
            }
            // What follows can't be told from a header any more.
            Err(Refused::Length) => return Ok(()),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Verifies a piece on a thread of its own, once fewer than the bound are being verified.
async fn verify_later(shared: &Arc<Shared>, piece: ReceivedPiece, events: &mpsc::Sender<Event>) {
    let place = shared.verifier.place().await;
    let (shared, events) = (Arc::clone(shared), events.clone());
    tokio::spawn(async move {
        let (from, index, len_bytes) = (piece.from, piece.piece, piece.bytes.len() as u64);
        let digest = piece.expected.arrival.digest;
        let outcome = verify_and_store(&shared.verifier, place, piece).await;
        if outcome == PieceOutcome::Corrupt {
            tracing::warn!(%from, %digest, piece = index, "sent a piece that does not fit the chain");
            shared.metrics.verification_failed();
        }
        // An error means that the exchange has stopped.
        let _ = events.send(Event::PieceDone { from, digest, piece: index, len_bytes, outcome }).await;
    });
}

async fn verify_and_store(verifier: &Verifier, place: VerifierPlace, piece: ReceivedPiece) -> PieceOutcome {
    let ReceivedPiece { piece: index, bytes, expected, .. } = piece;
    let Expected { arrival, mut progress } = expected;
    let digest = arrival.digest;
    let partial = match progress.wait_for(|state| state.partial.is_some() || state.end.is_some()).await {
        Ok(state) => state.partial.clone(),
        Err(_) => None,
    };
    let Some(partial) = partial else { return PieceOutcome::Lost };
    let store = move |good: bool, bytes: &[u8]| {
        if !good {
            return PieceOutcome::Corrupt;
        }
        match partial.write_piece(index, bytes) {
            Ok(()) => PieceOutcome::Stored,
            Err(error) => {
                tracing::warn!(%digest, piece = index, %error, "a verified piece can't be kept");
                PieceOutcome::Lost
            }
        }
    };
    verifier.verify(place, arrival.check, bytes, store).await.unwrap_or(PieceOutcome::Lost)
}
