//! What the store does when nothing fails: the same over the real disk and the one of the tests.

use std::path::Path;

use shoal_protocol::{digest::Algorithm, geometry::Geometry};

use super::{super::*, Random, Sample, fault::FaultDisk, open, read, read_piece, sample};

/// Runs `check` over each implementation of [`Disk`]; what it opens twice has to be closed before.
fn on_each_disk(check: impl Fn(&dyn Fn() -> (Store, Recovered))) {
    let dir = tempfile::tempdir().unwrap();
    check(&|| open(dir.path(), RealDisk).unwrap());
    let disk = FaultDisk::default();
    let dir = Path::new("/store");
    check(&|| open(dir, disk.clone()).unwrap());
}

#[test]
fn a_blob_becomes_complete_and_stays_readable_when_removed() {
    on_each_disk(|open| {
        let (store, _) = open();
        let sample = sample(1);
        let partial = sample.write_all(&store);
        assert_eq!(store.bytes_used(), 200_000);
        let blob = partial.complete(b"chain", Some("a/b")).unwrap();
        assert_eq!(read(&blob), sample.bytes);
        assert!(matches!(partial.write_piece(0, sample.piece(0)), Err(PartialError::Closed { .. })));
        assert!(matches!(store.begin(&sample.digest, sample.geometry), Err(StoreError::Complete { .. })));

        let info = store.info(&sample.digest).unwrap();
        assert_eq!((info.size_bytes, info.media_type.as_deref()), (200_000, Some("a/b")));
        assert_eq!(store.blobs(), [info]);
        assert_eq!(store.chain(&sample.digest).as_deref(), Some(&b"chain"[..]));
        assert!(store.partials().is_empty());

        assert!(store.remove(&sample.digest).unwrap());
        assert!(!store.remove(&sample.digest).unwrap());
        assert!(store.open_blob(&sample.digest).unwrap().is_none());
        assert_eq!(store.chain(&sample.digest), None);
        assert_eq!(read(&blob), sample.bytes);
        assert_eq!(store.bytes_used(), 0);
    });
}

#[test]
fn blobs_of_every_odd_length_survive_a_restart() {
    on_each_disk(|open| {
        let (store, recovered) = open();
        assert_eq!(recovered, Recovered::default());
        let lengths = [0, 1, 65_535, 65_536, 65_537, 131_072];
        let samples: Vec<_> = lengths
            .into_iter()
            .flat_map(|len| [Algorithm::Sha256, Algorithm::Sha512].map(|kind| Sample::new(kind, len, 7)))
            .collect();
        samples.iter().for_each(|sample| drop(sample.complete(&store)));
        drop(store);
        let (store, recovered) = open();
        assert_eq!(recovered, Recovered { blobs: samples.len(), ..Recovered::default() });
        assert!(samples.iter().all(|sample| sample.is_whole_in(&store)));
    });
}

