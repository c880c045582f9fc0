//! Podman, Buildah and skopeo, which share the library that reads `registries.conf`, and name the registry in the path.

use std::{fmt::Write as _, fs, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use crate::{containerd::Origin, process::run, scratch::Scratch, unpacked::Source};

const PULL_WITHIN: Duration = Duration::from_secs(180);
const COMMAND_WITHIN: Duration = Duration::from_secs(60);

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Podman.
    Podman,
    /// Buildah.
    Buildah,
    /// skopeo, which pulls into a folder.
    Skopeo,
}

/// Of which Debian it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Bookworm: a library that fails a pull when a blob breaks off.
    Bookworm,
    /// Trixie: one that asks for the rest.
    Trixie,
}

/// A program with configuration and storage of its own.
#[derive(Debug)]
pub struct PathPrefixed {
    tool: Tool,
    source: Source,
    scratch: Scratch,
}

impl PathPrefixed {
    /// One that pulls from `mirror` first, and then from where the registries are.
    pub fn new(tool: Tool, generation: Generation, mirror: SocketAddr, origins: &[Origin]) -> Self {
        let source = match (generation, tool) {
            (Generation::Bookworm, Tool::Skopeo) => Source::Machine,
            (Generation::Bookworm, _) => Source::Bookworm,
            (Generation::Trixie, _) => Source::TrixieRoot,
        };
        let scratch = Scratch::new("path-prefixed");
        let write = |name: &str, text: &str| {
            fs::write(scratch.data().join(name), text).expect("a configuration");
        };
        write("registries.conf", &registries(mirror, origins));
        const POLICY: &str = r#"{ "default": [{ "type": "insecureAcceptAnything" }] }"#;
        write("policy.json", POLICY);
        // Where a command looks that is not told.
        let home = scratch.data().join(".config/containers");
        fs::create_dir_all(&home).expect("a folder for the policy");
        write(".config/containers/policy.json", POLICY);
        write("containers.conf", &containers(source));
        Self { tool, source, scratch }
    }

    /// Pulls an image.
    ///
    /// # Errors
    /// What the program says.
    pub async fn pull(&self, reference: &str) -> Result<(), String> {
        let data = self.scratch.data();
        let mut command = self.command();
        match self.tool {
            Tool::Podman | Tool::Buildah => {
                command
                    .args(["pull", "--quiet", "--signature-policy"])
                    .arg(data.join("policy.json"))
                    .arg(reference);
            }
            Tool::Skopeo => {
                command.arg("--policy").arg(data.join("policy.json")).args(["copy", "--quiet"]);
                let folder = data.join(format!("image-{}", fastrand::u64(..)));
                command.arg(format!("docker://{reference}")).arg(format!("dir:{}", folder.display()));
            }
        }
        run(command, PULL_WITHIN).await.map(drop)
    }

    /// A script that runs the program as it is set up here.
    pub fn script(&self) -> String {
        let command = self.command();
        let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy());
        let mut script = "#!/bin/sh\n".to_owned();
        for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            let _ = writeln!(script, "export {}={}", name.to_string_lossy(), quoted(value));
        }
        let words: Vec<_> =
            [command.get_program()].into_iter().chain(command.get_args()).map(quoted).collect();
        script + &format!("exec {} \"$@\"\n", words.join(" "))
    }

    /// What it reads of registries.
    pub fn registries(&self) -> PathBuf {
        self.scratch.data().join("registries.conf")
    }

    /// The version that it says it is, as `4.3.1`.
    pub async fn exact_version(&self) -> String {
        let mut command = self.command();
        command.arg("--version");
        let printed = run(command, COMMAND_WITHIN).await.expect("a version");
        printed.split_whitespace().nth(2).expect("a version").to_owned()
    }

    fn command(&self) -> Command {
        let data = self.scratch.data();
        let mut command = self.source.command(match self.tool {
            Tool::Podman => "podman",
            Tool::Buildah => "buildah",
            Tool::Skopeo => "skopeo",
        });
        let registries = data.join("registries.conf");
        command.env("CONTAINERS_CONF", data.join("containers.conf"));
        command.env("HOME", data).env("XDG_RUNTIME_DIR", self.scratch.run()).env("TMPDIR", data);
        if self.tool == Tool::Skopeo {
            command.arg("--registries-conf").arg(registries);
        } else {
            command.env("CONTAINERS_REGISTRIES_CONF", registries);
            command
                .arg("--root")
                .arg(data.join("root"))
                .arg("--runroot")
                .arg(self.scratch.run().join("storage"));
            command.args(["--storage-driver", "vfs"]);
        }
        if self.tool == Tool::Podman {
            command.arg("--tmpdir").arg(self.scratch.run().join("podman"));
            command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "none"]);
        }
        command
    }
}

/// As a user would write it, but for the places of the registries, which here have no name.
fn registries(mirror: SocketAddr, origins: &[Origin]) -> String {
    let mut text = String::new();
    for (host, origin) in origins {
        let _ = writeln!(
            text,
            "[[registry]]\nprefix = '{host}'\nlocation = '{origin}'\ninsecure = true\n\
             [[registry.mirror]]\nlocation = '{mirror}/{host}'\ninsecure = true"
        );
    }
    text
}

/// Podman looks for what runs containers even when it only pulls.
fn containers(source: Source) -> String {
    let (conmon, crun) = (source.file("usr/bin/conmon"), source.file("usr/bin/crun"));
    format!(
        "[engine]\nconmon_path = ['{}']\nruntime = 'crun'\n[engine.runtimes]\ncrun = ['{}']\n",
        conmon.display(),
        crun.display()
    )
}
