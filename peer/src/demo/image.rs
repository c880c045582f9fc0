//! An image made on the spot: real tar and gzip layers, a config and a manifest, as any registry would hold them.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    thread,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use shoal_protocol::digest::{Algorithm, Digest};

use super::{
    hashing::Hashing,
    origin::{Origin, Part},
};
use crate::architecture;

/// Name of the repository that an image is said to be in.
pub(super) const REPOSITORY: &str = "demo/image";
/// Its only tag.
pub(super) const TAG: &str = "latest";

/// Media types of the parts, by the OCI image specification.
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Shares of the layers in percent: one large, some middling, one small, as images are.
const LAYER_PERCENT: [u64; 5] = [45, 25, 15, 10, 5];
/// Size of the files in a layer, the last one excepted.
const FILE_BYTES: u64 = 8 * 1024 * 1024;
/// How much pseudo-random content is made at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// An image in a folder: each of its parts is a file named by the hex digits of its digest.
#[derive(Clone, Debug)]
pub(super) struct MadeImage {
    /// Its manifest.
    pub(super) manifest: Part,
    /// The config, then the layers.
    pub(super) blobs: Vec<Part>,
}

impl MadeImage {
    /// Makes an image of about `size_bytes` in `folder`; the same `seed` gives the same image.
    pub(super) fn make(folder: &Path, size_bytes: u64, seed: u64) -> io::Result<Self> {
        let layers = make_layers(folder, size_bytes, seed)?;
        let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.diff_id).collect();
        let config = put(folder, CONFIG_TYPE, &config_json(&diff_ids))?;
        let layers: Vec<Part> = layers.into_iter().map(|layer| layer.part).collect();
        let manifest = put(folder, MANIFEST_TYPE, &manifest_json(&config, &layers))?;
        let blobs = std::iter::once(config).chain(layers).collect();
        Ok(Self { manifest, blobs })
    }

    /// Lets a registry serve it.
    pub(super) fn put_into(&self, origin: &Origin) {
        let parts = self.blobs.iter().chain([&self.manifest]);
        parts.for_each(|part| origin.add(part.clone()));
        origin.tag(TAG, self.manifest.digest);
    }
}

struct Layer {
    part: Part,
    /// Digest of the tar before compression: what the config lists.
    diff_id: Digest,
}

/// Layers do not depend on each other, so each is made on a thread of its own.
fn make_layers(folder: &Path, size_bytes: u64, seed: u64) -> io::Result<Vec<Layer>> {
    thread::scope(|scope| {
        let make = |(number, percent): (usize, &u64)| {
            let layer_bytes = size_bytes * percent / 100;
            scope.spawn(move || make_layer(folder, number, layer_bytes, seed))
        };
        let threads: Vec<_> = LAYER_PERCENT.iter().enumerate().map(make).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, io::Result<Layer>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread that made a layer panicked")))
        };
        threads.into_iter().map(join).collect()
    })
}

fn make_layer(folder: &Path, number: usize, layer_bytes: u64, seed: u64) -> io::Result<Layer> {
    let being_made = folder.join(format!("layer-{number}"));
    let file = Hashing::new(BufWriter::with_capacity(CHUNK_BYTES, File::create(&being_made)?));
    // Random bytes don't compress: stored blocks are valid gzip and cost next to nothing.
    let gzip = Hashing::new(GzEncoder::new(file, Compression::none()));
    let (gzip, diff_id) = write_tar(gzip, number, layer_bytes, seed)?.finish();
    let (mut file, digest) = gzip.finish()?.finish();
    file.flush()?;
    let path = folder.join(digest.hex());
    std::fs::rename(&being_made, &path)?;
    let len_bytes = file.get_ref().metadata()?.len();
    Ok(Layer { part: Part { digest, len_bytes, media_type: LAYER_TYPE, path }, diff_id })
}

