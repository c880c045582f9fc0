//! The disk has room for blobs.

use std::sync::Arc;

use bytesize::ByteSize;

use super::room;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// Less than this, and one image of usual size does not fit.
const LEAST_BYTES: u64 = 2 << 30;

pub(super) const CHECK: Check = Check {
    id: "disk-space",
    category: Category::Host,
    severity: Severity::Failure,
    depends_on: &["data-dir"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "data_dir has 2 GiB free",
    why: "A layer that does not fit is not kept, and its pull goes to the registry. Nothing is evicted yet.",
    mend: "Make room, or put data_dir on a larger disk.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let dir = &context.config().data_dir;
    let found = match room::of(dir) {
        Ok(found) => found,
        Err(reason) => return Outcome::skipped(reason),
    };
    let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
    let total_bytes = found.f_blocks.saturating_mul(found.f_frsize);
    let (free, total) = (ByteSize::b(free_bytes), ByteSize::b(total_bytes));
    if free_bytes >= LEAST_BYTES {
        return Outcome::well(format!("{free} of {total} free"));
    }
    Outcome::wrong(
        Finding::new(
            format!("the disk of {} has {free} of {total} left", dir.display()),
            "Make room there; this shows what takes it.",
        )
        .run_on("du -xh --max-depth=2 {} | sort -h | tail", &room::nearest(dir)),
    )
}
