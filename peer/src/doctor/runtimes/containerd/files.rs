//! A containerd as its files make it: what it reads of them, by its version and theirs.

use std::path::{Path, PathBuf};

use toml_edit::{Item, TableLike, Value};

use crate::{
    configure::{
        ConfigureError,
        reading::{CONTAINERD_CONFIG, Config, DEFAULT_FOLDER, FOLDER, File, View, is_cri},
    },
    doctor::runtimes::{at::Relation, hosts_file::HostsFile, process, site::Site, unit, version::Version},
};

/// The plugin with the settings for registries, as it was called in configurations of version 1, 2 and 3.
pub(super) const SECTIONS: [&str; 3] = ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"];
/// The folders of 2.2 and later where no `config_path` is set.
const BUILT_IN_FOLDERS: &str = "/etc/containerd/certs.d:/etc/docker/certs.d";

/// A containerd as its files make it.
pub(in crate::doctor) struct Containerd {
    pub(super) site: Site,
    pub(super) version: Option<Version>,
    pub(super) config: Config,
    /// The `hosts.toml` files in the folders of `config_path`.
    pub(super) read: Vec<HostsFile>,
    /// Those in the usual folder where `config_path` does not name it.
    pub(super) unread: Vec<HostsFile>,
    /// `HTTP_PROXY` and the like, as its service sets them.
    pub(super) environment: Vec<(String, String)>,
    /// When the newest of its processes started, in seconds since 1970; `None` where none runs.
    pub(super) started_s: Option<u64>,
    /// When the newest of its configuration files was written, in seconds since 1970.
    pub(super) written: Option<(PathBuf, u64)>,
}

impl Containerd {
    pub(super) fn load(site: &Site, version: Option<Version>) -> Result<Self, ConfigureError> {
        let view = View::as_is(&site.root);
        let config = Config::load(&view, Path::new(CONTAINERD_CONFIG))?;
        let files = config.files().iter().map(|file| file.path.as_path());
        let mut containerd = Self {
            version,
            environment: unit::environment(&view, "containerd")?,
            started_s: process::newest_start_s(&site.root, "containerd"),
            written: process::newest_file(&site.root, files),
            config,
            site: site.clone(),
            read: Vec::new(),
            unread: Vec::new(),
        };
        let roots = containerd.roots();
        for root in &roots {
            containerd.read.extend(HostsFile::all(&view, root)?);
        }
        if !roots.iter().any(|root| root == Path::new(FOLDER)) {
            containerd.unread = HostsFile::all(&view, Path::new(FOLDER))?;
        }
        Ok(containerd)
    }

    pub(super) fn described(&self) -> String {
        match self.config.files().len() {
            1 => self.name(),
            files => format!("{}, {files} files of configuration", self.name()),
        }
    }

    /// The program, with its version where that is known.
    pub(super) fn name(&self) -> String {
        self.version.map_or_else(|| "containerd".to_owned(), |version| format!("containerd {version}"))
    }

    /// Whether the older puller is chosen in place of the transfer service.
    pub(super) fn pulls_by_itself(&self) -> bool {
        let is_set = |file: &File| file.plugin(SECTIONS[2])?.get("use_local_image_pull")?.as_bool();
        self.config.files().iter().rev().find_map(is_set) == Some(true)
    }

    /// Whether this containerd is at least `version`; true as well where nobody knows.
    pub(super) fn may_be(&self, version: Version) -> bool {
        self.version.is_none_or(|own| own >= version)
    }

    /// The `version` at the top of the main file; 0 where it says none.
    pub(super) fn format(&self) -> i64 {
        let main = self.config.files().first();
        main.and_then(|main| main.document.get("version")?.as_integer()).unwrap_or(0)
    }

