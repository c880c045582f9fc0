//! Faults in what the runtimes of a host are told: planted in files as people and programs write them, found, and gone
//! after what the finding says was done.

mod containerd;
mod containerd_hosts;
mod containers;
mod docker;
mod healthy;

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use shoal_peer::doctor::{Finding, State};

use crate::patient::{Patient, of};

/// A file and what is in it.
pub(crate) type File = (&'static str, &'static str);

/// Something wrong on a host.
pub(crate) struct Fault {
    /// The runtime and its version, one of the programs in `fixtures/programs`.
    pub(crate) program: &'static str,
    /// What is on the host.
    pub(crate) files: &'static [File],
    /// The check that has to find it.
    pub(crate) check: &'static str,
    /// What it has to tell.
    pub(crate) tells: &'static [&'static str],
    /// What mends it.
    pub(crate) cure: Cure,
}

/// How a fault is mended.
pub(crate) enum Cure {
    /// By the finding's commands alone.
    Commands,
    /// By hand, as the finding's text says with this.
    ByHand(&'static str, File),
}

/// Plants the fault, has it found, mends it, and looks again.
pub(crate) async fn is_found_and_mended(fault: &Fault) {
    let patient = host(fault.program, fault.files);
    let finding = patient.found(fault.check).await;
    for word in fault.tells {
        assert!(finding.what.contains(word), "{}: no {word:?} in {finding:?}", fault.check);
    }
    match &fault.cure {
        Cure::Commands => carry_out(&finding),
        Cure::ByHand(says, (path, text)) => {
            assert!(finding.mend.text.contains(says), "{}: no {says:?} in {finding:?}", fault.check);
            patient.write(path, text);
        }
    }
    let report = patient.examine(&[fault.check]).await;
    let state = &of(&report, fault.check).state;
    assert!(matches!(state, State::Well(_)), "{} after {finding:?}: {state:?}", fault.check);
}

/// The same for a fault whose files are put together by the test.
pub(crate) async fn fault(
    program: &'static str,
    check: &'static str,
    files: &[File],
    tells: &'static [&'static str],
    cure: Cure,
) {
    let files = Vec::leak(files.to_vec());
    is_found_and_mended(&Fault { program, files, check, tells, cure }).await;
}

/// A host with a runtime and these files.
pub(crate) fn host(program: &str, files: &[File]) -> Patient {
    let patient = Patient::before_start();
    install(&patient, program);
    for (path, text) in files {
        patient.write(path, text);
    }
    patient
}

/// Puts a program of the fixtures on a host, by its name without the version.
pub(crate) fn install(patient: &Patient, program: &str) {
    let name = program.split('-').next().unwrap();
    let path = patient.path(&format!("/usr/bin/{name}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(fixture("programs").join(program), path).unwrap();
}

/// Does what a finding says. Services are not restarted, as there are none.
fn carry_out(finding: &Finding) {
    assert!(!finding.mend.commands.is_empty(), "{finding:?}");
    let path = std::env::join_paths([fixture("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    for command in &finding.mend.commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .env("PATH", &path)
            .env("SHOAL_UNDER_TEST", env!("CARGO_BIN_EXE_shoal"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor/fixtures").join(name)
}