fn write_tar<W: Write>(out: W, number: usize, layer_bytes: u64, seed: u64) -> io::Result<W> {
    let layer_seed = seed.wrapping_mul(31).wrapping_add(number as u64);
    let mut random = RandomBytes { source: fastrand::Rng::with_seed(layer_seed), left_bytes: 0 };
    let mut tar = tar::Builder::new(out);
    for (index, offset) in (0..layer_bytes.max(1)).step_by(FILE_BYTES as usize).enumerate() {
        random.left_bytes = FILE_BYTES.min(layer_bytes - offset);
        let mut header = tar::Header::new_gnu();
        header.set_size(random.left_bytes);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("demo/layer-{number}/file-{index}"), &mut random)?;
    }
    tar.into_inner()
}

/// Pseudo-random bytes, as many as are left.
struct RandomBytes {
    source: fastrand::Rng,
    left_bytes: u64,
}

impl io::Read for RandomBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(usize::try_from(self.left_bytes).unwrap_or(usize::MAX));
        self.source.fill(&mut buffer[..len]);
        self.left_bytes -= len as u64;
        Ok(len)
    }
}

fn put(folder: &Path, media_type: &'static str, document: &serde_json::Value) -> io::Result<Part> {
    let bytes = serde_json::to_vec(document)?;
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    let path = folder.join(digest.hex());
    std::fs::write(&path, &bytes)?;
    Ok(Part { digest, len_bytes: bytes.len() as u64, media_type, path })
}

fn config_json(diff_ids: &[&Digest]) -> serde_json::Value {
    let diff_ids: Vec<String> = diff_ids.iter().map(ToString::to_string).collect();
    json!({
        "architecture": architecture::of_this_machine(),
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
}

fn manifest_json(config: &Part, layers: &[Part]) -> serde_json::Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor_json(config),
        "layers": layers.iter().map(descriptor_json).collect::<Vec<_>>(),
    })
}

fn descriptor_json(part: &Part) -> serde_json::Value {
    json!({ "mediaType": part.media_type, "digest": part.digest.to_string(), "size": part.len_bytes })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_image_is_what_its_manifest_says() {
        let folder = tempfile::tempdir().unwrap();
        let image = MadeImage::make(folder.path(), 1024 * 1024, 7).unwrap();
        assert_eq!(image.blobs.len(), 1 + LAYER_PERCENT.len());
        for part in image.blobs.iter().chain([&image.manifest]) {
            let bytes = std::fs::read(&part.path).unwrap();
            assert_eq!(Digest::of(Algorithm::Sha256, &bytes), part.digest);
            assert_eq!(bytes.len() as u64, part.len_bytes);
        }
    }

    #[test]
    fn layers_unpack_to_the_tar_that_the_config_lists() {
        let folder = tempfile::tempdir().unwrap();
        let image = MadeImage::make(folder.path(), 1024 * 1024, 7).unwrap();
        let config = std::fs::read(&image.blobs[0].path).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        for (layer, diff_id) in image.blobs[1..].iter().zip(config["rootfs"]["diff_ids"].as_array().unwrap())
        {
            let mut tar = Vec::new();
            let file = File::open(&layer.path).unwrap();
            flate2::read::GzDecoder::new(file).read_to_end(&mut tar).unwrap();
            assert_eq!(Digest::of(Algorithm::Sha256, &tar).to_string(), diff_id.as_str().unwrap());
            assert!(tar::Archive::new(tar.as_slice()).entries().unwrap().all(|entry| entry.is_ok()));
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_image_and_the_size_is_kept() {
        let make = |seed| {
            let folder = tempfile::tempdir().unwrap();
            MadeImage::make(folder.path(), 4 * 1024 * 1024, seed).unwrap()
        };
        assert_eq!(make(1).manifest.digest, make(1).manifest.digest);
        assert_ne!(make(1).manifest.digest, make(2).manifest.digest);
        let size_bytes: u64 = make(1).blobs.iter().map(|blob| blob.len_bytes).sum();
        assert!((4 * 1024 * 1024..4 * 1024 * 1024 + 65536).contains(&size_bytes), "{size_bytes}");
    }
}
