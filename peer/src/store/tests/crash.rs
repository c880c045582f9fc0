//! Any work, stopped at any disk operation, on a disk that keeps as little as it may: what the store promised holds
//! after it is opened again, and it can be worked with.

use std::{path::Path, sync::LazyLock};

use proptest::{collection::vec, prelude::*};
use shoal_protocol::digest::Algorithm;

use super::{super::*, Sample, fault::FaultDisk, open, read};

const DIR: &str = "/store";

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    vec![
        Sample::new(Algorithm::Sha256, 0, 1),
        Sample::new(Algorithm::Sha256, 1, 2),
        Sample::new(Algorithm::Sha256, 65_536, 3),
        Sample::new(Algorithm::Sha512, 150_000, 4),
        Sample::new(Algorithm::Sha256, 200_000, 5),
    ]
});

/// What a caller does with one of the samples.
#[derive(Clone, Debug)]
enum Step {
    Write { pieces: u8 },
    Record { pieces: u8 },
    Complete,
    Put,
    Remove,
    Discard,
    LetGo,
}

/// A life of the process: its steps, and how it ends.
#[derive(Clone, Debug)]
struct Run {
    steps: Vec<(usize, Step)>,
    crash_after: u64,
    failing_sync: Option<u64>,
    room_bytes: Option<u64>,
    /// How many operations the next start gets before it crashes as well.
    recovery_crash_after: Option<u64>,
    /// The end is a killed process, not a power cut.
    killed: bool,
    choice: u64,
}

impl Run {
    fn end(&self, disk: &FaultDisk) {
        if self.killed {
            disk.kill();
        } else {
            disk.reboot(self.choice);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(|pieces| Step::Write { pieces }),
        3 => any::<u8>().prop_map(|pieces| Step::Record { pieces }),
        4 => Just(Step::Complete),
        1 => Just(Step::Put),
        1 => Just(Step::Remove),
        1 => Just(Step::Discard),
        1 => Just(Step::LetGo),
    ]
}

prop_compose! {
    fn run()(
        steps in vec((0..SAMPLES.len(), step()), 0..24),
        crash_after in 0..600_u64,
        failing_sync in prop::option::weighted(0.2, 0..40_u64),
        room_bytes in prop::option::weighted(0.2, 0..600_000_u64),
        recovery_crash_after in prop::option::weighted(0.4, 0..60_u64),
        killed in prop::bool::weighted(0.3),
        choice in any::<u64>(),
    ) -> Run {
        Run { steps, crash_after, failing_sync, room_bytes, recovery_crash_after, killed, choice }
    }
}

/// What the store has promised of a sample.
#[derive(Clone, Debug, Default)]
struct Promise {
    complete: bool,
    recorded: u8,
}

/// A process: the store, its open handles, and what it may rely on.
struct Process<'a> {
    store: Store,
    partials: Vec<Option<PartialBlob>>,
    promises: &'a mut [Promise],
}

impl Process<'_> {
    fn take(&mut self, index: usize, step: &Step) {
        let sample = &SAMPLES[index];
        match step {
            Step::Write { pieces } => self.write(index, *pieces),
            Step::Record { pieces } => self.record(index, *pieces),
            Step::Complete => self.complete(index),
            Step::Put => {
                if self.store.put(&sample.digest, Some("m/t"), &sample.bytes).is_ok() {
                    self.promises[index] = Promise { complete: true, recorded: 0 };
                }
            }
            Step::Remove => {
                self.promises[index].complete = false;
                let _ = self.store.remove(&sample.digest);
            }
            Step::Discard => {
                if let Some(partial) = self.partials[index].take() {
                    self.promises[index].recorded = 0;
                    partial.discard();
                }
            }
            Step::LetGo => self.partials[index] = None,
        }
    }

    fn write(&mut self, index: usize, pieces: u8) {
        let sample = &SAMPLES[index];
        if self.partials[index].is_none() {
            self.partials[index] = self.store.begin(&sample.digest, sample.geometry).ok();
        }
        let Some(partial) = &self.partials[index] else { return };
        for piece in sample.pieces().filter(|piece| pieces & 1 << piece != 0) {
            if partial.write_piece(piece, sample.piece(piece)).is_err() {
                // Half of it may be new bytes over the old ones, which is as good as none.
                self.promises[index].recorded &= !(1 << piece);
            }
        }
    }

    fn record(&mut self, index: usize, pieces: u8) {
        let Some(partial) = &self.partials[index] else { return };
        let wanted: Vec<_> = SAMPLES[index].pieces().filter(|piece| pieces & 1 << piece != 0).collect();
        match partial.record(&wanted, b"chain") {
            Ok(()) => {
                self.promises[index].recorded |= wanted.iter().fold(0, |bits, piece| bits | 1 << piece);
            }
            Err(PartialError::Store(StoreError::Degraded { .. })) => self.promises[index].recorded = 0,
            Err(_) => {}
        }
    }

    fn complete(&mut self, index: usize) {
        let Some(partial) = &self.partials[index] else { return };
        match partial.complete(b"chain", None) {
            Ok(blob) => {
                assert_eq!(blob.size_bytes(), SAMPLES[index].geometry.blob_bytes());
                self.promises[index] = Promise { complete: true, recorded: 0 };
                self.partials[index] = None;
            }
            Err(PartialError::Closed { .. }) => self.partials[index] = None,
            // It may have come as far as its final name.
            Err(PartialError::Store(_)) => self.promises[index].recorded = 0,
            Err(_) => {}
        }
    }
}

