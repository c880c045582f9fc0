//! Events on their way out, without ever making the swarm wait.

use std::{collections::VecDeque, sync::Arc};

use shoal_protocol::identity::NodeId;
use tokio::sync::mpsc;

use super::{SwarmCounters, SwarmEvent};

/// Gossip and streams beyond this many waiting events are dropped: gossip is made up for by snapshots, and whoever
/// opened the stream sees it close.
const MAX_DROPPABLE: usize = 1024;

/// A queue before the channel of events.
pub(super) struct Outbox {
    waiting: VecDeque<SwarmEvent>,
    sender: mpsc::Sender<SwarmEvent>,
    counters: Arc<SwarmCounters>,
}

impl Outbox {
    /// Sends to `sender`, counts what it drops in `counters`.
    pub(super) fn new(sender: mpsc::Sender<SwarmEvent>, counters: Arc<SwarmCounters>) -> Self {
        Self { waiting: VecDeque::new(), sender, counters }
    }

    /// Puts `event` in the queue.
    pub(super) fn push(&mut self, event: SwarmEvent) {
        match &event {
            SwarmEvent::Gossip { .. } | SwarmEvent::Stream { .. } if self.waiting.len() >= MAX_DROPPABLE => {
                self.counters.count_dropped_event();
                tracing::warn!(?event, "dropped: the swarm's events are not taken fast enough");
            }
            SwarmEvent::Disconnected { node } if self.take_back_arrival(*node) => {}
            _ => self.waiting.push_back(event),
        }
    }

    /// Hands the next event over when the channel has room; pending for ever when none waits.
    pub(super) async fn drain(&mut self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        match (self.sender.reserve().await, self.waiting.pop_front()) {
            (Ok(permit), Some(event)) => permit.send(event),
            // Nobody listens: there is nothing to keep events for.
            _ => self.waiting.clear(),
        }
    }

    /// A coming that nobody has seen and the going after it cancel each other, so a node that flaps fills no memory.
    fn take_back_arrival(&mut self, gone: NodeId) -> bool {
        let arrival = |event: &SwarmEvent| matches!(event, SwarmEvent::Connected { node } if *node == gone);
        match self.waiting.iter().position(arrival) {
            Some(position) => self.waiting.remove(position).is_some(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(room: usize) -> (Outbox, mpsc::Receiver<SwarmEvent>) {
        let (sender, receiver) = mpsc::channel(room);
        (Outbox::new(sender, Arc::default()), receiver)
    }

    fn gossip() -> SwarmEvent {
        SwarmEvent::Gossip { from: NodeId([1; 32]), data: bytes::Bytes::new() }
    }

    #[test]
    fn what_nobody_takes_is_dropped_and_counted() {
        let (mut outbox, _events) = outbox(1);
        for _ in 0..MAX_DROPPABLE + 10 {
            outbox.push(gossip());
        }
        assert_eq!(outbox.waiting.len(), MAX_DROPPABLE);
        assert_eq!(outbox.counters.dropped_events(), 10);
    }

    #[test]
    fn a_node_that_flaps_unseen_fills_no_memory() {
        let (mut outbox, _events) = outbox(1);
        let node = NodeId([1; 32]);
        outbox.push(SwarmEvent::Disconnected { node });
        for _ in 0..1000 {
            outbox.push(SwarmEvent::Connected { node });
            outbox.push(SwarmEvent::Disconnected { node });
        }
        assert_eq!(outbox.waiting.len(), 1);
    }

    #[tokio::test]
    async fn events_come_out_in_order_and_are_let_go_when_nobody_listens() {
        let (mut outbox, mut events) = outbox(4);
        let node = NodeId([1; 32]);
        outbox.push(SwarmEvent::Connected { node });
        outbox.push(gossip());
        outbox.drain().await;
        outbox.drain().await;
        assert!(matches!(events.recv().await, Some(SwarmEvent::Connected { .. })));
        assert!(matches!(events.recv().await, Some(SwarmEvent::Gossip { .. })));
        drop(events);
        outbox.push(gossip());
        outbox.drain().await;
        assert!(outbox.waiting.is_empty());
    }
}
