//! containerd's configuration with its imports, and which form of registry settings it uses.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use toml_edit::{DocumentMut, Item, TableLike};

use super::super::{
    ConfigureError,
    toml_text::{parse, table},
    view::View,
};

/// More files than anyone imports.
const MAX_FILES: usize = 64;

/// `config.toml` and what it imports, in the order in which later files win.
pub(crate) struct Config {
    files: Vec<File>,
    /// The plugin with the registry settings, as this version of the configuration calls it.
    pub(crate) section: &'static str,
    owner: usize,
}

/// One file of it.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Empty where there is no file.
    pub(crate) text: String,
    pub(crate) document: DocumentMut,
}

/// How registries are configured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lists of mirrors, TLS settings or logins in the configuration itself.
    Lists,
    /// By folders with a `hosts.toml` for each registry.
    Folders {
        /// What `config_path` names; never empty.
        roots: Vec<PathBuf>,
        /// Whether every version of containerd takes it as it stands.
        is_settled: bool,
    },
    /// Not at all.
    Nothing,
}

impl Config {
    /// Reads the file at `path` and what it imports.
    pub(crate) fn load(view: &View<'_>, path: &Path) -> Result<Self, ConfigureError> {
        let main = File::load(view, path)?;
        let section = match main.document.get("version").and_then(Item::as_integer) {
            None | Some(..=1) if !main.document.as_table().is_empty() => "cri",
            None | Some(..=2) => "io.containerd.grpc.v1.cri",
            Some(_) => "io.containerd.cri.v1.images",
        };
        let files = with_imports(view, main)?;
        // Versions differ in whether a later file adds to a plugin's section or replaces it. What the last one says
        // counts in all of them.
        let owner = files.iter().rposition(|file| file.plugin(section).is_some()).unwrap_or(0);
        Ok(Self { files, section, owner })
    }

    /// Every file, in the order in which later ones win.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// The file whose settings for registries count.
    pub(crate) fn owner(&self) -> &File {
        &self.files[self.owner]
    }

    /// The files that have to say the same for it to count in every version: some replace a section by that of a later
    /// file, and some do not find imports by a pattern that is no absolute path.
    pub(super) fn deciding(&self) -> impl Iterator<Item = &File> {
        let main = self.files.first().filter(|main| main.path != self.owner().path);
        main.into_iter().chain([self.owner()])
    }

    /// The settings for registries that count.
    pub(crate) fn registry(&self) -> Option<&dyn TableLike> {
        self.owner().registry(self.section)
    }

    /// How registries are configured now.
    pub(crate) fn form(&self) -> Result<Form, ConfigureError> {
        let uses_lists = |file: &&File| file.registry(self.section).is_some_and(uses_lists);
        let owner = self.owner();
        let path = self.files.iter().rev().find_map(|file| file.config_path(self.section));
        if let Some(file) = self.files.iter().find(uses_lists) {
            if path.is_some() {
                return Err(ConfigureError::refused(
                    &file.path,
                    "it has registry mirrors or TLS settings beside a config_path, and containerd starts its image \
                     service with one of them only",
                    "take one of the two out first",
                ));
            }
            if file.path != owner.path {
                return Err(ConfigureError::refused(
                    &file.path,
                    format!(
                        "it lists registry mirrors, and {} has settings of the same plugin: which one counts depends \
                         on containerd's version",
                        owner.path.display()
                    ),
                    "bring both into one file first",
                ));
            }
            return Ok(Form::Lists);
        }
        let Some(path) = path else {
            // Some versions look at logins here only as long as there is no config_path.
            let has_logins = owner.registry(self.section).is_some_and(has_logins);
            return Ok(if has_logins { Form::Lists } else { Form::Nothing });
        };
        let roots: Vec<PathBuf> =
            path.split(':').filter(|part| !part.is_empty()).map(PathBuf::from).collect();
        if roots.is_empty() {
            return Ok(Form::Nothing);
        }
        // An earlier file's setting is lost where a later file replaces the section, so it is said there again.
        let is_settled = roots.len() == 1 && owner.config_path(self.section).is_some();
        Ok(Form::Folders { roots, is_settled })
    }

    /// What makes pulls go another way than the settings for registries say.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.section == "cri" {
            warnings.push(
                "The configuration has no version = 2. containerd 2 does not read settings for registries from such a \
                 file; `containerd config migrate` makes one that it reads."
                    .to_owned(),
            );
        }
        let disabled = |file: &File| {
            let list = file.document.get("disabled_plugins").and_then(Item::as_array);
            list.is_some_and(|list| list.iter().filter_map(|item| item.as_str()).any(is_cri))
        };
        if let Some(file) = self.files.iter().find(|file| disabled(file)) {
            warnings.push(format!(
                "{} disables the plugin that pulls for Kubernetes (disabled_plugins); Docker's packages write it so. \
                 What is configured here serves `ctr --hosts-dir` and nerdctl only; for Docker's own pulls run \
                 `shoal configure docker`.",
                file.path.display()
            ));
        }
        let old = |file: &&File| file.registry("io.containerd.grpc.v1.cri").is_some();
        if let Some(file) =
            self.files.iter().find(old).filter(|_| self.section == "io.containerd.cri.v1.images")
        {
            warnings.push(format!(
                "{} has registry settings under io.containerd.grpc.v1.cri, which a configuration of version 3 does not \
                 read; they stay as they are.",
                file.path.display()
            ));
        }
        warnings
    }
}

