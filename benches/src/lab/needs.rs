//! What the lab needs of the machine.

use std::path::PathBuf;

/// The programs it calls.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub(super) ip: PathBuf,
    pub(super) tc: PathBuf,
    /// There when packets are to be lost.
    pub(super) iptables: Option<PathBuf>,
}

/// Something is not there.
#[derive(Debug, thiserror::Error)]
#[error("the lab makes network namespaces with shaped links, and for that needs {}", missing.join(", and "))]
pub(super) struct Missing {
    missing: Vec<&'static str>,
}

impl Tools {
    /// Finds everything, or tells all that is missing.
    pub(super) fn find(with_loss: bool) -> Result<Self, Missing> {
        let mut missing = Vec::new();
        if !rustix::process::geteuid().is_root() {
            missing.push("root");
        }
        let mut need = |program: &str, what| {
            let found = find(program);
            if found.is_none() {
                missing.push(what);
            }
            found
        };
        let ip = need("ip", "the program `ip` (Debian: iproute2)");
        let tc = need("tc", "the program `tc` (Debian: iproute2)");
        let iptables = with_loss.then(|| need("iptables", "the program `iptables` for --loss")).flatten();
        match (ip, tc) {
            (Some(ip), Some(tc)) if missing.is_empty() => Ok(Self { ip, tc, iptables }),
            _ => Err(Missing { missing }),
        }
    }
}

/// Debian keeps them in /usr/sbin, which is not on every user's path.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
