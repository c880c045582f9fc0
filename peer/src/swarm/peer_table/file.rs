//! The table as a JSON file that an operator can read and edit.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::SocketAddr,
    path::Path,
};

use serde::{Deserialize, Serialize, de::Error as _};
use shoal_protocol::{hex, identity::NodeId};
use tempfile::NamedTempFile;

/// The longest file that is read: several times the longest that is written.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// One node.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(serialize_with = "write_node", deserialize_with = "read_node")]
    pub(super) node: NodeId,
    pub(super) addresses: Vec<SocketAddr>,
    #[serde(default)]
    pub(super) last_seen_unix_s: u64,
}

#[derive(Serialize)]
struct Written {
    nodes: Vec<Record>,
}

/// Records are parsed one by one, so that a bad one does not cost the others.
#[derive(Deserialize)]
struct Stored {
    nodes: Vec<serde_json::Value>,
}

/// The records at `path`. Without a file there are none; of a damaged one, what can be read.
pub(super) fn load(path: &Path) -> Vec<Record> {
    let nodes = match read(path) {
        Ok(nodes) => nodes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "ignoring the saved peer table");
            return Vec::new();
        }
    };
    let total = nodes.len();
    let records: Vec<Record> =
        nodes.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect();
    if records.len() < total {
        let ignored = total - records.len();
        tracing::warn!(path = %path.display(), ignored, "ignoring unreadable nodes in the saved peer table");
    }
    records
}

/// Replaces the file at `path` in one step.
pub(super) fn save(path: &Path, records: Vec<Record>) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(&Written { nodes: records })?;
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(&text)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<serde_json::Value>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut text)?;
    let read: Stored = serde_json::from_slice(&text)?;
    Ok(read.nodes)
}

fn write_node<S: serde::Serializer>(node: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(&node.0))
}

fn read_node<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
    let digits = String::deserialize(deserializer)?;
    let bytes = hex::decode(&digits).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(NodeId).ok_or_else(|| D::Error::custom("a node is 64 hexadecimal digits"))
}
