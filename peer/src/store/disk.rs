//! The one way to the disk: what the store needs of a file system, and nothing more.
//!
//! Tests put a file system behind these two traits that loses, tears and refuses what it likes.

use std::{ffi::OsString, fmt, fs::File, io, path::Path, sync::Arc};

/// A file system, as the store sees it.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory and those above it. That it exists already is no error.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// What is in a directory, in any order.
    fn list(&self, path: &Path) -> io::Result<Vec<Listed>>;

    /// Opens a regular file; never follows a symbolic link.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Moves a file, over what had the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; who has it open keeps its bytes.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// An open file. Offsets are explicit, so that many threads share one handle.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Length now.
    fn len_bytes(&self) -> io::Result<u64>;

    /// Cuts the file, or grows it by zeros.
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;

    /// Fills `bytes` from `offset`; fails when the file ends before.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Reads what is in memory of the bytes from `offset` on, and never waits for the disk: less than asked for, or
    /// nothing, says nothing about the file.
    fn read_cached(&self, _offset: u64, _bytes: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content durable, and what it takes to read it back.
    fn sync_data(&self) -> io::Result<()>;

    /// Takes the file for this process alone; false when another one has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Gives up that lock.
    fn unlock(&self) -> io::Result<()>;

    /// Asks for the next reads to come from the disk itself: a page cache can show what the disk lost.
    fn forget_cache(&self);

    /// The operating system's file, where there is one: to stream from.
    fn std_file(&self) -> Option<&File>;
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read what exists.
    Read,
    /// To read and write what exists.
    Update,
    /// To read and write; made when missing.
    Ensure,
    /// To read and write a new file; fails when the name is taken.
    New,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Name within the directory.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length.
        len_bytes: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link, a socket, a device: nothing of ours.
    Odd,
}
