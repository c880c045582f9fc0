//! Hosts and the links between them: a network namespace for each, on a bridge in one more.
//!
//! Every link is shaped in both directions by HTB: on the host's end for what it sends, on the bridge's end for what it
//! receives. HTB charges a packet what it has on the wire, Ethernet header included, and one that the kernel has not
//! cut into segments yet as if it had, so segmentation offload (which saves most of the processor's work) does not
//! change the rate. The bucket holds what a link carries in [`BURST_S`], and an idle link gives away no more than twice
//! that: what is in the bucket, and as much on credit (see `bursts`).

use std::{
    fmt::Write as _,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{bursts::Bursts, needs::Tools};
use crate::{rig::RigError, units::Rate};

/// Best possible share of payload in a link's rate: 1448 bytes in each Ethernet frame of 1514.
pub(super) const BEST_PAYLOAD_SHARE: f64 = 1448.0 / 1514.0;
const BURST_S: f64 = 0.002;
/// How long a byte waits at most in front of a link: what a switch or a home router has, and enough for TCP.
const QUEUE_S: f64 = 0.03;
/// So that a few unsegmented packets fit in front of a slow link.
const MIN_QUEUE_BYTES: u64 = 256 * 1024;
const FRAME_BYTES: u64 = 1514;
const BRIDGE: &str = "hub";
/// What the names of namespaces begin with; the id of the lab's process follows, and the host.
pub(super) const PREFIX: &str = "shoal-lab-";
/// Where `br_netfilter` is loaded, every bridged packet goes through the firewall's hooks, in new namespaces too, and
/// takes processor time that is not the measured system's. A namespace has its own switches for that.
const PASS_FIREWALL: &str = "for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e \"$file\" ] || echo 0 > \"$file\" || exit; done";

/// One of the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// Has the registry.
    Origin,
    /// Has the seed.
    Seed,
    /// Pulls; from 1.
    Node(u16),
}

/// What the links can do.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// In each direction.
    pub(super) rate: Rate,
    /// Share of packets that each host drops of what it receives.
    pub(super) loss: f64,
    /// TCP's congestion control.
    pub(super) congestion: String,
}

/// The namespaces. Dropping it removes them, and with them their links.
#[derive(Debug)]
pub(super) struct Network {
    tools: Tools,
    prefix: String,
    hosts: Vec<Host>,
    made: Vec<String>,
    _bursts: Option<Bursts>,
}

impl Host {
    /// Its address on the bridge.
    pub(super) fn address(self, port: u16) -> SocketAddr {
        let [high, low] = self.number().to_be_bytes();
        SocketAddr::from((Ipv4Addr::new(10, 77, high, low), port))
    }

    /// Its name in messages, files and namespaces.
    pub(super) fn name(self) -> String {
        match self {
            Self::Origin => "origin".into(),
            Self::Seed => "seed".into(),
            Self::Node(number) => format!("node-{number}"),
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Origin => 1,
            Self::Seed => 2,
            Self::Node(number) => 256 + number,
        }
    }

    fn port_name(self) -> String {
        format!("port{}", self.number())
    }
}

impl Network {
    /// Makes origin, seed and `nodes` nodes.
    pub(super) fn up(tools: &Tools, nodes: u16, links: &Links) -> Result<Self, RigError> {
        let hosts = [Host::Origin, Host::Seed].into_iter().chain((1..=nodes).map(Host::Node)).collect();
        let prefix = format!("{PREFIX}{}", std::process::id());
        let mut network = Self { tools: tools.clone(), prefix, hosts, made: Vec::new(), _bursts: None };
        network.make(links)?;
        network._bursts = Bursts::on();
        Ok(network)
    }

    /// A call of `program` on `host`; the process that it becomes is the program itself.
    pub(super) fn command(&self, host: Host, program: &Path) -> Command {
        let mut command = Command::new(&self.tools.ip);
        command.args(["netns", "exec", &self.namespace(&host.name())]).arg(program);
        command
    }

    /// What came over the link to `host` so far, headers included.
    pub(super) fn received_bytes(&self, host: Host) -> Result<u64, RigError> {
        self.shaped_bytes(BRIDGE, &host.port_name())
    }

    /// What left `host` over its link so far, headers included.
    pub(super) fn sent_bytes(&self, host: Host) -> Result<u64, RigError> {
        self.shaped_bytes(&host.name(), "eth0")
    }

    fn shaped_bytes(&self, name: &str, device: &str) -> Result<u64, RigError> {
        let mut command = Command::new(&self.tools.tc);
        command.args(["-n", &self.namespace(name), "-s", "-j", "qdisc", "show", "dev", device]);
        let text = run(command, "")?;
        let queues: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        let shaper = queues.iter().find(|queue| queue["kind"] == "htb");
        let unreadable = || RigError::Helper { who: "tc".into(), reason: format!("no counters in {text}") };
        shaper.and_then(|queue| queue["bytes"].as_u64()).ok_or_else(unreadable)
    }

    fn make(&mut self, links: &Links) -> Result<(), RigError> {
        self.add_namespace(BRIDGE)?;
        self.pass_firewall();
        self.ip_batch(BRIDGE, "link add bridge0 type bridge\nlink set bridge0 up\n")?;
        for host in self.hosts.clone() {
            self.add_host(host, links)?;
        }
        let shaped = self.hosts.iter().map(|host| shaping(&host.port_name(), links.rate));
        self.tc_batch(BRIDGE, &shaped.collect::<String>())
    }

