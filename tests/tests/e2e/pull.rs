//! What many tests do: pull on every node at once, and run what was pulled.

use futures::future::join_all;
use shoal_tests::containerd::{Client, Containerd};

/// Pulls on every node at once.
pub(crate) async fn pull_everywhere(containerds: &[Containerd], client: Client, reference: &str) {
    for result in pull_outcomes(containerds, client, reference).await {
        result.unwrap_or_else(|error| panic!("{client:?} {reference}: {error}"));
    }
}

/// Pulls on every node at once, whatever comes of it.
pub(crate) async fn pull_outcomes(
    containerds: &[Containerd],
    client: Client,
    reference: &str,
) -> Vec<Result<(), String>> {
    join_all(containerds.iter().map(|containerd| containerd.pull(client, reference))).await
}

/// Runs a container on every node, and panics unless each prints what begins with `expected`.
pub(crate) async fn run_everywhere(
    containerds: &[Containerd],
    client: Client,
    reference: &str,
    program: &[&str],
    expected: &str,
) {
    for printed in join_all(containerds.iter().map(|node| node.run(client, reference, program))).await {
        let printed = printed.unwrap_or_else(|error| panic!("{client:?} {reference}: {error}"));
        assert!(printed.starts_with(expected), "{client:?} {reference}: {printed}");
    }
}

/// Removes an image from every node.
pub(crate) async fn remove_everywhere(containerds: &[Containerd], client: Client, reference: &str) {
    for removed in join_all(containerds.iter().map(|node| node.remove(client, reference))).await {
        removed.unwrap_or_else(|error| panic!("{client:?} {reference}: {error}"));
    }
}
