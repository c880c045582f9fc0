//! Images made on the spot: layers and manifests.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Media type of a manifest for one platform.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index of platforms.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What a manifest says of one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its name.
    pub digest: String,
    /// Its length.
    pub size_bytes: u64,
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self { media_type: media_type.to_owned(), digest: digest_of(bytes), size_bytes: bytes.len() as u64 }
    }

    fn to_json(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes })
    }
}

/// A layer in a file, with the digest of its uncompressed form.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What the manifest says of it.
    pub descriptor: Descriptor,
    /// The digest that the image's configuration lists.
    pub diff_id: String,
    /// Its content.
    pub file: PathBuf,
}

impl Layer {
    /// Writes a tar of files made of `entries` (path and content); it is not compressed, so that its length is known.
    pub fn of_files(file: PathBuf, entries: impl IntoIterator<Item = (String, Content)>) -> Self {
        let out = HashWriter::new(BufWriter::new(File::create(&file).expect("a file for a layer")));
        let mut tar = tar::Builder::new(out);
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len_bytes());
            header.set_mode(0o755);
            tar.append_data(&mut header, path, content.reader()).expect("an entry of a layer");
        }
        let (digest, size_bytes) = tar.into_inner().expect("the end of a tar").finish();
        let descriptor = Descriptor { media_type: LAYER.to_owned(), digest: digest.clone(), size_bytes };
        Self { descriptor, diff_id: digest, file }
    }

    /// Takes bytes as they are, as a layer of some other media type: an artifact, not a file system.
    pub fn of_bytes(file: PathBuf, bytes: &[u8]) -> Self {
        std::fs::write(&file, bytes).expect("a file for a layer");
        let descriptor = Descriptor::of("application/octet-stream", bytes);
        Self { diff_id: descriptor.digest.clone(), descriptor, file }
    }

    /// Compresses the tar in `tar` into `file`.
    pub fn compressed(tar: &Path, file: PathBuf) -> Self {
        let level = flate2::Compression::fast();
        let out = HashWriter::new(BufWriter::new(File::create(&file).expect("a file for a layer")));
        let mut gzip = flate2::write::GzEncoder::new(out, level);
        let mut plain = HashReader { inner: File::open(tar).expect("the tar"), hasher: Sha256::new() };
        io::copy(&mut plain, &mut gzip).expect("a layer compressed");
        let (digest, size_bytes) = gzip.finish().expect("the end of a layer").finish();
        let descriptor = Descriptor { media_type: format!("{LAYER}+gzip"), digest, size_bytes };
        Self { descriptor, diff_id: format!("sha256:{}", hex(&plain.hasher.finalize())), file }
    }
}

/// The content of one file in a layer.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Bytes),
    /// So many bytes that no compressor makes smaller, different for each seed.
    Noise {
        /// Length.
        len_bytes: u64,
        /// Which noise.
        seed: u64,
    },
}

impl Content {
    fn len_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Noise { len_bytes, .. } => *len_bytes,
        }
    }

    fn reader(self) -> Box<dyn Read> {
        match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::Noise { len_bytes, seed } => {
                Box::new(Noise(fastrand::Rng::with_seed(seed)).take(len_bytes))
            }
        }
    }
}

struct Noise(fastrand::Rng);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.fill(buffer);
        Ok(buffer.len())
    }
}

/// A manifest ready to be pushed, with the blobs it names.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its media type.
    pub media_type: &'static str,
    /// Its text.
    pub bytes: Bytes,
    pub(crate) config: Bytes,
    pub(crate) layers: Vec<Layer>,
    platform: Value,
}

impl Manifest {
    /// An image for one `architecture` of Linux; `padding_bytes` makes its manifest that much longer.
    pub fn of_layers(architecture: &str, layers: Vec<Layer>, padding_bytes: usize) -> Self {
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Cmd": ["/bin/proof", "--version"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = Bytes::from(config.to_string());
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": Descriptor::of(CONFIG, &config).to_json(),
            "layers": layers.iter().map(|layer| layer.descriptor.to_json()).collect::<Vec<_>>(),
        });
        if padding_bytes > 0 {
            manifest["annotations"] = json!({ "test.padding": "x".repeat(padding_bytes) });
        }
        let platform = json!({ "architecture": architecture, "os": "linux" });
        Self { media_type: MANIFEST, bytes: Bytes::from(manifest.to_string()), config, layers, platform }
    }

    /// What its configuration is called in it.
    pub(crate) fn config_descriptor(&self) -> Descriptor {
        Descriptor::of(CONFIG, &self.config)
    }

    /// What an index says of it.
    pub(crate) fn to_json(&self) -> Value {
        let mut descriptor = Descriptor::of(self.media_type, &self.bytes).to_json();
        descriptor["platform"] = self.platform.clone();
        descriptor
    }
}

/// The architecture of this machine, in OCI's words.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

/// The SHA-256 digest of some bytes, as OCI writes it.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct HashWriter<W> {
    inner: W,
    hasher: Sha256,
    written_bytes: u64,
}

impl<W: Write> HashWriter<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), written_bytes: 0 }
    }

    fn finish(mut self) -> (String, u64) {
        self.inner.flush().expect("the last bytes of a layer");
        (format!("sha256:{}", hex(&self.hasher.finalize())), self.written_bytes)
    }
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.written_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct HashReader<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for HashReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
