//! How much room the file system of a folder has.

use std::path::{Path, PathBuf};

use rustix::fs::{StatVfs, statvfs};

/// The folder itself, or the nearest one above it that exists.
pub(super) fn nearest(dir: &Path) -> PathBuf {
    let above = dir.ancestors().find(|above| above.exists());
    // A relative path has nothing above its first name but where we are.
    above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// What the file system says of itself.
pub(super) fn of(dir: &Path) -> Result<StatVfs, String> {
    let place = nearest(dir);
    statvfs(&place).map_err(|error| format!("{} can't be measured: {error}", place.display()))
}
