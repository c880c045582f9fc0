//! The disk has room for files.

use std::sync::Arc;

use super::room;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// A blob takes one file, and an image some ten blobs.
const LEAST_FILES: u64 = 2000;

pub(super) const CHECK: Check = Check {
    id: "disk-inodes",
    category: Category::Host,
    severity: Severity::Failure,
    depends_on: &["data-dir"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the disk of data_dir can take 2000 files more",
    why: "A disk without free inodes takes no new file, however many bytes are free: no blob is kept.",
    mend: "Remove files that nobody needs, or put data_dir on another disk.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let dir = &context.config().data_dir;
    let found = match room::of(dir) {
        Ok(found) => found,
        Err(reason) => return Outcome::skipped(reason),
    };
    if found.f_files == 0 {
        return Outcome::well("this file system has no such bound");
    }
    if found.f_favail >= LEAST_FILES {
        return Outcome::well(format!("{} files", found.f_favail));
    }
    Outcome::wrong(
        Finding::new(
            format!(
                "the disk of {} can take {} files more, of {}",
                dir.display(),
                found.f_favail,
                found.f_files
            ),
            "Remove files there; this shows which folders have most.",
        )
        .run_on("du -x --inodes --max-depth=2 {} | sort -n | tail", &room::nearest(dir)),
    )
}
