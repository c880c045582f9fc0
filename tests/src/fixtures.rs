//! The images of the tests, made once and kept beside the build, in the form a registry stores them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Instant,
};

use bytes::Bytes;

use crate::{
    debian::RootFs,
    image::{Content, Layer, Manifest, architecture},
    push::Pusher,
    registry::Registry,
    scratch::work_dir,
    stored::Image,
};

/// What a container prints that runs the one program of the images that are not Debian's.
pub const PROOF: &str = "ldconfig (Debian";
/// What a container of the Debian image prints when it runs `/usr/local/bin/hello`.
pub const HELLO: &str = "hello from Debian";

/// Goes up when the images change, so that old ones are not mistaken for them.
const VERSION: &str = "fixtures-1";
const MEBIBYTE: u64 = 1024 * 1024;

/// The images, and where they are stored.
#[derive(Debug)]
pub struct Fixtures {
    folder: PathBuf,
}

impl Fixtures {
    /// The images; made now if they never were, which takes a minute and the network.
    pub async fn get() -> Self {
        let folder = work_dir().join(VERSION);
        fs::create_dir_all(&folder).expect("a folder for the images");
        let lock = File::create(folder.join("lock")).expect("a lock for the images");
        // Held until the images are there: another test binary may want them at the same time.
        let lock = tokio::task::spawn_blocking(|| lock.lock().map(|()| lock)).await.expect("a task");
        let _lock = lock.expect("the lock");
        let fixtures = Self { folder };
        if !fixtures.folder.join("complete").exists() {
            let started = Instant::now();
            fixtures.make().await;
            println!("made the images of the tests in {:.0?}", started.elapsed());
        }
        fixtures
    }

    /// The registry's storage; read-only, as several registries use it at a time.
    pub fn storage(&self) -> PathBuf {
        self.folder.join("storage")
    }

    /// An image that is in it.
    pub fn image(&self, repository: &str, tag: &str) -> Image {
        Image::stored(&self.storage(), repository, tag)
    }

    /// A layer with the program that prints [`PROOF`], for images of a test's own.
    pub fn proof(&self) -> (String, Content) {
        let program = fs::read(self.folder.join("proof")).expect("the program that proves an image runs");
        ("bin/proof".to_owned(), Content::Bytes(Bytes::from(program)))
    }

    async fn make(&self) {
        let workshop = tempfile::tempdir_in(&self.folder).expect("a folder to make images in");
        // What an interrupted run left would be mixed with what this one makes.
        let _ = fs::remove_dir_all(self.storage());
        let registry = Registry::start(&self.storage(), workshop.path()).await;
        let pusher = Pusher::new(registry.address());
        let root = RootFs::install(workshop.path().join("root")).await;
        fs::copy(root.static_program(), self.folder.join("proof")).expect("a copy of the program");

        let maker = Maker { folder: workshop.path(), fixtures: self };
        pusher.push("debian", "v1", &maker.debian(&root).await).await;
        pusher.push("many-layers", "v1", &maker.many_layers()).await;
        pusher.push("medium", "v1", &maker.one_layer("medium", 64 * MEBIBYTE)).await;
        pusher.push("large", "v1", &maker.one_layer("large", 1024 * MEBIBYTE)).await;
        pusher.push("odd-sizes", "v1", &maker.odd_sizes()).await;
        pusher.push("empty-layer", "v1", &maker.empty_layer()).await;
        pusher.push("long-manifest", "v1", &maker.long_manifest()).await;
        pusher.push_index("platforms", "v1", &maker.platforms()).await;
        File::create(self.folder.join("complete")).expect("a mark that the images are complete");
    }
}

/// Makes the images, one function each.
struct Maker<'a> {
    folder: &'a Path,
    fixtures: &'a Fixtures,
}

impl Maker<'_> {
    /// Debian as it is, data, and a program: as an application's image is built.
    async fn debian(&self, root: &RootFs) -> Manifest {
        let tar = self.folder.join("debian.tar");
        root.to_tar(&tar).await;
        let base = Layer::compressed(&tar, self.folder.join("debian.tar.gz"));
        let data = Content::Noise { len_bytes: 9 * MEBIBYTE + 77, seed: 1 };
        let data = Layer::of_files(self.folder.join("data"), [("srv/data".to_owned(), data)]);
        let script =
            "#!/bin/sh\necho hello from Debian $(cat /etc/debian_version), $(wc -c < /srv/data) bytes\n";
        let script = Content::Bytes(Bytes::from_static(script.as_bytes()));
        let app = Layer::of_files(self.folder.join("app"), [("usr/local/bin/hello".to_owned(), script)]);
        Manifest::of_layers(architecture(), vec![base, data, app], 0)
    }

    fn many_layers(&self) -> Manifest {
        let noise = |n: u64| {
            let content = Content::Noise { len_bytes: 1024 * (1 + 7 * n), seed: 1000 + n };
            Layer::of_files(self.folder.join(format!("layer-{n}")), [(format!("srv/{n}"), content)])
        };
        let mut layers = vec![Layer::of_files(self.folder.join("layer"), [self.fixtures.proof()])];
        layers.extend((1..40).map(noise));
        Manifest::of_layers(architecture(), layers, 0)
    }

    fn one_layer(&self, name: &str, len_bytes: u64) -> Manifest {
        let noise = Content::Noise { len_bytes, seed: len_bytes };
        let files = [self.fixtures.proof(), (format!("srv/{name}"), noise)];
        Manifest::of_layers(architecture(), vec![Layer::of_files(self.folder.join(name), files)], 0)
    }

    /// One byte, one piece, many pieces exactly, and one byte to either side.
    fn odd_sizes(&self) -> Manifest {
        let piece = shoal_protocol::bounds::MIN_PIECE_BYTES as usize;
        let sizes = [1, piece - 1, piece, piece + 1, 128 * piece];
        let layers = sizes.map(|size| {
            let mut bytes = vec![0; size];
            fastrand::Rng::with_seed(size as u64).fill(&mut bytes);
            Layer::of_bytes(self.folder.join(format!("odd-{size}")), &bytes)
        });
        Manifest::of_layers(architecture(), layers.to_vec(), 0)
    }

    /// In an image of its own, as containerd refuses it.
    fn empty_layer(&self) -> Manifest {
        let layer = Layer::of_bytes(self.folder.join("empty"), &[]);
        Manifest::of_layers(architecture(), vec![layer], 0)
    }

    fn long_manifest(&self) -> Manifest {
        let layer = Layer::of_files(self.folder.join("short"), [self.fixtures.proof()]);
        Manifest::of_layers(architecture(), vec![layer], 3 * 1024 * 1024)
    }

    fn platforms(&self) -> Vec<Manifest> {
        let platform = |(n, architecture): (u64, &&str)| {
            let noise = Content::Noise { len_bytes: 300_000, seed: 2000 + n };
            let files = [self.fixtures.proof(), ("srv/platform".to_owned(), noise)];
            let layer = Layer::of_files(self.folder.join(format!("platform-{n}")), files);
            Manifest::of_layers(architecture, vec![layer], 0)
        };
        (0..).zip(&["amd64", "arm64", "riscv64"]).map(platform).collect()
    }
}
