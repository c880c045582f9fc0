//! Jobs over a cluster in memory.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use shoal_protocol::digest::Digest;
use tokio_util::sync::CancellationToken;

use super::{ImageState, JobReport, JobState, MAX_JOBS, Order, Preheat, Request, StartError, memory::Memory};
use crate::content::ContentError;

/// Blobs fetched at a time.
const AT_ONCE: usize = 4;
/// Whatever does not happen within it never will, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

fn order(images: &[&str], platforms: &[&str]) -> Order {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Order::try_from(&Request { images: owned(images), platforms: owned(platforms), zone: None, nodes: None })
        .unwrap()
}

fn preheat(memory: Memory) -> (Preheat, Arc<Memory>) {
    let memory = Arc::new(memory);
    (Preheat::new(memory.clone(), memory.clone(), CancellationToken::new()), memory)
}

async fn until<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = probe() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("what is waited for")
}

async fn ended(preheat: &Preheat, id: &str) -> JobReport {
    until(|| preheat.report(id).filter(|report| report.state.is_end())).await
}

/// Waits until as many blobs are on their way as may be, and long enough for more to begin.
async fn all_places_taken(memory: &Memory) {
    until(|| (memory.waiting() >= AT_ONCE).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(memory.waiting(), AT_ONCE);
}

async fn run(preheat: &Preheat, order: Order) -> JobReport {
    let id = preheat.start(order).unwrap().id;
    ended(preheat, &id).await
}

fn entry(digest: Digest, os: &str, architecture: &str) -> Value {
    json!({ "digest": digest.to_string(), "platform": { "os": os, "architecture": architecture } })
}

/// An index for two platforms, of three and two blobs that share none.
fn platforms(memory: &mut Memory) -> (Vec<Digest>, Vec<Digest>) {
    let (amd, amd_blobs) = memory.image("amd", 3);
    let (arm, arm_blobs) = memory.image("arm", 2);
    let index = json!({ "manifests": [entry(amd, "linux", "amd64"), entry(arm, "linux", "arm64")] });
    let index = memory.document(&index);
    memory.tag("docker.io/library/app:v1", index);
    (amd_blobs, arm_blobs)
}

#[tokio::test]
async fn an_image_comes_by_tag_and_by_digest_and_once() {
    let mut memory = Memory::default();
    let (manifest, blobs) = memory.image("app", 5);
    memory.tag("docker.io/library/app:v1", manifest);
    let (preheat, memory) = preheat(memory);
    let report = run(&preheat, order(&["app:v1"], &[])).await;
    assert_eq!(report.state, JobState::Done);
    let image = &report.images[0];
    assert_eq!((image.image.as_str(), image.state), ("docker.io/library/app:v1", ImageState::Done));
    assert_eq!(image.digest, Some(manifest.to_string()));
    assert_eq!((image.blobs_done, image.blobs_total), (5, 5));
    assert_eq!((image.bytes_done, image.bytes_total), (5000, 5000), "no more than there is");
    let again = run(&preheat, order(&[&format!("app@{manifest}")], &[])).await;
    assert_eq!((again.state, again.images[0].bytes_done), (JobState::Done, 5000));
    assert_eq!(memory.fetched(), blobs);
}

#[tokio::test]
async fn of_several_platforms_the_wanted_ones_come() {
    for (wanted, has_amd, has_arm) in [
        (&["linux/amd64"][..], true, false),
        (&["linux/arm64/v8"], false, true),
        (&["linux/arm64", "linux/amd64"], true, true),
        (&["all"], true, true),
    ] {
        let mut memory = Memory::default();
        let (amd, arm) = platforms(&mut memory);
        let (preheat, memory) = preheat(memory);
        let report = run(&preheat, order(&["app:v1"], wanted)).await;
        assert_eq!(report.state, JobState::Done, "{report:?}");
        let fetched = memory.fetched();
        assert_eq!(amd.iter().all(|blob| fetched.contains(blob)), has_amd, "{wanted:?}");
        assert_eq!(arm.iter().all(|blob| fetched.contains(blob)), has_arm, "{wanted:?}");
    }
}

#[tokio::test]
async fn a_platform_that_is_missing_is_named_and_the_others_come_all_the_same() {
    let mut memory = Memory::default();
    let (amd, _) = platforms(&mut memory);
    let (preheat, memory) = preheat(memory);
    let report = run(&preheat, order(&["app:v1"], &["linux/amd64", "linux/s390x"])).await;
    assert_eq!(report.state, JobState::Failed);
    let reason = report.images[0].reason.as_deref().unwrap();
    assert_eq!(reason, "the index has nothing for linux/s390x; it has linux/amd64, linux/arm64");
    assert_eq!(memory.fetched(), amd);
}

#[tokio::test]
async fn an_index_in_an_index_leads_on_and_one_without_end_ends() {
    let mut memory = Memory::default();
    platforms(&mut memory);
    let inner = json!({ "manifests": [entry(memory.image("amd", 3).0, "linux", "amd64")] });
    let mut outer = memory.document(&inner);
    for _ in 0..3 {
        outer = memory.document(&json!({ "manifests": [{ "digest": outer.to_string() }] }));
    }
    memory.tag("docker.io/library/nested:v1", outer);
    for _ in 0..200 {
        outer = memory.document(&json!({ "manifests": [{ "digest": outer.to_string() }] }));
    }
    memory.tag("docker.io/library/endless:v1", outer);
    let (preheat, _) = preheat(memory);
    let report = run(&preheat, order(&["nested:v1", "endless:v1"], &["linux/amd64"])).await;
    assert_eq!((report.images[0].state, report.images[0].blobs_done), (ImageState::Done, 3));
    let reason = report.images[1].reason.as_deref().unwrap();
    assert!(reason.starts_with("its indexes lead to more than"), "{reason}");
}

#[tokio::test]
async fn one_image_that_is_not_there_leaves_the_others_alone() {
    let mut memory = Memory::default();
    let (manifest, _) = memory.image("app", 3);
    memory.tag("docker.io/library/app:v1", manifest);
    let strange = memory.document(&json!({ "fsLayers": [] }));
    let denied = memory.image("denied", 2).0;
    memory.fail(denied, vec![ContentError::Denied("not on the list".into())]);
    let (preheat, _) = preheat(memory);
    let names = ["gone:v1", "app:v1", &format!("app@{strange}"), &format!("app@{denied}")];
    let report = run(&preheat, order(&names, &[])).await;
    assert_eq!(report.state, JobState::Failed);
    let reasons: Vec<_> =
        report.images.iter().map(|image| image.reason.clone().unwrap_or_default()).collect();
    assert_eq!(reasons[0], "tag v1: the origin does not have it");
    assert_eq!((report.images[1].state, reasons[1].as_str()), (ImageState::Done, ""));
    assert_eq!(reasons[2], format!("{strange}: neither an image manifest nor an index"));
    assert_eq!(reasons[3], format!("manifest {denied}: access denied: not on the list"), "not asked twice");
    assert_eq!((report.summary().images_done, report.summary().images_failed), (1, 3));
}

#[tokio::test]
async fn what_fails_is_tried_again_a_few_times() {
    let mut memory = Memory::default();
    let (manifest, blobs) = memory.image("app", 3);
    memory.tag("docker.io/library/app:v1", manifest);
    let away = || ContentError::NotHere("nothing came in time".into());
    memory.fail(manifest, vec![away()]);
    memory.fail(blobs[1], vec![away(), away()]);
    let (preheat, memory) = preheat(memory);
    let report = run(&preheat, order(&["app:v1"], &[])).await;
    assert_eq!((report.state, report.images[0].bytes_done), (JobState::Done, 3000));
    assert_eq!(memory.fetched().iter().filter(|blob| **blob == blobs[1]).count(), 3);
}

#[tokio::test]
async fn what_goes_on_failing_ends_the_image_and_a_second_order_goes_on() {
    let mut memory = Memory::default();
    let (manifest, blobs) = memory.image("app", 3);
    memory.tag("docker.io/library/app:v1", manifest);
    memory.fail(blobs[2], vec![ContentError::NotHere("nothing came in time".into()); 3]);
    let (preheat, memory) = preheat(memory);
    let report = run(&preheat, order(&["app:v1"], &[])).await;
    let reason = report.images[0].reason.clone().unwrap();
    assert_eq!(reason, format!("blob {}: not here: nothing came in time", blobs[2]));
    let before = memory.fetched().len();
    assert_eq!(run(&preheat, order(&["app:v1"], &[])).await.state, JobState::Done);
    assert_eq!(memory.fetched()[before..], [blobs[2]], "only what was missing");
}

#[tokio::test]
async fn a_few_blobs_come_at_a_time_whatever_is_ordered() {
    let mut memory = Memory::default();
    for name in ["a", "b", "c"] {
        let (manifest, _) = memory.image(name, 9);
        memory.tag(&format!("docker.io/library/{name}:v1"), manifest);
    }
    let (preheat, memory) = preheat(memory);
    memory.hold();
    let first = preheat.start(order(&["a:v1", "b:v1"], &[])).unwrap().id;
    let second = preheat.start(order(&["c:v1"], &[])).unwrap().id;
    all_places_taken(&memory).await;
    memory.release();
    assert_eq!(ended(&preheat, &first).await.state, JobState::Done);
    assert_eq!(ended(&preheat, &second).await.state, JobState::Done);
    assert_eq!(memory.fetched().len(), 27);
}

#[tokio::test]
async fn a_cancelled_job_stands_still_and_makes_room() {
    let mut memory = Memory::default();
    let (manifest, _) = memory.image("app", 9);
    memory.tag("docker.io/library/app:v1", manifest);
    let (preheat, memory) = preheat(memory);
    memory.hold();
    let id = preheat.start(order(&["app:v1", "other:v1"], &[])).unwrap().id;
    all_places_taken(&memory).await;
    let report = preheat.cancel(&id).unwrap();
    assert_eq!((report.state, report.images[0].state), (JobState::Cancelled, ImageState::Cancelled));
    assert_eq!(report.images[0].bytes_done, 1600, "of each of four blobs");
    memory.release();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(preheat.report(&id).unwrap(), report, "nothing changes any more");
    assert_eq!(memory.fetched().len(), AT_ONCE);
    assert_eq!(preheat.cancel("another"), None);
    assert_eq!(run(&preheat, order(&["app:v1"], &[])).await.state, JobState::Done);
}

#[tokio::test]
async fn jobs_are_bounded_and_ended_ones_are_forgotten_first() {
    let mut memory = Memory::default();
    let (manifest, _) = memory.image("app", 2);
    memory.tag("docker.io/library/app:v1", manifest);
    let (preheat, memory) = preheat(memory);
    let done = run(&preheat, order(&["app:v1"], &[])).await.id;
    memory.forget_blobs();
    memory.hold();
    for _ in 1..MAX_JOBS {
        preheat.start(order(&["app:v1"], &[])).unwrap();
    }
    assert_eq!(preheat.list().jobs.len(), MAX_JOBS);
    let last = preheat.start(order(&["app:v1"], &[])).unwrap().id;
    assert_eq!(preheat.report(&done), None, "it had ended");
    assert_eq!(preheat.start(order(&["app:v1"], &[])), Err(StartError::TooManyJobs));
    let mut ids: Vec<_> = preheat.list().jobs.into_iter().map(|job| job.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), MAX_JOBS);
    preheat.cancel(&last).unwrap();
    preheat.start(order(&["app:v1"], &[])).unwrap();
}

#[tokio::test]
async fn a_node_that_stops_cancels_its_jobs() {
    let mut memory = Memory::default();
    let (manifest, _) = memory.image("app", 2);
    memory.tag("docker.io/library/app:v1", manifest);
    memory.hold();
    let stop = CancellationToken::new();
    let memory = Arc::new(memory);
    let preheat = Preheat::new(memory.clone(), memory, stop.clone());
    let id = preheat.start(order(&["app:v1"], &[])).unwrap().id;
    stop.cancel();
    assert_eq!(ended(&preheat, &id).await.state, JobState::Cancelled);
}
