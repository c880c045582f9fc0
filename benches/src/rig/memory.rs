//! Memory that the host of a virtual machine does not take back.
//!
//! Many hosts take free memory back from their guests within seconds, in blocks of 2 MiB (the kernel calls it free page
//! reporting), and bring it again page by page as it is written to. That takes ten times as long as the writing, counts
//! as processor time of whoever writes, and is not what is measured here. A file in memory that has one page of each
//! block, and nothing else, leaves what is between free for everyone, in pieces too small to be taken back.

use std::{
    fs,
    io::{self, Write},
    os::fd::OwnedFd,
};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use tokio::task::yield_now;

use crate::record::memory_bytes;

const BLOCK_BYTES: u64 = 2 * 1024 * 1024;
const PAGE_BYTES: u64 = 4096;

/// Free memory that stays this machine's for as long as this lives.
#[derive(Debug)]
pub struct KeptMemory {
    /// One page of each block.
    _pages: OwnedFd,
}

impl KeptMemory {
    /// Keeps `wanted_bytes`, or half of what is available if that is less. Takes up to a few seconds for each GiB, as all
    /// of it is written to once; a future that is dropped before gives all of it back.
    ///
    /// # Errors
    /// When the system does not have what it called available.
    pub async fn keep(wanted_bytes: u64) -> io::Result<Self> {
        let blocks = wanted_bytes.min(memory_bytes("MemAvailable") / 2) / BLOCK_BYTES;
        let mut file = fs::File::from(memfd_create("kept", MemfdFlags::CLOEXEC)?);
        let zeros = vec![0; BLOCK_BYTES as usize];
        for _ in 0..blocks {
            file.write_all(&zeros)?;
            yield_now().await;
        }
        for start in (0..blocks).map(|block| block * BLOCK_BYTES) {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&file, hole, start + PAGE_BYTES, BLOCK_BYTES - PAGE_BYTES)?;
        }
        Ok(Self { _pages: file.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::linux::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn one_page_of_each_block_is_held() {
        let kept = KeptMemory::keep(8 * BLOCK_BYTES + 1).await.unwrap();
        let held = fs::File::from(kept._pages).metadata().unwrap();
        assert_eq!((held.len(), held.st_blocks() * 512), (8 * BLOCK_BYTES, 8 * PAGE_BYTES));
    }
}
