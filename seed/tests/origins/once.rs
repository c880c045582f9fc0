//! However many ask, the origin is asked once.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::join_all};
use shoal_seed::{origin::OriginError, single_flight::SingleFlight};

use crate::support::{Collector, Reply, TestOrigin, config, content, digest, image, puller};

#[tokio::test]
async fn fifty_askers_cost_one_get() {
    let blob = content(300_000);
    let served = blob.clone();
    let origin =
        TestOrigin::start(move |_| Reply::bytes(served.clone()).after(Duration::from_millis(50))).await;
    let puller = puller(config(&[&origin]));
    let flights = SingleFlight::<_, Result<usize, Arc<shoal_seed::pull::PullError>>>::new();
    let wanted = digest(&blob);
    let pull = || async {
        let sink = Collector::default();
        puller.pull_blob(&image(), &wanted, None, &sink).await?;
        Ok(sink.blob().len())
    };
    let ask = || flights.run(wanted, || pull().map(|pulled| pulled.map_err(Arc::new)));
    for length in join_all((0..50).map(|_| ask())).await {
        assert_eq!(length.expect("pulled"), blob.len());
    }
    assert_eq!(origin.count("/blobs/"), 1);
}

#[tokio::test]
async fn a_failure_is_shared_and_then_forgotten() {
    let origin = TestOrigin::start(|_| Reply::status(404).after(Duration::from_millis(50))).await;
    let origins = crate::support::origins(config(&[&origin]));
    let flights = SingleFlight::new();
    let (image, wanted) = (image(), digest(b""));
    let ask = || flights.run(wanted, || origins.stat(&image, &wanted));
    for outcome in join_all((0..10).map(|_| ask())).await {
        assert!(matches!(outcome, Err(OriginError::NotFound(_))));
    }
    assert_eq!(origin.seen().len(), 1);
    assert!(ask().await.is_err());
    assert_eq!(origin.seen().len(), 2);
}