    fn pass_firewall(&self) {
        let mut command = Command::new(&self.tools.ip);
        command.args(["netns", "exec", &self.namespace(BRIDGE), "sh", "-c", PASS_FIREWALL]);
        if let Err(error) = run(command, "") {
            eprintln!("lab: bridged packets go through the firewall, which costs processor time: {error}");
        }
    }

    fn add_host(&mut self, host: Host, links: &Links) -> Result<(), RigError> {
        let (name, port) = (host.name(), host.port_name());
        self.add_namespace(&name)?;
        let namespace = self.namespace(&name);
        let mut on_bridge = format!(
            "link add {port} type veth peer name eth0 netns {namespace}\nlink set {port} master bridge0 up\n"
        );
        let mut on_host = format!(
            "link set lo up\nlink set eth0 addrgenmode none\naddr add {}/16 dev eth0\nlink set eth0 up\n",
            host.address(0).ip()
        );
        if links.loss > 0.0 {
            // What is lost has to be one packet, as on a wire, and not all that the kernel sends in one go.
            let _ = writeln!(on_bridge, "link set {port} gso_max_segs 1");
            let _ = writeln!(on_host, "link set eth0 gso_max_segs 1");
        }
        // By route: the setting of a namespace takes only what the whole machine allows everyone.
        let _ = writeln!(
            on_host,
            "route replace 10.77.0.0/16 dev eth0 scope link src {} congctl {}",
            host.address(0).ip(),
            links.congestion
        );
        self.ip_batch(BRIDGE, &on_bridge)?;
        self.ip_batch(&name, &on_host)?;
        self.tc_batch(&name, &shaping("eth0", links.rate))?;
        self.lose(host, links.loss)
    }

    fn lose(&self, host: Host, share: f64) -> Result<(), RigError> {
        let Some(iptables) = self.tools.iptables.as_ref().filter(|_| share > 0.0) else {
            return Ok(());
        };
        let mut command = self.command(host, iptables);
        command.args(["-w", "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random"]);
        command.args(["--probability", &share.to_string(), "-j", "DROP"]);
        run(command, "").map(drop)
    }

    fn add_namespace(&mut self, name: &str) -> Result<(), RigError> {
        let namespace = self.namespace(name);
        let mut command = Command::new(&self.tools.ip);
        command.args(["netns", "add", &namespace]);
        run(command, "")?;
        self.made.push(namespace);
        Ok(())
    }

    fn ip_batch(&self, name: &str, lines: &str) -> Result<(), RigError> {
        self.batch(&self.tools.ip, name, lines)
    }

    fn tc_batch(&self, name: &str, lines: &str) -> Result<(), RigError> {
        self.batch(&self.tools.tc, name, lines)
    }

    fn batch(&self, program: &PathBuf, name: &str, lines: &str) -> Result<(), RigError> {
        let mut command = Command::new(program);
        command.args(["-n", &self.namespace(name), "-batch", "-"]);
        run(command, lines).map(drop)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.made.drain(..).rev() {
            let mut command = Command::new(&self.tools.ip);
            command.args(["netns", "del", &namespace]);
            if let Err(error) = run(command, "") {
                eprintln!("lab: the network namespace {namespace} stays: {error}");
            }
        }
    }
}

/// Lines for `tc` that limit what leaves by `device`.
fn shaping(device: &str, Rate(bytes_per_s): Rate) -> String {
    let burst_bytes = burst_bytes(Rate(bytes_per_s));
    let queue_bytes = ((bytes_per_s as f64 * QUEUE_S) as u64).max(MIN_QUEUE_BYTES);
    format!(
        "qdisc add dev {device} root handle 1: htb default 1\n\
         class add dev {device} parent 1: classid 1:1 htb rate {bits}bit ceil {bits}bit \
         burst {burst_bytes} cburst {burst_bytes} quantum {quantum}\n\
         qdisc add dev {device} parent 1:1 handle 10: bfifo limit {queue_bytes}\n",
        bits = bytes_per_s * 8,
        quantum = 10 * FRAME_BYTES,
    )
}

/// What a link's bucket holds.
pub(super) fn burst_bytes(Rate(bytes_per_s): Rate) -> u64 {
    (bytes_per_s as f64 * BURST_S) as u64 + FRAME_BYTES
}

/// Runs a command with `input`, and gives its output.
pub(super) fn run(mut command: Command, input: &str) -> Result<String, RigError> {
    let shown = format!("{command:?}").replace('"', "");
    let named = || RigError::system(format!("run `{shown}`"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A Ctrl-C at the terminal must not reach what cleans up.
    command.process_group(0);
    let mut child = command.spawn().map_err(named())?;
    if let Some(mut pipe) = child.stdin.take() {
        // What does not read its input says why in its output.
        let _ = pipe.write_all(input.as_bytes());
    }
    let ended = child.wait_with_output().map_err(named())?;
    if !ended.status.success() {
        let output = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        return Err(RigError::Command { command: shown, output });
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_addresses_and_ports_of_their_own() {
        let hosts = [Host::Origin, Host::Seed, Host::Node(1), Host::Node(200)];
        let addresses: Vec<String> = hosts.map(|host| host.address(80).to_string()).into();
        assert_eq!(addresses, ["10.77.0.1:80", "10.77.0.2:80", "10.77.1.1:80", "10.77.1.200:80"]);
        // The kernel takes names of interfaces of up to 15 bytes.
        assert!(hosts.iter().all(|host| host.port_name().len() <= 15));
    }

    #[test]
    fn a_bucket_gives_away_little() {
        assert_eq!(burst_bytes(Rate(12_500_000)), 26_514);
    }
}
