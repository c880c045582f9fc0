//! Blobs of random bytes: nothing on the way can compress them or have them already.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use shoal_protocol::digest::Digest;

use super::{Blob, RigError};

const CHUNK_BYTES: usize = 256 * 1024;
const OCTETS: &str = "application/octet-stream";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Writes `len_bytes` random bytes to `path`.
///
/// # Errors
/// When the file can't be written.
pub fn random(path: &Path, len_bytes: u64) -> Result<Blob, RigError> {
    let named = || RigError::system(format!("write {len_bytes} random bytes to {}", path.display()));
    let source = File::open("/dev/urandom").map_err(named())?;
    copy(source.take(len_bytes), path).map_err(named())
}

/// Writes a manifest that no other is like.
///
/// # Errors
/// When the file can't be written.
pub fn manifest(path: &Path) -> Result<Blob, RigError> {
    let config = random(path, 32)?.digest;
    let text = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{{\"mediaType\":\"{OCTETS}\",\
         \"digest\":\"{config}\",\"size\":32}},\"layers\":[]}}"
    );
    let written = copy(text.as_bytes(), path);
    let blob = written.map_err(RigError::system(format!("write a manifest to {}", path.display())))?;
    Ok(Blob { media_type: MANIFEST, ..blob })
}

/// A file whose digest is known already.
///
/// # Errors
/// When there is no such file.
pub fn known(path: &Path, digest: Digest) -> Result<Blob, RigError> {
    let named = RigError::system(format!("read the blob {}", path.display()));
    let len_bytes = path.metadata().map_err(named)?.len();
    Ok(Blob { digest, len_bytes, path: path.into(), media_type: OCTETS })
}

fn copy(mut source: impl Read, path: &Path) -> io::Result<Blob> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut hash = Sha256::new();
    let mut len_bytes = 0;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = source.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
        file.write_all(&chunk[..count])?;
        len_bytes += count as u64;
    }
    file.flush()?;
    let digest = Digest::Sha256(hash.finalize().into());
    Ok(Blob { digest, len_bytes, path: path.into(), media_type: OCTETS })
}
