//! The control streams: one in each direction to each neighbour, opened by the one that sends on it.

use std::sync::Arc;

use shoal_protocol::{
    bounds::MAX_CONTROL_FRAME_BYTES,
    exchange::Fault,
    identity::NodeId,
    wire::{Message, Wire, WireError, encode_frame},
};
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc,
    time::{Duration, timeout},
};

use super::{Shared, event::Event};
use crate::{
    framed::{self, FrameError},
    swarm::{BoxStream, Protocol},
};

/// Messages that may wait for a neighbour. One that lags further behind is dropped: it would act on old news.
pub(super) const MAX_OUTBOX: usize = 2048;
/// A neighbour that takes no message for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Messages are written together up to about this length.
const BATCH_BYTES: usize = 64 * 1024;

/// Connects to a node, if need be, and opens our stream to it.
pub(super) async fn open(shared: Arc<Shared>, node: NodeId, events: mpsc::Sender<Event>) {
    let addresses = shared.inventory.swarm_addresses(&node);
    let stream = if shared.swarm.reach(node, addresses).await {
        match shared.swarm.open(node, Protocol::Control).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%node, %error, "no control stream");
                None
            }
        }
    } else {
        None
    };
    // An error means that the exchange has stopped.
    let _ = events.send(Event::ControlOpened { node, stream }).await;
}

/// Writes messages as they come, several at once when several wait.
pub(super) async fn write(
    node: NodeId,
    epoch: u64,
    mut stream: BoxStream,
    mut outbox: mpsc::Receiver<Message>,
    events: mpsc::Sender<Event>,
) {
    let mut batch = Vec::new();
    while let Some(message) = outbox.recv().await {
        batch.clear();
        encode_frame(&message, &mut batch);
        while batch.len() < BATCH_BYTES
            && let Ok(message) = outbox.try_recv()
        {
            encode_frame(&message, &mut batch);
        }
        let written = timeout(WRITE_TIMEOUT, async {
            stream.write_all(&batch).await?;
            stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%node, %error, "the control stream broke");
                break;
            }
            Err(_) => {
                tracing::debug!(%node, "takes no messages any more");
                break;
            }
        }
    }
    // An error means that the exchange has stopped.
    let _ = events.send(Event::ControlClosed { node, epoch }).await;
}

/// Reads a neighbour's messages until its stream ends.
pub(super) async fn read(from: NodeId, epoch: u64, mut stream: BoxStream, events: mpsc::Sender<Event>) {
    if let Err(error) = read_all(from, epoch, &mut stream, &events).await {
        tracing::debug!(%from, %error, "its control stream broke");
        if let FrameError::Wire(_) = error {
            // An error means that the exchange has stopped.
            let _ = events.send(Event::Fault { node: from, fault: Fault::Malformed }).await;
        }
    }
    // An error means that the exchange has stopped.
    let _ = events.send(Event::ControlClosed { node: from, epoch }).await;
}

async fn read_all(
    from: NodeId,
    epoch: u64,
    stream: &mut BoxStream,
    events: &mpsc::Sender<Event>,
) -> Result<(), FrameError> {
    let mut buffer = Vec::new();
    while let Some(frame) = framed::read_frame(stream, MAX_CONTROL_FRAME_BYTES, &mut buffer).await? {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            // A newer node says something that this one does not know.
            Err(WireError::UnknownTag { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        if events.send(Event::Message { from, epoch, message }).await.is_err() {
            break;
        }
    }
    Ok(())
}