#[test]
fn recorded_pieces_survive_a_restart_and_are_not_trusted() {
    on_each_disk(|open| {
        let (store, _) = open();
        let sample = sample(2);
        let partial = sample.write_all(&store);
        partial.record(&[0, 2], b"one").unwrap();
        partial.record(&[3], b"two").unwrap();
        drop((partial, store));

        let (store, recovered) = open();
        assert_eq!(recovered, Recovered { partials: 1, ..Recovered::default() });
        let [info] = &store.partials()[..] else { panic!("one partial blob") };
        assert_eq!(info.recorded.iter().collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!((info.geometry, info.chain.as_deref()), (sample.geometry, Some(&b"two"[..])));

        let partial = store.begin(&sample.digest, sample.geometry).unwrap();
        assert_eq!(partial.unconfirmed(), info.recorded);
        let mut byte = [0];
        assert!(matches!(partial.read_at(0, &mut byte), Err(PartialError::Unconfirmed { piece: 0 })));
        assert!(matches!(partial.read_at(70_000, &mut byte), Err(PartialError::NotHere { piece: 1 })));
        partial.write_piece(1, sample.piece(1)).unwrap();
        assert!(matches!(partial.complete(b"", None), Err(PartialError::Unconfirmed { piece: 0 })));
        for piece in [0, 2] {
            assert_eq!(read_piece(&partial, piece), sample.piece(piece));
            partial.confirm(piece);
        }
        partial.write_piece(3, sample.piece(3)).unwrap();
        partial.complete(b"three", None).unwrap();
        assert!(sample.is_whole_in(&store));
    });
}

#[test]
fn a_blob_misses_pieces_until_each_is_written() {
    on_each_disk(|open| {
        let (store, _) = open();
        let sample = sample(3);
        let partial = store.begin(&sample.digest, sample.geometry).unwrap();
        partial.write_piece(1, sample.piece(1)).unwrap();
        let mut byte = [0];
        partial.read_at(65_536, &mut byte).unwrap();
        assert!(matches!(partial.read_at(65_535, &mut [0; 2]), Err(PartialError::NotHere { piece: 0 })));
        assert!(matches!(partial.read_at(u64::MAX, &mut byte), Err(PartialError::NotHere { .. })));
        assert!(matches!(partial.complete(b"", None), Err(PartialError::NotHere { piece: 0 })));
        assert!(matches!(partial.record(&[1, 2], b""), Err(PartialError::NotHere { piece: 2 })));
        assert!(matches!(partial.write_piece(0, b"short"), Err(PartialError::Length { .. })));
        assert!(matches!(partial.write_piece(4, b""), Err(PartialError::Length { piece: 4, .. })));
        assert!(matches!(partial.record(&[9], b""), Err(PartialError::NotHere { piece: 9 })));
    });
}

#[test]
fn handles_on_one_blob_share_it_until_the_last_one_goes() {
    on_each_disk(|open| {
        let (store, _) = open();
        let sample = sample(4);
        let first = store.begin(&sample.digest, sample.geometry).unwrap();
        let second = store.begin(&sample.digest, sample.geometry).unwrap();
        first.write_piece(0, sample.piece(0)).unwrap();
        assert_eq!(read_piece(&second, 0), sample.piece(0));
        let other = Geometry::new(200_000, 131_072).unwrap();
        assert!(matches!(store.begin(&sample.digest, other), Err(StoreError::OtherGeometry { .. })));
        drop((first, second));
        assert_eq!(store.stats(), StoreStats::default());

        let partial = store.begin(&sample.digest, other).unwrap();
        partial.write_piece(0, &sample.bytes[..131_072]).unwrap();
        partial.record(&[0], b"").unwrap();
        drop(partial);
        assert_eq!(store.partials().len(), 1);
        let again = store.begin(&sample.digest, sample.geometry).unwrap();
        assert!(again.unconfirmed().is_empty(), "pieces of another length are of no use");
        assert!(store.partials().is_empty());
        again.clone().discard();
        assert!(matches!(again.write_piece(0, sample.piece(0)), Err(PartialError::Closed { .. })));
        let fresh = sample.write_all(&store);
        drop(again);
        fresh.complete(b"", None).unwrap();
        assert!(sample.is_whole_in(&store));
    });
}

#[test]
fn content_put_whole_ends_the_writing_of_its_pieces() {
    on_each_disk(|open| {
        let (store, _) = open();
        let sample = sample(5);
        let partial = sample.write_all(&store);
        store.put(&sample.digest, None, &sample.bytes).unwrap();
        store.put(&sample.digest, Some("x/y"), &sample.bytes).unwrap();
        store.put(&sample.digest, None, &sample.bytes).unwrap();
        assert_eq!(store.info(&sample.digest).unwrap().media_type.as_deref(), Some("x/y"));
        assert_eq!(read(&partial.complete(b"", None).unwrap()), sample.bytes);
        assert_eq!(store.stats().blobs, 1);

        let wrong = store.put(&sample.digest, None, b"something else");
        assert!(matches!(wrong, Err(StoreError::WrongDigest { .. })));
        let long = vec![0; shoal_protocol::bounds::MAX_MANIFEST_BYTES + 1];
        assert!(matches!(store.put(&sample.digest, None, &long), Err(StoreError::TooLarge { .. })));
        drop((partial, store));
        assert_eq!(open().0.info(&sample.digest).unwrap().media_type.as_deref(), Some("x/y"));
    });
}

/// A writer whose file was taken from it must not give its final name to the next writer's.
#[test]
fn a_writer_left_behind_publishes_nothing() {
    on_each_disk(|open| {
        let (store, _) = open();
        let sample = sample(6);
        let behind = sample.write_all(&store);
        store.put(&sample.digest, None, &sample.bytes).unwrap();
        store.remove(&sample.digest).unwrap();
        let next = store.begin(&sample.digest, sample.geometry).unwrap();
        next.write_piece(0, sample.piece(0)).unwrap();
        assert!(matches!(behind.complete(b"", None), Err(PartialError::Closed { .. })));
        drop(behind);
        assert!(store.info(&sample.digest).is_none());
        assert_eq!(read_piece(&next, 0), sample.piece(0));
    });
}

#[test]
fn tags_are_remembered_across_a_clean_restart_and_bounded() {
    on_each_disk(|open| {
        let (store, _) = open();
        store.remember_tag("docker.io/library/busybox:1", b"one").unwrap();
        store.remember_tag("docker.io/library/busybox:1", b"two").unwrap();
        assert!(matches!(store.remember_tag(&"k".repeat(1025), b""), Err(StoreError::TooLarge { .. })));
        assert!(matches!(store.remember_tag("k", &[0; 2049]), Err(StoreError::TooLarge { .. })));
        drop(store);
        let (store, _) = open();
        assert_eq!(store.tag("docker.io/library/busybox:1").unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(store.tag("docker.io/library/busybox:2").unwrap(), None);
    });
}

#[test]
fn a_directory_serves_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, _) = open(dir.path(), RealDisk).unwrap();
    let error = open(dir.path(), RealDisk).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    assert!(error.to_string().contains("another process"), "{error}");
}

