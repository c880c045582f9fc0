//! What a user is told who configures a node wrongly, and how a node stops.

use std::{fs, path::Path, process::Command, time::Duration};

use shoal_tests::{
    cluster::Cluster,
    process::{Finished, finish},
    scratch::Scratch,
    shoal::{binary, new_cluster_key},
};

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_told_with_file_line_key_and_what_was_expected() {
    let scratch = Scratch::new("config");
    let cases = [
        ("[mirror]\nlitsen = '127.0.0.1:0'\n", ["shoal.toml:2:", "litsen", "listen"]),
        (
            "\n[admin]\nlisten = 'nowhere'\n",
            ["shoal.toml:3:", "listen", "expected an IP address with a port"],
        ),
        ("data_dir = 7\n", ["shoal.toml:1:", "data_dir", "expected a path"]),
        ("[swarm\n", ["shoal.toml:1:", "[swarm", "expected `]`"]),
    ];
    for (text, expected) in cases {
        let refused = start(scratch.data(), text).await;
        assert!(!refused.status.success(), "{text}");
        for word in expected {
            assert!(refused.stderr.contains(word), "no '{word}' for\n{text}\nin\n{}", refused.stderr);
        }
        assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_and_a_folder_that_is_none_are_named() {
    let scratch = Scratch::new("config");
    let key = new_cluster_key(scratch.data(), "cluster.key").await;
    let key = format!("cluster_key_file = '{}'\n", key.display());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data_dir = format!("data_dir = '{}'\n", scratch.data().join("data").display());
    let refused = start(scratch.data(), &format!("{key}{data_dir}[mirror]\nlisten = '{address}'\n")).await;
    assert!(!refused.status.success() && refused.stderr.contains(&address), "{}", refused.stderr);

    fs::write(scratch.data().join("file"), "").unwrap();
    let no_folder = scratch.data().join("file").join("data").display().to_string();
    let refused = start(scratch.data(), &format!("{key}data_dir = '{no_folder}'\n")).await;
    assert!(!refused.status.success() && refused.stderr.contains(&no_folder), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_says_goodbye_and_ends_well() {
    let (mut cluster, _) = Cluster::start(1, 2).await;
    let mut leaver = cluster.peers.pop().unwrap();
    let status = leaver.stop().await;
    assert!(status.success(), "{status}");
    // At once, and not when its silence was noticed.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for node in cluster.nodes() {
        assert_eq!(node.metrics().await.swarm_peers(), 1, "{}", node.name());
    }
}

/// Starts a peer that should refuse to.
async fn start(folder: &Path, configuration: &str) -> Finished {
    let file = folder.join("shoal.toml");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(binary());
    command.arg("peer").arg("--config").arg(&file);
    finish(command, WITHIN).await.unwrap_or_else(|| panic!("a node runs with\n{configuration}"))
}
