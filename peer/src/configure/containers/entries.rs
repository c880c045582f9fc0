//! What `registries.conf` and the files beside it say about registries.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::super::{
    ConfigureError,
    toml_text::{parse, table},
    view::View,
};

use super::FOLDER;

/// The main file: the first of these that is there.
pub(crate) const MAIN: [&str; 2] =
    ["/etc/containers/registries.conf", "/usr/share/containers/registries.conf"];

/// All entries that count, one for each prefix.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) list: Vec<Entry>,
    /// Those in whose place a later file put others.
    pub(crate) replaced: Vec<Entry>,
    /// The name of the last file besides the main one that has entries.
    pub(super) last_file: Option<String>,
}

/// What is said about the images whose names begin with a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) prefix: String,
    /// The file that says it; empty for what no file says.
    pub(crate) source: PathBuf,
    pub(crate) fields: Fields,
    pub(crate) mirrors: Vec<Fields>,
}

/// Keys and values, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, Value)>);

impl Entries {
    /// Reads the main file and those beside it.
    pub(crate) fn load(view: &View<'_>) -> Result<Self, ConfigureError> {
        for path in MAIN.map(Path::new) {
            if view.read(path)?.is_some() {
                return Self::read(view, path, Path::new(FOLDER));
            }
        }
        Self::read(view, Path::new(MAIN[0]), Path::new(FOLDER))
    }

    /// Reads the file at `path` and those in the folder of its name with `.d`.
    pub(crate) fn load_from(view: &View<'_>, path: &Path) -> Result<Self, ConfigureError> {
        let mut folder = path.as_os_str().to_owned();
        folder.push(".d");
        Self::read(view, path, Path::new(&folder))
    }

    fn read(view: &View<'_>, main: &Path, folder: &Path) -> Result<Self, ConfigureError> {
        let mut entries = Self::default();
        let document = parse(main, &view.read(main)?.unwrap_or_default())?;
        entries.merge(main, &document);
        entries.merge_first_version(main, &document);
        for name in view.files(folder)?.into_iter().filter(|name| name.ends_with(".conf")) {
            let path: PathBuf = folder.join(&name);
            let document = parse(&path, &view.read(&path)?.unwrap_or_default())?;
            entries.merge(&path, &document);
            if document.contains_key("registry") {
                entries.last_file = Some(name);
            }
        }
        Ok(entries)
    }

    /// A later entry replaces one of the same prefix.
    fn merge(&mut self, source: &Path, document: &DocumentMut) {
        for table in tables(document.get("registry")) {
            let Some(entry) = Entry::of(source, table) else { continue };
            let same = |known: &mut Entry| known.prefix == entry.prefix;
            self.replaced.extend(self.list.extract_if(.., same));
            self.list.push(entry);
        }
    }

    /// The form of the time before prefixes: lists of insecure and of blocked registries.
    fn merge_first_version(&mut self, source: &Path, document: &DocumentMut) {
        for (list, key) in [("insecure", "insecure"), ("block", "blocked")] {
            let registries = table(document, &["registries", list]).and_then(|table| table.get("registries"));
            for host in registries.and_then(Item::as_array).into_iter().flatten().filter_map(Value::as_str) {
                let host = host.trim_end_matches('/');
                if !self.list.iter().any(|entry| entry.prefix == host) {
                    self.list.push(Entry { source: source.to_owned(), ..Entry::new(host) });
                }
                let entry = self.list.iter_mut().find(|entry| entry.prefix == host);
                entry.into_iter().for_each(|entry| entry.fields.0.push((key.to_owned(), true.into())));
            }
        }
    }

    /// What counts for the images of `host`: an entry for all of them, and those for some.
    pub(super) fn for_host(&self, host: &str) -> Vec<Entry> {
        let is_part = |entry: &&Entry| {
            entry.prefix.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut entries: Vec<Entry> = self.list.iter().filter(is_part).cloned().collect();
        if !entries.iter().any(|entry| entry.prefix == host) {
            entries.insert(0, self.wildcard_for(host).unwrap_or_else(|| Entry::new(host)));
        }
        entries
    }

    /// An entry of its own takes a registry out of an entry for `*.domain`, so it says the same.
    fn wildcard_for(&self, host: &str) -> Option<Entry> {
        let covers =
            |entry: &&Entry| entry.prefix.strip_prefix('*').is_some_and(|domain| host.ends_with(domain));
        let mut entry = self.list.iter().filter(covers).max_by_key(|entry| entry.prefix.len())?.clone();
        host.clone_into(&mut entry.prefix);
        entry.fields.0.retain(|(key, _)| key != "prefix");
        let location = entry.fields.text("location").unwrap_or(host).to_owned();
        entry.fields.0.retain(|(key, _)| key != "location");
        entry.fields.0.insert(0, ("location".to_owned(), location.into()));
        entry.fields.0.insert(0, ("prefix".to_owned(), host.into()));
        Some(entry)
    }
}

impl Entry {
    /// All images of `host`, at `host`.
    fn new(host: &str) -> Self {
        let fields = ["prefix", "location"].map(|key| (key.to_owned(), Value::from(host)));
        Self {
            prefix: host.to_owned(),
            source: PathBuf::new(),
            fields: Fields(fields.to_vec()),
            mirrors: Vec::new(),
        }
    }

    fn of(source: &Path, table: &dyn TableLike) -> Option<Self> {
        let fields = Fields::of(table);
        let prefix = fields.text("prefix").filter(|prefix| !prefix.is_empty()).or(fields.text("location"))?;
        let prefix = prefix.trim_end_matches('/').to_owned();
        Some(Self {
            prefix,
            source: source.to_owned(),
            fields,
            mirrors: tables(table.get("mirror")).into_iter().map(Fields::of).collect(),
        })
    }

    /// Whether a switch is on.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.fields.is(key)
    }

    /// Where the images are.
    pub(crate) fn location(&self) -> &str {
        let location = self.fields.text("location").filter(|location| !location.is_empty());
        location.unwrap_or(&self.prefix).trim_end_matches('/')
    }
}

impl Fields {
    fn of(table: &dyn TableLike) -> Self {
        let values = table.iter().filter(|(key, _)| *key != "mirror");
        let plain = |(key, item): (&str, &Item)| Some((key.to_owned(), item.clone().into_value().ok()?));
        Self(values.filter_map(plain).collect())
    }

    /// The text called `key`.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key)?.1.as_str()
    }

    /// Whether a switch is on.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.0.iter().any(|(name, value)| name == key && value.as_bool() == Some(true))
    }

    /// One line for each.
    pub(super) fn to_text(&self) -> String {
        let line = |(key, value): &(String, Value)| {
            let mut value = value.clone();
            value.decor_mut().clear();
            format!("{key} = {value}\n")
        };
        self.0.iter().map(line).collect()
    }
}

/// The tables in a list of them, in either way of writing it.
fn tables(item: Option<&Item>) -> Vec<&dyn TableLike> {
    match item {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Some(Item::Value(Value::Array(items))) => {
            items.iter().filter_map(Value::as_inline_table).map(|table| table as &dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}
