//! The file system that a runtime sees: the machine's own, or a folder that stands for one.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::ConfigureError;

/// As many links as Linux itself follows in one path.
const MAX_LINKS: usize = 40;

/// Largest file that is taken for configuration, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// A folder that all paths are below. Links that point to an absolute path stay below it, too.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// What is in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
}

impl Root {
    /// The file system below `folder`; `/` is this machine's own.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Whether it is this machine's own file system.
    pub(crate) fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Where the system finds `path`, which is absolute below this root.
    pub fn on_disk(&self, path: &Path) -> PathBuf {
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// `path` without links, as seen below the root. What does not exist is taken as it is written.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf, ConfigureError> {
        self.follow(path).map_err(|source| ConfigureError::Read { path: path.to_owned(), source })
    }

    fn follow(&self, path: &Path) -> io::Result<PathBuf> {
        let mut pending = parts(path);
        let mut resolved = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = pending.pop_front() {
            if part == ".." {
                resolved.pop();
                continue;
            }
            let next = resolved.join(&part);
            match fs::read_link(self.on_disk(&next)) {
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(io::Error::other("too many symbolic links"));
                    }
                    if target.is_absolute() {
                        resolved = PathBuf::from("/");
                    }
                    parts(&target).into_iter().rev().for_each(|part| pending.push_front(part));
                }
                Err(_) => resolved = next,
            }
        }
        Ok(resolved)
    }

    /// The text of a file, `None` where there is none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, ConfigureError> {
        let outcome = self.follow(path).and_then(|real| read_bounded(&self.on_disk(&real)));
        match outcome {
            Ok(text) => Ok(Some(text)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(ConfigureError::Read { path: path.to_owned(), source }),
        }
    }

    /// What is in a folder, by name; nothing where there is no folder.
    pub(crate) fn entries(&self, folder: &Path) -> Result<Vec<Entry>, ConfigureError> {
        let outcome = self.follow(folder).and_then(|real| self.list(&real));
        match outcome {
            Ok(entries) => Ok(entries),
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            Err(source) => Err(ConfigureError::Read { path: folder.to_owned(), source }),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.on_disk(folder))? {
            // A name that is no text names no registry and no file of a runtime.
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let real = self.follow(&folder.join(&name))?;
            let is_folder = self.on_disk(&real).is_dir();
            entries.push(Entry { name, is_folder });
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }
}

/// The names along a path; `..` stays, for links have to be followed first.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    named.collect()
}

fn read_bounded(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    fs::read_to_string(path)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