/// Lives one life on `disk`, until its end or the crash.
fn live(disk: &FaultDisk, run: &Run, promises: &mut [Promise]) {
    let (store, _) = open(Path::new(DIR), disk.clone()).unwrap();
    check(&store, promises);
    disk.crash_after(run.crash_after);
    if let Some(failing) = run.failing_sync {
        disk.fail_sync_after(failing);
    }
    disk.limit(run.room_bytes.map(|room| disk.used_bytes() + room));
    let mut process = Process { store, partials: vec![None; SAMPLES.len()], promises };
    for (index, step) in &run.steps {
        if disk.is_crashed() {
            break;
        }
        process.take(*index, step);
    }
}

/// Holds the store against its promises, and renews them from what is there.
fn check(store: &Store, promises: &mut [Promise]) {
    for blob in store.blobs() {
        let bytes = read(&store.open_blob(&blob.digest).unwrap().unwrap());
        assert_eq!(Digest::of(blob.digest.algorithm(), &bytes), blob.digest, "under a final name");
    }
    for (sample, promise) in SAMPLES.iter().zip(promises) {
        let whole = sample.is_whole_in(store);
        assert!(!whole || store.partials().iter().all(|partial| partial.digest != sample.digest));
        assert!(whole || !promise.complete, "{} was complete", sample.digest);
        let good = if whole { 0 } else { good_pieces(store, sample) };
        let kept = whole || good & promise.recorded == promise.recorded;
        assert!(kept, "{}: recorded {:b}, kept {good:b}", sample.digest, promise.recorded);
        *promise = Promise { complete: whole, recorded: good };
    }
}

/// The recorded pieces whose bytes are right, told as a caller would: by looking at each.
fn good_pieces(store: &Store, sample: &Sample) -> u8 {
    if !store.partials().iter().any(|partial| partial.digest == sample.digest) {
        return 0;
    }
    let partial = store.begin(&sample.digest, sample.geometry).unwrap();
    let mut good = 0;
    for piece in partial.unconfirmed().iter() {
        let refused = partial.record(&[piece], b"").unwrap_err();
        assert!(matches!(refused, PartialError::Unconfirmed { .. }), "{refused}");
        let mut bytes = vec![0; sample.geometry.len(piece) as usize];
        if partial.read_piece(piece, &mut bytes).is_ok() && bytes == sample.piece(piece) {
            good |= 1 << piece;
        }
    }
    good
}

proptest! {
    // A quarter of what is usual keeps a plain run short; PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn promises_hold_across_crashes(runs in vec(run(), 1..5)) {
        let disk = FaultDisk::default();
        let mut promises = vec![Promise::default(); SAMPLES.len()];
        for run in &runs {
            live(&disk, run, &mut promises);
            run.end(&disk);
            if let Some(operations) = run.recovery_crash_after {
                disk.crash_after(operations);
                drop(open(Path::new(DIR), disk.clone()));
                run.end(&disk);
            }
        }
        let (store, _) = open(Path::new(DIR), disk).unwrap();
        check(&store, &mut promises);
        for sample in SAMPLES.iter().filter(|sample| !sample.is_whole_in(&store)) {
            sample.complete(&store);
            prop_assert!(sample.is_whole_in(&store));
        }
    }
}

/// A killed process leaves a blob under its final name that a power cut could still take: the next start makes it
/// durable before it counts on it.
#[test]
fn what_a_killed_process_left_is_durable_once_it_is_taken_in() {
    let sample = &SAMPLES[4];
    let mut adopted = 0;
    for crash_after in 0..40 {
        for choice in 0..8 {
            let disk = FaultDisk::default();
            let (store, _) = open(Path::new(DIR), disk.clone()).unwrap();
            let partial = sample.write_all(&store);
            disk.crash_after(crash_after);
            let _ = partial.complete(b"", None);
            drop((partial, store));
            disk.kill();
            let (store, recovered) = open(Path::new(DIR), disk.clone()).unwrap();
            let whole = sample.is_whole_in(&store);
            adopted += recovered.adopted_blobs;
            disk.reboot(choice);
            let (store, _) = open(Path::new(DIR), disk).unwrap();
            assert!(!whole || sample.is_whole_in(&store), "{crash_after} {choice}");
        }
    }
    assert!(adopted > 0);
}

/// The test's disk does what this module is about: each shortcut of the store's order loses something on it.
#[test]
fn the_disk_loses_what_was_not_synced() {
    use super::super::disk::{Disk as _, Open};
    let path = Path::new("/store/file");
    let survives = |sync_file: bool, sync_dir: bool| {
        (0..64).all(|choice| {
            let disk = FaultDisk::default();
            disk.create_dir(Path::new(DIR)).unwrap();
            let file = disk.open(&path.with_extension("new"), Open::New).unwrap();
            file.write_at(0, &[7; 2000]).unwrap();
            if sync_file {
                file.sync_data().unwrap();
            }
            disk.rename(&path.with_extension("new"), path).unwrap();
            if sync_dir {
                disk.sync_dir(Path::new(DIR)).unwrap();
            }
            disk.reboot(choice);
            let mut bytes = [0; 2000];
            disk.open(path, Open::Read).and_then(|file| file.read_at(0, &mut bytes)).is_ok()
                && bytes == [7; 2000]
        })
    };
    assert!(survives(true, true));
    assert!(!survives(true, false));
    assert!(!survives(false, true));
}
