//! What the file system of the tests holds: what programs see, what is durable, and what lies between.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::Random;

/// What a torn write is torn into.
const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) nodes: Vec<Node>,
    pub(super) names: BTreeMap<PathBuf, Entry>,
    pub(super) durable: BTreeMap<PathBuf, Entry>,
    pub(super) pending: Vec<NameChange>,
    pub(super) last_change: u64,
    /// Counts reboots: a handle from before one is dead.
    pub(super) epoch: u64,
    pub(super) operations: u64,
    pub(super) crash_at: Option<u64>,
    pub(super) crashed: bool,
    pub(super) syncs_until_failure: Option<u64>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) read_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Dir,
    File(usize),
}

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) now: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
    pub(super) locked: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug)]
pub(super) struct NameChange {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) entry: Option<Entry>,
    /// The removal of a renamed file's old name comes only with its new name.
    pub(super) needs: Option<u64>,
}

impl State {
    /// A new epoch, without the faults of the last one.
    pub(super) fn restart(
        &mut self,
        names: BTreeMap<PathBuf, Entry>,
        nodes: Vec<Node>,
        pending: Vec<NameChange>,
    ) {
        *self = Self {
            nodes,
            names,
            durable: std::mem::take(&mut self.durable),
            pending,
            epoch: self.epoch + 1,
            last_change: self.last_change,
            ..Self::default()
        };
    }

    pub(super) fn reboot(&mut self, random: &mut Random) {
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
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.iter_mut().for_each(|node| node.crash(random));
        self.restart(self.durable.clone(), nodes, Vec::new());
    }

    pub(super) fn step(&mut self) -> io::Result<()> {
        if self.crash_at.is_some_and(|crash_at| self.operations >= crash_at) {
            self.crashed = true;
        }
        self.operations += 1;
        if self.crashed { Err(io::Error::other("the machine is off")) } else { Ok(()) }
    }

    pub(super) fn step_write(&mut self) -> io::Result<()> {
        self.step()?;
        if self.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    /// True when this sync is the one to fail.
    pub(super) fn sync_fails(&mut self) -> bool {
        let fails = self.syncs_until_failure == Some(0);
        self.syncs_until_failure = self.syncs_until_failure.and_then(|left| left.checked_sub(1));
        fails
    }

    pub(super) fn change_name(&mut self, path: &Path, entry: Option<Entry>, needs: Option<u64>) -> u64 {
        self.last_change += 1;
        let change = NameChange { number: self.last_change, path: path.to_owned(), entry, needs };
        set(&mut self.names, change.clone());
        self.pending.push(change);
        self.last_change
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let files = self.names.values().filter_map(|entry| match entry {
            Entry::File(node) => Some(self.nodes[*node].now.len() as u64),
            Entry::Dir => None,
        });
        files.sum()
    }

    pub(super) fn room_bytes(&self) -> usize {
        let room = self.capacity_bytes.map(|capacity| capacity.saturating_sub(self.used_bytes()));
        room.map_or(usize::MAX, |room| room as usize)
    }
}

impl Node {
    /// Shows what the disk has, and what is still on its way there: not what a failed sync lost.
    pub(super) fn forget_cache(&mut self) {
        self.now = self.durable.clone();
        self.pending.iter().for_each(|change| apply(&mut self.now, change));
    }

    pub(super) fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(super) fn crash(&mut self, random: &mut Random) {
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

pub(super) fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(len) => content.resize(*len, 0),
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*offset..end].copy_from_slice(bytes);
        }
    }
}

pub(super) fn set(names: &mut BTreeMap<PathBuf, Entry>, change: NameChange) {
    match change.entry {
        Some(entry) => names.insert(change.path, entry),
        None => names.remove(&change.path),
    };
}
