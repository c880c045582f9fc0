//! A disk that is full, fails or can't be written.

use std::path::Path;

use super::{super::*, fault::FaultDisk, open, sample};

const DIR: &str = "/store";

fn store_on(disk: &FaultDisk) -> Store {
    open(Path::new(DIR), disk.clone()).unwrap().0
}

#[test]
fn a_failed_sync_drops_the_file_and_turns_caching_off() {
    for recording in [true, false] {
        let disk = FaultDisk::default();
        let store = store_on(&disk);
        let kept = sample(1);
        kept.complete(&store);
        let (lost, running) = (sample(2), sample(3));
        let partial = lost.write_all(&store);
        let other = running.write_all(&store);
        let path = Path::new(DIR).join(format!("partial/sha256-{}", lost.digest.hex()));
        assert!(disk.exists(&path));

        disk.fail_sync_after(0);
        let error = if recording {
            partial.record(&[0], b"").unwrap_err()
        } else {
            partial.complete(b"", None).unwrap_err()
        };
        let text = error.to_string();
        assert!(matches!(error, PartialError::Store(StoreError::Degraded { .. })), "{text}");
        assert!(text.contains(path.to_str().unwrap()) && text.contains("restart"), "{text}");
        assert!(!disk.exists(&path));
        assert!(matches!(partial.read_piece(0, &mut [0; 65_536]), Err(PartialError::NotHere { .. })));

        // A retry would succeed on this disk, so it must not come to one.
        assert!(matches!(partial.complete(b"", None), Err(PartialError::Closed { .. })));
        assert!(other.complete(b"", None).is_err());
        assert!(store.begin(&lost.digest, lost.geometry).is_err());
        assert!(store.put(&lost.digest, None, &lost.bytes).is_err());
        let mut bytes = vec![0; 200_000];
        other.read_at(0, &mut bytes).unwrap_or_else(|error| assert!(!recording, "{error}"));
        assert!(kept.is_whole_in(&store));
        let stats = store.stats();
        assert_eq!((stats.failed_syncs, stats.blobs), (1, 1));
        assert!(stats.degraded.is_some());
        drop((partial, other, store));
        assert!(sample(2).complete(&store_on(&disk)).size_bytes() > 0);
    }
}

#[test]
fn any_failed_sync_on_the_way_to_completion_is_an_error_or_leaves_a_durable_blob() {
    for failing in 0..12 {
        let disk = FaultDisk::default();
        let store = store_on(&disk);
        let sample = sample(1);
        let partial = sample.write_all(&store);
        disk.fail_sync_after(failing);
        let completed = partial.complete(b"", None).is_ok();
        drop((partial, store));
        disk.reboot(failing);
        let store = store_on(&disk);
        assert!(!completed || sample.is_whole_in(&store), "sync {failing}");
        assert!(store.blobs().iter().all(|_| sample.is_whole_in(&store)), "sync {failing}");
    }
}

#[test]
fn a_full_disk_refuses_pieces_and_takes_them_later() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    let sample = sample(1);
    let partial = store.begin(&sample.digest, sample.geometry).unwrap();
    partial.write_piece(0, sample.piece(0)).unwrap();
    disk.limit(Some(disk.used_bytes() + 1000));
    let error = partial.write_piece(1, sample.piece(1)).unwrap_err();
    assert!(matches!(&error, PartialError::Store(error) if error.is_full()), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(matches!(partial.read_piece(1, &mut [0; 65_536]), Err(PartialError::NotHere { piece: 1 })));
    assert!(store.put(&super::sample(2).digest, None, &super::sample(2).bytes).unwrap_err().is_full());
    assert_eq!(store.stats().full, 2);
    assert_eq!(store.stats().degraded, None);

    disk.limit(None);
    sample.pieces().for_each(|piece| partial.write_piece(piece, sample.piece(piece)).unwrap());
    partial.complete(b"", None).unwrap();
    assert!(sample.is_whole_in(&store));
}

/// The index fails for lack of room, and works again when there is some.
#[test]
fn an_index_without_room_recovers() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    let sample = sample(1);
    let partial = sample.write_all(&store);
    disk.limit(Some(disk.used_bytes()));
    let long_chain = vec![7; 2 * 1024 * 1024];
    let error = partial.record(&[0], &long_chain).unwrap_err();
    assert!(matches!(&error, PartialError::Store(error) if error.is_full()), "{error}");
    let blob = partial.complete(&long_chain, None).unwrap();
    assert_eq!(super::read(&blob), sample.bytes);
    assert_eq!(store.stats().failed_commits, 2);
    assert_eq!(store.chain(&sample.digest), None);

    disk.limit(None);
    super::sample(2).complete(&store);
    drop((store, partial, blob));
    let (store, recovered) = open(Path::new(DIR), disk).unwrap();
    assert_eq!((recovered.blobs, recovered.adopted_blobs, recovered.index_rebuilt), (2, 1, false));
    assert!(sample.is_whole_in(&store));
}

#[test]
fn a_full_disk_still_opens() {
    let disk = FaultDisk::default();
    sample(1).complete(&store_on(&disk));
    disk.limit(Some(disk.used_bytes()));
    let store = store_on(&disk);
    assert!(sample(1).is_whole_in(&store));
}

#[test]
fn a_read_only_disk_is_named() {
    let disk = FaultDisk::default();
    drop(store_on(&disk));
    disk.set_read_only();
    let error = open(Path::new(DIR), disk).unwrap_err().to_string();
    assert!(error.contains(DIR) && error.contains("mount it writable"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = open(&file, RealDisk).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}