    /// The names under which this version of containerd reads its settings from such a file.
    pub(super) fn sections(&self) -> &'static [&'static str] {
        let [first, second, third] = [&SECTIONS[..1], &SECTIONS[1..2], &SECTIONS[2..]];
        match (self.version.map(|version| version.major), self.format()) {
            (Some(..=1), ..=1) => first,
            (Some(..=1), _) => second,
            (None, ..=1) => &SECTIONS,
            (_, 2) => &SECTIONS[1..],
            _ => third,
        }
    }

    /// Settings for registries that it reads, with the file, in the order in which later ones win.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&File, &dyn TableLike)> {
        let of = |file| {
            self.sections().iter().filter_map(move |section| Some((file, File::registry(file, section)?)))
        };
        self.config.files().iter().flat_map(of)
    }

    /// Its `config_path`, with the file that sets it.
    pub(super) fn config_path(&self) -> Option<(&File, &str)> {
        let sections = self.sections();
        let path_of = |file| sections.iter().find_map(|section| File::config_path(file, section));
        self.config.files().iter().rev().find_map(|file| Some((file, path_of(file)?)))
    }

    /// The folders that it is to read.
    pub(super) fn roots(&self) -> Vec<PathBuf> {
        let built_in =
            self.version.filter(|version| *version >= Version::new(2, 2)).map(|_| BUILT_IN_FOLDERS);
        let path = self.config_path().map(|(_, path)| path).or(built_in).unwrap_or_default();
        path.split(':').filter(|part| !part.is_empty()).map(PathBuf::from).collect()
    }

    /// Each registry with mirrors in the older form, and these; `*` is all others.
    pub(super) fn lists(&self) -> Vec<(&File, &str, Vec<&str>)> {
        let mut lists = Vec::new();
        for (file, registry) in self.settings() {
            let mirrors = registry.get("mirrors").and_then(Item::as_table_like);
            for (host, mirror) in mirrors.into_iter().flat_map(TableLike::iter) {
                let endpoints = mirror.get("endpoint").and_then(Item::as_array);
                let texts = endpoints.into_iter().flatten().filter_map(Value::as_str).collect();
                lists.push((file, host, texts));
            }
        }
        lists
    }

    /// Every address that some file gives for a mirror, whether the file is read or not.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        let files = self.read.iter().chain(&self.unread);
        let in_files = files.flat_map(|file| file.hosts.iter().map(|host| host.url.as_str()));
        in_files.chain(self.lists().into_iter().flat_map(|(_, _, endpoints)| endpoints))
    }

    /// Whether the plugin that pulls for Kubernetes is off.
    pub(super) fn is_without_cri(&self) -> bool {
        let lists =
            self.config.files().iter().filter_map(|file| file.document.get("disabled_plugins")?.as_array());
        lists.flatten().filter_map(Value::as_str).any(is_cri)
    }

    /// Where it listens.
    pub(in crate::doctor) fn socket(&self) -> PathBuf {
        const USUAL: &str = "/run/containerd/containerd.sock";
        let address = |file: &File| file.document.get("grpc")?.get("address")?.as_str().map(PathBuf::from);
        self.config.files().iter().rev().find_map(address).unwrap_or_else(|| USUAL.into())
    }

    /// A registry whose images come through the mirror: one that is none, where all of them do.
    pub(in crate::doctor) fn canary_place(&self) -> Option<String> {
        const NO_REGISTRY: &str = "shoal-canary.invalid";
        let is_mirror = |address: &&str| self.site.mirror.relation(address) == Relation::Mirror;
        let files = self.read.iter().filter(|file| file.position_of(self.site.mirror).is_some());
        let mut places: Vec<String> = files.map(HostsFile::registry_name).collect();
        let lists = self.lists().into_iter().filter(|(_, _, list)| list.iter().any(is_mirror));
        places.extend(lists.map(|(_, host, _)| host.to_owned()));
        // Nobody else can be asked for the one that is none.
        let is_for_all = |place: &String| place == DEFAULT_FOLDER || place == "*";
        if places.iter().any(is_for_all) { Some(NO_REGISTRY.to_owned()) } else { places.into_iter().next() }
    }
}