impl File {
    fn load(view: &View<'_>, path: &Path) -> Result<Self, ConfigureError> {
        let text = view.read(path)?.unwrap_or_default();
        let document = parse(path, &text)?;
        Ok(Self { path: path.to_owned(), text, document })
    }

    /// The settings of the plugin called `section`.
    pub(crate) fn plugin(&self, section: &str) -> Option<&dyn TableLike> {
        table(&self.document, &["plugins", section])
    }

    /// What they say about registries.
    pub(crate) fn registry(&self, section: &str) -> Option<&dyn TableLike> {
        table(&self.document, &["plugins", section, "registry"])
    }

    /// The folders with `hosts.toml` files, with a colon between them.
    pub(crate) fn config_path(&self, section: &str) -> Option<&str> {
        let path = self.registry(section)?.get("config_path")?.as_str()?;
        Some(path).filter(|path| !path.is_empty())
    }

    fn imports(&self) -> Vec<PathBuf> {
        let list = self.document.get("imports").and_then(Item::as_array);
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let texts = list.into_iter().flatten().filter_map(|item| item.as_str());
        texts.map(|text| folder.join(text)).collect()
    }
}

/// Whether this is what the plugin that pulls for Kubernetes is or was called.
pub(crate) fn is_cri(plugin: &str) -> bool {
    matches!(plugin, "cri" | "io.containerd.grpc.v1.cri" | "io.containerd.cri.v1.images")
}

/// What containerd does not take beside a `config_path`.
pub(crate) fn uses_lists(registry: &dyn TableLike) -> bool {
    let has_tls = |(_, host): (&str, &Item)| host.get("tls").is_some();
    filled(registry, "mirrors").is_some()
        || filled(registry, "configs").is_some_and(|hosts| hosts.iter().any(has_tls))
}

fn has_logins(registry: &dyn TableLike) -> bool {
    let in_configs = filled(registry, "configs");
    let has_auth = |(_, host): (&str, &Item)| host.get("auth").is_some();
    filled(registry, "auths").is_some() || in_configs.is_some_and(|hosts| hosts.iter().any(has_auth))
}

/// The table called `key`. Empty ones are what `containerd config default` prints, and say nothing.
fn filled<'a>(registry: &'a dyn TableLike, key: &str) -> Option<&'a dyn TableLike> {
    registry.get(key).and_then(Item::as_table_like).filter(|table| !table.is_empty())
}

/// `main` and its imports, breadth first and each once, as containerd reads them.
fn with_imports(view: &View<'_>, main: File) -> Result<Vec<File>, ConfigureError> {
    let mut seen = BTreeSet::from([main.path.clone()]);
    let mut files = vec![main];
    let mut next = 0;
    while let Some(file) = files.get(next) {
        for path in expand(view, &file.path.clone(), file.imports())? {
            if seen.insert(path.clone()) {
                files.push(File::load(view, &path)?);
            }
        }
        next += 1;
        if files.len() > MAX_FILES {
            let what = format!("it imports more than {MAX_FILES} files");
            return Err(ConfigureError::refused(&files[0].path, what, "bring them into fewer files"));
        }
    }
    Ok(files)
}

fn expand(view: &View<'_>, importer: &Path, imports: Vec<PathBuf>) -> Result<Vec<PathBuf>, ConfigureError> {
    let mut expanded = Vec::new();
    for import in imports {
        let folder = import.parent().unwrap_or(Path::new("/")).to_owned();
        let name = import.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if folder.to_string_lossy().contains(['*', '?', '[']) || name.contains(['?', '[']) {
            let what = format!("it imports {}, a pattern that Shoal does not follow", import.display());
            return Err(ConfigureError::refused(
                importer,
                what,
                "import the files by name, or with one `*` in it",
            ));
        }
        if !name.contains('*') {
            expanded.push(import);
            continue;
        }
        let matching = view.files(&folder)?.into_iter().filter(|file| matches(name, file));
        expanded.extend(matching.map(|file| folder.join(file)));
    }
    Ok(expanded)
}

/// Whether `name` is what `pattern` means, each `*` standing for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(tail) = name.strip_prefix(start) else { return false };
    (0..=tail.len()).filter_map(|at| tail.get(at..)).any(|tail| matches(rest, tail))
}
