//! What came of a demo: figures for machines, a table for people.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use serde::{Serialize, Serializer};

use crate::config;

/// Where the registry is that images call `docker.io`.
pub(super) const DOCKER_HUB_URL: &str = "https://registry-1.docker.io";

/// The whole result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The image, by its full name.
    pub image: String,
    /// Digest that its name stands for.
    pub digest: Option<String>,
    /// Length of its config and layers.
    pub size_bytes: u64,
    /// Time from the first request to the last byte.
    #[serde(rename = "elapsed_s", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// Each peer's pull.
    pub peers: Vec<PeerReport>,
    /// Where the seed's own bytes came from.
    pub seed: Sources,
    /// What the origin was asked for.
    pub origin: OriginReport,
    /// The registry that the image came from.
    #[serde(skip)]
    pub registry: RegistryReport,
}

/// A registry, as `hosts.toml` has it.
#[derive(Clone, Debug)]
pub struct RegistryReport {
    /// Its name in images.
    pub host: String,
    /// Where it is.
    pub url: String,
    /// Whether it is the demo's own, and ends with it.
    pub is_ours: bool,
}

/// One peer's pull.
#[derive(Clone, Debug, Serialize)]
pub struct PeerReport {
    /// Where its mirror listens, or did.
    pub mirror: SocketAddr,
    /// How long its pull took.
    #[serde(rename = "elapsed_s", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// Where its bytes came from.
    pub sources: Sources,
    /// Why the pull failed, if it did.
    pub error: Option<String>,
}

/// Bytes by where they came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// From the node's own store.
    pub disk_bytes: u64,
    /// From other peers.
    pub peers_bytes: u64,
    /// From seeds.
    pub seed_bytes: u64,
    /// From the origin registry.
    pub origin_bytes: u64,
}

/// What the origin was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct OriginReport {
    /// GETs for a blob, on the average; unknown when the origin is someone else's.
    pub gets_per_blob: Option<f64>,
    /// Bytes of blobs that it sent.
    pub blob_bytes: u64,
    /// The same, over the length of the image.
    pub image_copies: f64,
}

impl Report {
    /// True when every peer has the image, verified.
    pub fn is_success(&self) -> bool {
        self.peers.iter().all(|peer| peer.error.is_none())
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        // Every field is a plain number, text or list, none of which serde_json refuses.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The table, and what to do next. `is_kept` tells whether the demo goes on running.
    pub fn to_text(&self, is_kept: bool) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = writeln!(out, "\n{} ({})", self.image, size(self.size_bytes));
        let _ = writeln!(out, "{}", self.headline());
        out.push('\n');
        out.push_str(&table(&self.rows()));
        for (number, error) in self.errors() {
            let _ = writeln!(out, "peer {number}: {error}");
        }
        let _ = writeln!(out, "\n{}", self.origin_line());
        let _ = writeln!(out, "\n{}", self.next_steps(is_kept));
        out
    }

    fn headline(&self) -> String {
        let (all, elapsed_s) = (self.peers.len(), self.elapsed.as_secs_f64());
        let done = all - self.errors().count();
        format!("pulled and verified by {done} of {all} peers at once in {elapsed_s:.1} s")
    }

    fn errors(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = (1..).zip(&self.peers);
        numbered.filter_map(|(number, peer)| Some((number, peer.error.as_deref()?)))
    }

    fn rows(&self) -> Vec<[String; 6]> {
        let heads = ["", "time", "from disk", "from peers", "from seed", "from origin"];
        let peers = self.peers.iter().enumerate();
        let peers = peers.map(|(index, peer)| {
            row(format!("peer {}", index + 1), format!("{:.1} s", peer.elapsed.as_secs_f64()), &peer.sources)
        });
        let seed = row("seed".into(), String::new(), &self.seed);
        let all = self.peers.iter().map(|peer| peer.sources).fold(self.seed, Sources::plus);
        let all = row("together".into(), format!("{:.1} s", self.elapsed.as_secs_f64()), &all);
        [heads.map(str::to_owned)].into_iter().chain(peers).chain([seed, all]).collect()
    }

    fn origin_line(&self) -> String {
        let OriginReport { gets_per_blob, blob_bytes, image_copies } = &self.origin;
        let sent = format!("{} sent, {image_copies:.2} × the image", size(*blob_bytes));
        match gets_per_blob {
            Some(gets) => format!("origin: {gets:.2} GETs a blob, {sent}"),
            None => format!("origin: {sent}"),
        }
    }

