//! A file system in memory that keeps, at a crash, only what it promised.
//!
//! Beside what programs see it knows what is durable: content of a file as of its last sync, names in a directory as
//! of the last sync of that directory. A crash takes a random choice of the writes and names since, each write whole,
//! torn by sectors or not at all, in any order. The one promise about names that were not synced: a rename never
//! loses the file.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    super::disk::{Disk, DiskFile, Kind, Listed, Open},
    Random,
    fault_state::{Change, Entry, NameChange, Node, State, apply, set},
};

#[derive(Clone, Debug, Default)]
pub(super) struct FaultDisk(Arc<Mutex<State>>);

impl FaultDisk {
    /// Stops the disk before the operation that comes after so many more.
    pub(super) fn crash_after(&self, operations: u64) {
        let mut state = self.state();
        state.crash_at = Some(state.operations + operations);
    }

    pub(super) fn is_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Lets the sync after so many more fail once, and lose what it was to make durable.
    pub(super) fn fail_sync_after(&self, syncs: u64) {
        self.state().syncs_until_failure = Some(syncs);
    }

    /// Bounds the bytes of all files together.
    pub(super) fn limit(&self, capacity_bytes: Option<u64>) {
        self.state().capacity_bytes = capacity_bytes;
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    pub(super) fn set_read_only(&self) {
        self.state().read_only = true;
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }

    /// Cuts the power, if the disk has not stopped yet, and comes back with what `choice` lets survive.
    pub(super) fn reboot(&self, choice: u64) {
        self.state().reboot(&mut Random(choice));
    }

    /// Ends the process, not the machine: what was written stays to be seen, and is no more durable than before.
    pub(super) fn kill(&self) {
        let mut state = self.state();
        state.nodes.iter_mut().for_each(|node| node.locked = false);
        let (names, nodes) = (std::mem::take(&mut state.names), std::mem::take(&mut state.nodes));
        let pending = std::mem::take(&mut state.pending);
        state.restart(names, nodes, pending);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Disk for FaultDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step_write()?;
        let missing: Vec<_> = path.ancestors().filter(|dir| !state.names.contains_key(*dir)).collect();
        for dir in missing.into_iter().rev() {
            let number = state.change_name(dir, Some(Entry::Dir), None);
            if !dir.starts_with("/store") || dir == Path::new("/store") {
                // What is above the store's directory is not the store's to make durable.
                state.durable.insert(dir.to_owned(), Entry::Dir);
                state.pending.retain(|change| change.number != number);
            }
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let mut state = self.state();
        state.step()?;
        if state.names.get(path) != Some(&Entry::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let children = state.names.iter().filter(|(name, _)| name.parent() == Some(path));
        let listed = children.map(|(name, entry)| Listed {
            name: name.file_name().map(OsString::from).unwrap(),
            kind: match entry {
                Entry::Dir => Kind::Dir,
                Entry::File(node) => Kind::File { len_bytes: state.nodes[*node].now.len() as u64 },
            },
        });
        Ok(listed.collect())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        if how == Open::Read { state.step() } else { state.step_write() }?;
        let node = match (state.names.get(path).copied(), how) {
            (Some(Entry::File(_)), Open::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(Entry::File(node)), _) => node,
            (Some(Entry::Dir), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (None, Open::Read | Open::Update) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::Ensure | Open::New) => {
                state.nodes.push(Node::default());
                let node = state.nodes.len() - 1;
                state.change_name(path, Some(Entry::File(node)), None);
                node
            }
        };
        Ok(Arc::new(FaultFile { disk: self.clone(), epoch: state.epoch, node }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step_write()?;
        let Some(entry) = state.names.get(from).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let new_name = state.change_name(to, Some(entry), None);
        state.change_name(from, None, Some(new_name));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step_write()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(path, None, None);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if state.sync_fails() {
            // A directory's sync fails when the journal does, which loses nothing by itself.
            return Err(io::Error::from_raw_os_error(5));
        }
        let here = |change: &NameChange| change.path.parent() == Some(path);
        let needed: Vec<u64> =
            state.pending.iter().filter(|change| here(change)).filter_map(|change| change.needs).collect();
        let (synced, pending) = std::mem::take(&mut state.pending)
            .into_iter()
            .partition(|change| here(change) || needed.contains(&change.number));
        state.pending = pending;
        let synced: Vec<NameChange> = synced;
        synced.into_iter().for_each(|change| set(&mut state.durable, change));
        Ok(())
    }
}

#[derive(Debug)]
struct FaultFile {
    disk: FaultDisk,
    epoch: u64,
    node: usize,
}

impl FaultFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.state();
        state.step()?;
        if state.epoch == self.epoch { Ok(state) } else { Err(io::Error::other("opened before the crash")) }
    }
}

impl DiskFile for FaultFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.state()?.nodes[self.node].now.len() as u64)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        let mut state = self.state()?;
        let growth = (len_bytes as usize).saturating_sub(state.nodes[self.node].now.len());
        if growth > state.room_bytes() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.nodes[self.node].change(Change::Length(len_bytes as usize));
        Ok(())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let content = state.nodes[self.node].now.get(offset as usize..).unwrap_or_default();
        let content = content.get(..bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(content);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let offset = offset as usize;
        let room_end = state.nodes[self.node].now.len().saturating_add(state.room_bytes());
        let fitting = room_end.saturating_sub(offset).min(bytes.len());
        if fitting > 0 {
            state.nodes[self.node].change(Change::Write { offset, bytes: bytes[..fitting].to_vec() });
        }
        if fitting < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        let fails = state.sync_fails();
        let node = &mut state.nodes[self.node];
        let pending = std::mem::take(&mut node.pending);
        if fails {
            // What programs see stays as it was, and the next sync would succeed: as XFS does it.
            return Err(io::Error::from_raw_os_error(5));
        }
        pending.iter().for_each(|change| apply(&mut node.durable, change));
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.state()?;
        let locked = &mut state.nodes[self.node].locked;
        Ok(!std::mem::replace(locked, true))
    }

    fn unlock(&self) -> io::Result<()> {
        self.state()?.nodes[self.node].locked = false;
        Ok(())
    }

    fn forget_cache(&self) {
        if let Ok(mut state) = self.state() {
            state.nodes[self.node].forget_cache();
        }
    }

    fn std_file(&self) -> Option<&File> {
        None
    }
}
