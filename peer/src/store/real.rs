//! The operating system's file system.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

use super::disk::{Disk, DiskFile, Kind, Listed, Open};

/// Layers of private images lie here: nobody else on the node reads them past the mirror's policy.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Written at a time. Longer writes make the kernel take its page cache in blocks of two megabytes and more: memory
/// that it seldom has at hand, and that the host of a virtual machine may have to bring first.
const WRITE_BYTES: usize = 512 * 1024;

/// The [`Disk`] of production.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        fs::read_dir(path)?
            .filter_map(|entry| match entry.and_then(|entry| listed(&entry)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                result => Some(result),
            })
            .collect()
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).mode(FILE_MODE).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        match how {
            Open::Read => &mut options,
            Open::Update => options.write(true),
            Open::Ensure => options.write(true).create(true),
            Open::New => options.write(true).create_new(true),
        };
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

fn listed(entry: &fs::DirEntry) -> io::Result<Listed> {
    let metadata = entry.metadata()?;
    let kind = if metadata.is_file() {
        Kind::File { len_bytes: metadata.len() }
    } else if metadata.is_dir() {
        Kind::Dir
    } else {
        Kind::Odd
    };
    Ok(Listed { name: entry.file_name(), kind })
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    #[cfg(target_os = "linux")]
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        let mut parts = [io::IoSliceMut::new(bytes)];
        match preadv2(&self.0, &mut parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(read_bytes) => Ok(read_bytes),
            // Not in memory, or a file system that can't tell: to be read the other way.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut offset = offset;
        for part in bytes.chunks(WRITE_BYTES) {
            self.0.write_all_at(part, offset)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }

    #[cfg(target_os = "linux")]
    fn forget_cache(&self) {
        // Advice: where the file system does not take it, reads are merely less telling.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::DontNeed);
    }

    #[cfg(not(target_os = "linux"))]
    fn forget_cache(&self) {}

    fn std_file(&self) -> Option<&File> {
        Some(&self.0)
    }
}
