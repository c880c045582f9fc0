//! A seed dies while everybody needs it.

use std::time::Duration;

use shoal_tests::{cluster::Cluster, containerd::Client, fixtures::PROOF};

use crate::pull::{pull_everywhere, run_everywhere};

const PROGRAM: [&str; 2] = ["/bin/proof", "--version"];
/// Slow enough that a pull of the medium image is still under way when half of it has passed.
const LINK_BYTES_PER_S: u64 = 10 * 1024 * 1024;
const HALF_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn another_seed_takes_over() {
    let (mut cluster, fixtures) = Cluster::start(2, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("medium", "v1");
    cluster.link.limit(LINK_BYTES_PER_S);

    let reference = image.by_tag();
    let pulls = pull_everywhere(&containerds, Client::Ctr, &reference);
    let kill = async {
        cluster.link.passed(image.size_bytes() / 2, HALF_WITHIN).await;
        let pulling = cluster.pulling_seed().await;
        cluster.seeds[pulling].kill();
    };
    tokio::join!(pulls, kill);

    run_everywhere(&containerds, Client::Ctr, &reference, &PROGRAM, PROOF).await;
    cluster.assert_no_runtime_at_the_origin();
    let gets = cluster.registry.blob_gets();
    assert!(
        gets[&image.largest().digest] <= 3,
        "one by each seed, and one for what died with the first: {gets:?}"
    );
    // The second seed goes on where the first one stopped; what was on its way to that one is asked for again.
    let passed_bytes = cluster.link.passed_bytes();
    assert!(passed_bytes < image.size_bytes() * 5 / 4, "{passed_bytes} bytes of {}", image.size_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtimes_finish_from_the_origin_when_the_only_seed_dies() {
    let (mut cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("medium", "v1");
    cluster.link.limit(LINK_BYTES_PER_S);

    let reference = image.by_tag();
    let pulls = pull_everywhere(&containerds, Client::Cri, &reference);
    let kill = async {
        cluster.link.passed(image.size_bytes() / 2, HALF_WITHIN).await;
        cluster.seeds[0].kill();
        // Three runtimes share the link from now on.
        cluster.link.limit(0);
    };
    tokio::join!(pulls, kill);
    run_everywhere(&containerds, Client::Cri, &reference, &PROGRAM, PROOF).await;
}
