//! A file system in memory that keeps, at a crash, only what it promised.
//!
//! Beside what programs see it knows what is durable: content of a file as of its last sync, names in a directory as
//! of the last sync of that directory. A crash takes a random choice of the writes and names since, each write whole,
//! torn by sectors or not at all, in any order. The one promise about names that were not synced: a rename never
//! loses the file.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    super::disk::{Disk, DiskFile, Kind, Listed, Open},
    Random,
};

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct FaultDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
    pending: Vec<NameChange>,
    last_change: u64,
    /// Counts reboots: a handle from before one is dead.
    epoch: u64,
    operations: u64,
    crash_at: Option<u64>,
    crashed: bool,
    syncs_until_failure: Option<u64>,
    capacity_bytes: Option<u64>,
    read_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Dir,
    File(usize),
}

#[derive(Debug, Default)]
struct Node {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    locked: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug)]
struct NameChange {
    number: u64,
    path: PathBuf,
    entry: Option<Entry>,
    /// The removal of a renamed file's old name comes only with its new name.
    needs: Option<u64>,
}

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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn reboot(&mut self, random: &mut Random) {
        let mut skipped = Vec::new();
        for change in std::mem::take(&mut self.pending) {
            if change.needs.is_some_and(|needed| skipped.contains(&needed)) || random.coin() {
                skipped.push(change.number);
            } else {
                set(&mut self.durable, change);
            }
        }
        let dirs: Vec<PathBuf> = self.durable.keys().cloned().collect();
        for path in dirs {
            let parent_is_there = path.parent().is_none_or(|parent| self.durable.contains_key(parent));
            if !parent_is_there {
                self.durable.remove(&path);
            }
        }
        self.names = self.durable.clone();
        for node in &mut self.nodes {
            node.crash(random);
        }
        *self = Self {
            nodes: std::mem::take(&mut self.nodes),
            names: std::mem::take(&mut self.names),
            durable: std::mem::take(&mut self.durable),
            epoch: self.epoch + 1,
            last_change: self.last_change,
            ..Self::default()
        };
    }

    fn step(&mut self) -> io::Result<()> {
        if self.crash_at.is_some_and(|crash_at| self.operations >= crash_at) {
            self.crashed = true;
        }
        self.operations += 1;
        if self.crashed { Err(io::Error::other("the machine is off")) } else { Ok(()) }
    }

    fn step_write(&mut self) -> io::Result<()> {
        self.step()?;
        if self.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    /// True when this sync is the one to fail.
    fn sync_fails(&mut self) -> bool {
        let fails = self.syncs_until_failure == Some(0);
        self.syncs_until_failure = self.syncs_until_failure.and_then(|left| left.checked_sub(1));
        fails
    }

    fn change_name(&mut self, path: &Path, entry: Option<Entry>, needs: Option<u64>) -> u64 {
        self.last_change += 1;
        let change = NameChange { number: self.last_change, path: path.to_owned(), entry, needs };
        set(&mut self.names, change.clone());
        self.pending.push(change);
        self.last_change
    }

    fn used_bytes(&self) -> u64 {
        let files = self.names.values().filter_map(|entry| match entry {
            Entry::File(node) => Some(self.nodes[*node].now.len() as u64),
            Entry::Dir => None,
        });
        files.sum()
    }

    fn room_bytes(&self) -> usize {
        let room = self.capacity_bytes.map(|capacity| capacity.saturating_sub(self.used_bytes()));
        room.map_or(usize::MAX, |room| room as usize)
    }
}

impl Node {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    fn crash(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            match (random.below(3), change) {
                (0, _) => {}
                (1, Change::Write { offset, bytes }) => {
                    for (sector, bytes) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        if random.coin() {
                            let offset = offset + sector * SECTOR_BYTES;
                            apply(&mut self.durable, &Change::Write { offset, bytes: bytes.to_vec() });
                        }
                    }
                }
                (_, change) => apply(&mut self.durable, &change),
            }
        }
        self.now = self.durable.clone();
        self.locked = false;
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(len) => content.resize(*len, 0),
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*offset..end].copy_from_slice(bytes);
        }
    }
}

fn set(names: &mut BTreeMap<PathBuf, Entry>, change: NameChange) {
    match change.entry {
        Some(entry) => names.insert(change.path, entry),
        None => names.remove(&change.path),
    };
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
        let fails = state.sync_fails();
        let here = |change: &NameChange| change.path.parent() == Some(path);
        let needed: Vec<u64> =
            state.pending.iter().filter(|change| here(change)).filter_map(|change| change.needs).collect();
        let (synced, pending) = std::mem::take(&mut state.pending)
            .into_iter()
            .partition(|change| here(change) || needed.contains(&change.number));
        state.pending = pending;
        let synced: Vec<NameChange> = synced;
        if fails {
            return Err(io::Error::from_raw_os_error(5));
        }
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

    fn forget_cache(&self) {}

    fn std_file(&self) -> Option<&File> {
        None
    }
}