    fn next_steps(&self, is_kept: bool) -> String {
        let (registry, url, mirror) = self.to_point_at(is_kept);
        let and_pull = match is_kept {
            true => format!("\nthen: ctr images pull --hosts-dir /etc/containerd/certs.d {}\n", self.image),
            false => String::new(),
        };
        format!(
            "point containerd at a peer with /etc/containerd/certs.d/{registry}/hosts.toml:\n\n  \
             server = \"{url}\"\n\n  \
             [host.\"http://{mirror}\"]\n    \
             capabilities = [\"pull\", \"resolve\"]\n{and_pull}"
        )
    }

    /// Registry, its URL and the mirror for it. When the demo is over, so are its own: then Docker Hub is the example.
    fn to_point_at(&self, is_kept: bool) -> (&str, &str, SocketAddr) {
        let usual_mirror = config::Mirror::default().listen;
        let kept_mirror = self.peers.first().map(|peer| peer.mirror).filter(|_| is_kept);
        let (host, url) = match &self.registry {
            registry if is_kept || !registry.is_ours => (registry.host.as_str(), registry.url.as_str()),
            _ => ("docker.io", DOCKER_HUB_URL),
        };
        (host, url, kept_mirror.unwrap_or(usual_mirror))
    }
}

impl Sources {
    fn plus(self, other: Self) -> Self {
        Self {
            disk_bytes: self.disk_bytes + other.disk_bytes,
            peers_bytes: self.peers_bytes + other.peers_bytes,
            seed_bytes: self.seed_bytes + other.seed_bytes,
            origin_bytes: self.origin_bytes + other.origin_bytes,
        }
    }
}

fn row(name: String, time: String, sources: &Sources) -> [String; 6] {
    let Sources { disk_bytes, peers_bytes, seed_bytes, origin_bytes } = *sources;
    let [disk, peers, seed, origin] = [disk_bytes, peers_bytes, seed_bytes, origin_bytes].map(size);
    [name, time, disk, peers, seed, origin]
}

/// Columns as wide as their widest cell, the first to the left, the others to the right.
fn table(rows: &[[String; 6]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let line = |row: &[String; 6]| {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<0$}", width(column)),
            _ => format!("  {cell:>0$}", width(column)),
        });
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0 => "–".into(),
        bytes => ByteSize::b(bytes).display().iec().to_string(),
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let peer = |error: Option<&str>| PeerReport {
            mirror: ([127, 0, 0, 1], 4001).into(),
            elapsed: Duration::from_millis(1250),
            sources: Sources { peers_bytes: 3 << 20, seed_bytes: 1 << 20, ..Sources::default() },
            error: error.map(Into::into),
        };
        Report {
            image: "127.0.0.1:4000/demo/image:latest".into(),
            digest: None,
            size_bytes: 4 << 20,
            elapsed: Duration::from_millis(1300),
            peers: vec![peer(None), peer(Some("the mirror answered 404"))],
            seed: Sources { origin_bytes: 4 << 20, ..Sources::default() },
            origin: OriginReport { gets_per_blob: Some(1.0), blob_bytes: 4 << 20, image_copies: 1.0 },
            registry: RegistryReport {
                host: "127.0.0.1:4000".into(),
                url: "http://127.0.0.1:4000".into(),
                is_ours: true,
            },
        }
    }

    #[test]
    fn the_table_lines_up_and_says_what_failed() {
        let text = report().to_text(true);
        let expected = "
127.0.0.1:4000/demo/image:latest (4.0 MiB)
pulled and verified by 1 of 2 peers at once in 1.3 s

           time  from disk  from peers  from seed  from origin
peer 1    1.2 s          –     3.0 MiB    1.0 MiB            –
peer 2    1.2 s          –     3.0 MiB    1.0 MiB            –
seed                     –           –          –      4.0 MiB
together  1.3 s          –     6.0 MiB    2.0 MiB      4.0 MiB
peer 2: the mirror answered 404

origin: 1.00 GETs a blob, 4.0 MiB sent, 1.00 × the image

point containerd at a peer with /etc/containerd/certs.d/127.0.0.1:4000/hosts.toml:

  server = \"http://127.0.0.1:4000\"

  [host.\"http://127.0.0.1:4001\"]
    capabilities = [\"pull\", \"resolve\"]

then: ctr images pull --hosts-dir /etc/containerd/certs.d 127.0.0.1:4000/demo/image:latest

";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_registry_that_is_gone_is_nothing_to_point_at() {
        let text = report().to_text(false);
        for line in [
            "certs.d/docker.io/hosts.toml",
            "server = \"https://registry-1",
            "[host.\"http://127.0.0.1:5020\"]",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(!text.contains("ctr images"));
    }

    #[test]
    fn machines_get_numbers() {
        let json: serde_json::Value = serde_json::from_str(&report().to_json()).unwrap();
        assert_eq!(json["elapsed_s"], 1.3);
        assert_eq!(json["origin"]["gets_per_blob"], 1.0);
        assert_eq!(json["peers"][0]["sources"]["seed_bytes"], 1 << 20);
    }
}
