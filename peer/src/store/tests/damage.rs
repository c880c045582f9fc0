//! What others do to the store's files.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::{super::*, open, read_piece, sample};

fn blob_path(dir: &Path, digest: &Digest) -> std::path::PathBuf {
    let hex = digest.hex();
    dir.join("blobs").join(digest.algorithm().name()).join(&hex[..2]).join(hex)
}

#[test]
fn a_lost_index_is_rebuilt_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let (whole, wrong, half) = (sample(1), sample(2), sample(3));
    whole.complete(&store);
    wrong.complete(&store);
    let partial = half.write_all(&store);
    partial.record(&[0], b"").unwrap();
    drop((partial, store));
    fs::remove_file(dir.path().join("index.redb")).unwrap();
    let mut bytes = wrong.bytes.clone();
    bytes[100_000] ^= 1;
    fs::write(blob_path(dir.path(), &wrong.digest), bytes).unwrap();

    let (store, recovered) = open(dir.path(), RealDisk).unwrap();
    let expected = Recovered {
        blobs: 1,
        adopted_blobs: 1,
        wrong_blobs: 1,
        dropped_partials: 1,
        index_rebuilt: true,
        ..Recovered::default()
    };
    assert_eq!(recovered, expected);
    assert!(whole.is_whole_in(&store));
    assert!(!blob_path(dir.path(), &wrong.digest).exists());
    assert_eq!(store.chain(&whole.digest), None);
    drop(store);
    let (_, recovered) = open(dir.path(), RealDisk).unwrap();
    assert_eq!(recovered, Recovered { blobs: 1, ..Recovered::default() });
}

#[test]
fn a_damaged_index_never_hides_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let (whole, half) = (sample(1), sample(2));
    whole.complete(&store);
    let partial = half.write_all(&store);
    partial.record(&[0, 1], b"chain").unwrap();
    drop((partial, store));
    let index = dir.path().join("index.redb");
    let intact = fs::read(&index).unwrap();
    let mut random = super::Random(1);
    for round in 0..60 {
        let mut bytes = intact.clone();
        match round % 4 {
            0 => bytes.truncate(random.below(intact.len())),
            1 => bytes[..512].fill_with(|| random.next() as u8),
            2 => {
                let at = random.below(4096);
                bytes[at] ^= 1 << random.below(8);
            }
            _ => (0..40).for_each(|_| {
                let at = random.below(intact.len() / 4096) * 4096;
                bytes[at..at + 4096].fill(random.next() as u8);
            }),
        }
        fs::write(&index, bytes).unwrap();
        let (store, recovered) =
            open(dir.path(), RealDisk).unwrap_or_else(|error| panic!("{round}: {error}"));
        assert_eq!(recovered.blobs, 1, "{round}");
        assert!(whole.is_whole_in(&store), "{round}");
    }
}

#[test]
fn odd_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let whole = sample(1);
    whole.complete(&store);
    drop(store);
    let target = dir.path().join("target");
    fs::write(&target, &sample(2).bytes).unwrap();
    let planted = blob_path(dir.path(), &sample(2).digest);
    fs::create_dir_all(planted.parent().unwrap()).unwrap();
    symlink(&target, &planted).unwrap();
    fs::write(dir.path().join("blobs/sha256/README"), b"").unwrap();
    fs::create_dir(dir.path().join("blobs/sha256/zz")).unwrap();
    fs::write(blob_path(dir.path(), &whole.digest).with_file_name("tmp"), b"").unwrap();
    fs::write(dir.path().join("partial/notes"), b"").unwrap();
    symlink(&target, dir.path().join(format!("partial/sha256-{}", sample(3).digest.hex()))).unwrap();

    let (store, recovered) = open(dir.path(), RealDisk).unwrap();
    assert_eq!(recovered, Recovered { blobs: 1, odd_files: 6, ..Recovered::default() });
    assert!(store.info(&sample(2).digest).is_none());
    // Real content takes the place of a planted link, and what the link pointed at stays as it was.
    sample(2).complete(&store);
    sample(3).complete(&store);
    assert!(sample(2).is_whole_in(&store) && sample(3).is_whole_in(&store));
    assert_eq!(fs::read(&target).unwrap(), sample(2).bytes);
    assert!(dir.path().join("partial/notes").exists());
}

#[test]
fn a_blob_that_vanishes_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let (gone, cut, lost) = (sample(1), sample(2), sample(3));
    for sample in [&gone, &cut, &lost] {
        sample.complete(&store);
    }
    fs::remove_file(blob_path(dir.path(), &gone.digest)).unwrap();
    fs::write(blob_path(dir.path(), &cut.digest), b"short").unwrap();
    assert!(store.open_blob(&gone.digest).unwrap().is_none());
    assert!(store.open_blob(&cut.digest).unwrap().is_none());
    assert!(store.info(&gone.digest).is_none());
    assert_eq!((store.stats().lost_blobs, store.stats().blobs), (2, 1));
    drop(store);
    fs::remove_file(blob_path(dir.path(), &lost.digest)).unwrap();
    let (store, recovered) = open(dir.path(), RealDisk).unwrap();
    assert_eq!(recovered, Recovered { lost_blobs: 1, ..Recovered::default() });
    gone.complete(&store);
    assert!(gone.is_whole_in(&store));
}

#[test]
fn a_partial_file_that_was_changed_fails_its_hash_not_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let half = sample(1);
    let partial = half.write_all(&store);
    partial.record(&[0, 1, 2, 3], b"").unwrap();
    drop((partial, store));
    let path = dir.path().join(format!("partial/sha256-{}", half.digest.hex()));
    fs::write(&path, &half.bytes[..70_000]).unwrap();
    let (store, _) = open(dir.path(), RealDisk).unwrap();
    let partial = store.begin(&half.digest, half.geometry).unwrap();
    assert_eq!(read_piece(&partial, 0), half.piece(0));
    assert!(partial.read_piece(1, &mut vec![0; 65_536]).is_err());
    half.pieces().for_each(|piece| partial.write_piece(piece, half.piece(piece)).unwrap());
    partial.complete(b"", None).unwrap();
    assert!(half.is_whole_in(&store));
}