/// Many threads on the same few blobs: nothing locks up, and what is complete is right.
#[test]
fn threads_share_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let samples: Vec<_> = (0..3).map(sample).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, samples) = (store.clone(), &samples);
            scope.spawn(move || {
                let mut random = Random(thread);
                (0..60).for_each(|_| work(&store, &samples[random.below(samples.len())], &mut random));
            });
        }
    });
    let stats = store.stats();
    assert_eq!((stats.partials, stats.failed_syncs, stats.lost_blobs), (store.partials().len() as u64, 0, 0));
    drop(store);
    let (store, recovered) = open(dir.path(), RealDisk).unwrap();
    assert_eq!((recovered.wrong_blobs, recovered.lost_blobs, recovered.adopted_blobs), (0, 0, 0));
    for sample in samples.iter().filter(|sample| store.info(&sample.digest).is_some()) {
        assert!(sample.is_whole_in(&store));
    }
}

/// Any of these may find that another thread was faster, so only what must not happen is an error.
fn work(store: &Store, sample: &Sample, random: &mut Random) {
    match random.below(6) {
        0 => drop(store.remove(&sample.digest).unwrap()),
        1 => store.put(&sample.digest, None, &sample.bytes).unwrap(),
        2 => drop(store.stats()),
        _ => {
            let Ok(partial) = store.begin(&sample.digest, sample.geometry) else { return };
            for piece in sample.pieces() {
                let _ = partial.write_piece(piece, sample.piece(piece));
            }
            let _ = partial.record(&[random.below(4) as u32], b"chain");
            match random.below(4) {
                0 => partial.discard(),
                1 => {}
                _ => {
                    let _ =
                        partial.complete(b"chain", None).map(|blob| assert_eq!(read(&blob), sample.bytes));
                }
            }
        }
    }
}
