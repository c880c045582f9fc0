//! The node's key, kept in its data directory from the first start on.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use shoal_protocol::{hex, identity::NodeKey};
use tempfile::NamedTempFile;

/// Name of the file within the data directory.
const FILE_NAME: &str = "node.key";
/// What the file begins with, so that nobody mistakes it for another key.
const PREFIX: &str = "shoal-node-key-1:";
/// The longest file that is read: a key is shorter.
const MAX_FILE_BYTES: u64 = 256;
/// Permissions that nobody but the owner may have.
const OTHERS: u32 = 0o077;

/// Why a node has no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// Others may read the key, and so be this node.
    #[error("{} can be read by others (mode {mode:04o}): run `chmod 600 {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds no node key.
    #[error(
        "{} holds no node key: restore it from a backup, or remove it to give this node a new identity",
        .0.display()
    )]
    Malformed(PathBuf),
    /// The file system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The key in `data_dir`; at the first start, a new one, kept there.
///
/// # Errors
/// When the key can't be read, written or made, or when others can read it.
pub fn load_or_create(data_dir: &Path) -> Result<NodeKey, IdentityFileError> {
    if let Some(key) = load(data_dir)? {
        return Ok(key);
    }
    let path = path(data_dir);
    create(data_dir, &path)?;
    read(&path)
}

/// Where the key in `data_dir` is.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// The key in `data_dir`; `None` before the first start.
pub(crate) fn load(data_dir: &Path) -> Result<Option<NodeKey>, IdentityFileError> {
    match read(&path(data_dir)) {
        Err(IdentityFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn read(path: &Path) -> Result<NodeKey, IdentityFileError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mode = file.metadata().map_err(failed("examine", path))?.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(IdentityFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(failed("read", path))?;
    let secret = str::from_utf8(&text).ok().and_then(|text| text.trim_end().strip_prefix(PREFIX));
    let secret = secret.and_then(hex::decode);
    let secret = secret.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    secret.map(NodeKey::from_secret).ok_or_else(|| IdentityFileError::Malformed(path.to_owned()))
}

/// The key appears under its name whole and synced, or not at all; of two processes that start at once, one wins.
fn create(data_dir: &Path, path: &Path) -> Result<(), IdentityFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed("create", data_dir))?;
    let unfinished = write_new(data_dir).map_err(failed("write a key in", data_dir))?;
    match unfinished.persist_noclobber(path) {
        Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("create", path)(refused.error));
        }
        _ => {}
    }
    File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(failed("sync", data_dir))
}

/// A temporary file is the owner's alone from its creation on, and goes away unless it gets a name.
fn write_new(data_dir: &Path) -> io::Result<NamedTempFile> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let mut file = NamedTempFile::new_in(data_dir)?;
    writeln!(file, "{PREFIX}{}", hex::encode(&secret))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityFileError {
    let path = path.to_owned();
    move |source| IdentityFileError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        thread,
    };

    use super::*;

    #[test]
    fn a_node_keeps_its_key_and_nobody_else_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("a/b");
        let first = load_or_create(&data_dir).unwrap();
        let again = load_or_create(&data_dir).unwrap();
        assert_eq!(first.node_id(), again.node_id());
        let mode = fs::metadata(data_dir.join(FILE_NAME)).unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o600);
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn two_that_start_at_once_agree() {
        let directory = tempfile::tempdir().unwrap();
        let nodes: Vec<_> = thread::scope(|scope| {
            let start = || scope.spawn(|| load_or_create(directory.path()).unwrap().node_id());
            let threads: Vec<_> = (0..8).map(|_| start()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(nodes.iter().all(|node| *node == nodes[0]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_cure() {
        let directory = tempfile::tempdir().unwrap();
        load_or_create(directory.path()).unwrap();
        let path = directory.path().join(FILE_NAME);
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = load_or_create(directory.path()).unwrap_err();
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn a_damaged_key_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let digits = "0".repeat(62);
        for text in ["", "nonsense", PREFIX, &format!("{PREFIX}{digits}"), &format!("{PREFIX}{digits}zz")] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let refused = load_or_create(directory.path()).unwrap_err();
            assert!(matches!(refused, IdentityFileError::Malformed(_)), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
