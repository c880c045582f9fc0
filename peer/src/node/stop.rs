//! The graceful stop.

use futures::future::join_all;

use super::Node;

impl Node {
    /// Stops: no new requests, a bounded time for running ones, a goodbye to the cluster, and then everything else.
    pub async fn shutdown(self) {
        self.serving.cancel();
        // A task that panicked has nothing left to stop.
        let _ = self.mirror_task.await;
        self.exchange.shutdown().await;
        self.background.cancel();
        // The inventory's last word has to be on its way before the swarm closes.
        join_all(self.background_tasks).await;
        self.swarm.shutdown().await;
        let _ = self.dispatcher_task.await;
    }
}
