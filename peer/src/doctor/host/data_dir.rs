//! The folder for blobs can be written.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use rustix::fs::{Access, access};

use crate::doctor::{
    Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity, host::room::nearest,
};

pub(super) const CHECK: Check = Check {
    id: "data-dir",
    category: Category::Host,
    severity: Severity::Failure,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "data_dir is a folder that can be written, or can be made",
    why: "The node keeps its identity and every blob there, and does not start without it.",
    mend: "Make the folder, give it to the user that Shoal runs as, or name another one in data_dir.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let dir = context.config().data_dir.clone();
    let looked = tokio::task::spawn_blocking(move || look(&dir)).await;
    looked.unwrap_or_else(|error| Outcome::skipped(error.to_string()))
}

fn look(dir: &Path) -> Outcome {
    let shown = dir.display();
    match fs::metadata(dir) {
        Ok(metadata) if !metadata.is_dir() => Outcome::wrong(
            Finding::new(
                format!("data_dir {shown} is no folder"),
                "Move what is there away; the node makes the folder.",
            )
            .run_on("mv {} {}.old", dir),
        ),
        Ok(metadata) => writable(dir, &metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => makeable(dir),
        Err(error) => Outcome::wrong(
            Finding::new(
                format!("can't look at data_dir {shown}: {error}"),
                "Let Shoal's user pass the folders above it.",
            )
            .run_on("namei -l {}", dir),
        ),
    }
}

fn writable(dir: &Path, metadata: &fs::Metadata) -> Outcome {
    let shown = dir.display();
    match try_out(dir) {
        Ok(()) => stranger(dir, metadata).map_or_else(|| Outcome::well(shown.to_string()), Outcome::wrong),
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Outcome::wrong(
            Finding::new(
                format!("data_dir {shown} is on a file system that is mounted read-only"),
                "Mount it for writing; look why it is not: the kernel does so after errors of the disk.",
            )
            .run_on("mount -o remount,rw \"$(df --output=target {} | tail -1)\"", dir),
        ),
        Err(error) => Outcome::wrong(
            Finding::new(
                format!(
                    "data_dir {shown} can't be written: {error} (its owner is {}, its mode {:04o})",
                    metadata.uid(),
                    metadata.mode() & 0o7777
                ),
                "Give it to the user that Shoal runs as, here the one that asks.",
            )
            .run_on("chown -R \"$(id -u)\" {} && chmod u+rwx {}", dir),
        ),
    }
}

/// Whether files can be made there. Permissions alone do not tell: of a file system that is read-only, say.
fn try_out(dir: &Path) -> io::Result<()> {
    access(dir, Access::WRITE_OK | Access::EXEC_OK)?;
    Ok(())
}

/// Somebody else's files in it: the node's key belongs to another user than the folder.
fn stranger(dir: &Path, folder: &fs::Metadata) -> Option<Finding> {
    let key = dir.join("node.key");
    let owner = fs::metadata(&key).ok()?.uid();
    (owner != folder.uid()).then(|| {
        Finding::new(
            format!("{} belongs to user {owner}, and its folder to user {}", key.display(), folder.uid()),
            "Give all of it to one user, the one that Shoal runs as: a run as another one has left its files.",
        )
        .run_on("chown -R \"$(stat -c %u {})\" {}", dir)
    })
}

fn makeable(dir: &Path) -> Outcome {
    let above = nearest(dir);
    let (shown, at) = (dir.display(), above.display());
    if above.is_dir() && access(&above, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        return Outcome::well(format!("{shown} is made at the first start"));
    }
    Outcome::wrong(
        Finding::new(
            format!(
                "data_dir {shown} is not there and can't be made: {at} is no folder that this user may write"
            ),
            "Make the folder for the user that Shoal runs as.",
        )
        .run_on("install -d -m 0700 {}", dir),
    )
}
