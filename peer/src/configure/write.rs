//! Files and folders come and go whole: another process sees the old one or the new one, after a power cut, too.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use super::{ConfigureError, Root};

/// Mode of a configuration file that was not there before.
pub(super) const NEW_FILE_MODE: u32 = 0o644;
/// Mode of a file that only its owner may read.
pub(super) const PRIVATE_FILE_MODE: u32 = 0o600;

/// Puts `text` in the place of the file at `path`, which no link is part of. Its mode and owner stay; one that was
/// not there gets `new_mode`.
pub(super) fn write_file(root: &Root, path: &Path, text: &str, new_mode: u32) -> Result<(), ConfigureError> {
    replace(&root.on_disk(path), text, new_mode)
        .map_err(|source| ConfigureError::Write { path: path.to_owned(), source })
}

fn replace(path: &Path, text: &str, new_mode: u32) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new().prefix(".shoal-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    match fs::metadata(path) {
        Ok(before) => {
            let made = file.as_file().metadata()?;
            if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
                fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
            }
            file.as_file().set_permissions(Permissions::from_mode(before.mode() & 0o7777))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            file.as_file().set_permissions(Permissions::from_mode(new_mode))?;
        }
        Err(error) => return Err(error),
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// Removes a file; none is fine.
pub(super) fn remove_file(root: &Root, path: &Path) -> Result<(), ConfigureError> {
    let on_disk = root.on_disk(path);
    let outcome = fs::remove_file(&on_disk).and_then(|()| match on_disk.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    });
    match outcome {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ConfigureError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The folders on the way to the file at `path` that are not there yet, outermost first.
pub(super) fn missing_folders(root: &Root, path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1);
    let mut missing: Vec<_> =
        above.take_while(|folder| !root.on_disk(folder).exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Makes a folder with `mode`; it may be there already.
pub(super) fn make_folder(root: &Root, path: &Path, mode: u32) -> Result<(), ConfigureError> {
    let on_disk = root.on_disk(path);
    let outcome =
        fs::create_dir(&on_disk).and_then(|()| fs::set_permissions(&on_disk, Permissions::from_mode(mode)));
    match outcome {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(ConfigureError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Removes a folder if nothing is in it.
pub(super) fn remove_empty_folder(root: &Root, path: &Path) -> Result<(), ConfigureError> {
    use io::ErrorKind::{DirectoryNotEmpty, NotADirectory, NotFound};
    match fs::remove_dir(root.on_disk(path)) {
        // Somebody uses it by now, or put something else in its place.
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | DirectoryNotEmpty) => Ok(()),
        Err(source) => Err(ConfigureError::Write { path: path.to_owned(), source }),
        Ok(()) => Ok(()),
    }
}
