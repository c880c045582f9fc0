//! The graceful stop.

use futures::future::join_all;

use super::Node;

impl Node {
    /// Stops: no new requests, a bounded time for running ones, a goodbye to the cluster, and then everything else.
    pub async fn shutdown(self) {
        self.serving.cancel();
        join_all(self.servers).await;
        self.exchange.shutdown().await;
        self.gossiping.cancel();
        // The inventory's last word has to be on its way before the swarm closes.
        let (dispatcher, others) = split_first(self.background);
        join_all(others).await;
        self.swarm.shutdown().await;
        join_all(dispatcher).await;
    }
}

/// The dispatcher ends only when the swarm does.
fn split_first<T>(mut tasks: Vec<T>) -> (Option<T>, Vec<T>) {
    if tasks.is_empty() {
        return (None, tasks);
    }
    (Some(tasks.remove(0)), tasks)
}
