//! The case `rival`: another program on each node, which fetches from the origin as it knows best.

use std::{path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use super::super::{
    args::LabArgs,
    hosts::{Hosts, ORIGIN_PORT},
    network::Host,
};
use crate::rig::{Process, RigError, until};

const START_WITHIN: Duration = Duration::from_secs(120);

/// Rivals that answer.
#[derive(Debug)]
pub(super) struct Rivals {
    /// One on each node.
    pub(super) processes: Vec<Process>,
    /// Where each node pulls.
    pub(super) urls: Vec<String>,
    folder: TempDir,
}

impl Rivals {
    /// Starts them with empty folders, and warms up those that are to have the blob.
    pub(super) async fn start(args: &LabArgs, hosts: &mut Hosts) -> Result<Self, RigError> {
        let folder = TempDir::with_prefix_in("rival-", hosts.folder());
        let folder = folder.map_err(RigError::system("make a folder for the rivals' data"))?;
        let mut rivals = Self { processes: Vec::new(), urls: Vec::new(), folder };
        for number in 1..=args.nodes {
            rivals.start_one(args, hosts, number)?;
        }
        rivals.wait(hosts).await?;
        hosts.warm_up(args, &rivals.urls).await?;
        Ok(rivals)
    }

    fn start_one(&mut self, args: &LabArgs, hosts: &Hosts, number: u16) -> Result<(), RigError> {
        let host = Host::Node(number);
        let folder = self.folder.path().join(host.name());
        std::fs::create_dir(&folder).map_err(RigError::system(format!("make {}", folder.display())))?;
        let filled = |template: &str| {
            template
                .replace("{node}", &number.to_string())
                .replace("{address}", &host.address(0).ip().to_string())
                .replace("{origin}", &Host::Origin.address(ORIGIN_PORT).to_string())
                .replace("{folder}", &folder.display().to_string())
                .replace("{digest}", &hosts.blob.digest.to_string())
        };
        let mut command: Command = hosts.network.command(host, Path::new("sh"));
        command.arg("-c").arg(filled(args.command.as_deref().unwrap_or_default())).current_dir(&folder);
        let log = self.folder.path().join(format!("{}.log", host.name()));
        self.processes.push(Process::spawn(&format!("the rival on {}", host.name()), command, &log)?);
        let target = args.target.get(usize::from(number - 1)).or(args.target.first());
        self.urls.push(filled(target.map(String::as_str).unwrap_or_default()));
        Ok(())
    }

    async fn wait(&mut self, hosts: &mut Hosts) -> Result<(), RigError> {
        until("every rival to answer", START_WITHIN, async || {
            self.processes.iter_mut().try_for_each(Process::check)?;
            for (hand, url) in hosts.nodes.iter_mut().zip(&self.urls) {
                if !hand.is_answered(&api_url(url)).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }
}

/// The page that says that a registry is there; the URL itself would make it fetch.
fn api_url(url: &str) -> String {
    match url.split_once("/v2/") {
        Some((host, _)) => format!("{host}/v2/"),
        None => url.split('/').take(3).collect::<Vec<_>>().join("/") + "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_greeted_at_its_root() {
        assert_eq!(api_url("http://a:5000/x/v2/y/blobs/z"), "http://a:5000/x/v2/");
        assert_eq!(api_url("http://a:5000/file"), "http://a:5000/");
    }
}
