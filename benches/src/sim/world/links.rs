//! Links that flows share as long-lived TCP connections do: max-min fair, and always busy when they can be.
//!
//! Each port (a node's uplink, its downlink, a zone's trunk) knows one number, the rate that it grants to any flow
//! that is not held back elsewhere; a flow runs at the lowest grant on its path. When flows come or go, the grants of
//! the ports near by are computed anew (the distributed algorithm of Charny, Clark and Jain, ICC 1995). Changes below
//! [`TOLERANCE`] are not passed on, so that one flow does not move all others.

use std::collections::VecDeque;

use shoal_protocol::time::Timestamp;

/// Relative change of a grant that is worth telling others.
const TOLERANCE: f64 = 0.005;
/// Ports computed anew for one flow that comes or goes: bounds the work, far beyond what is needed to settle.
const MAX_UPDATES: usize = 96;
/// Bytes that count as none, for rounding.
const EPSILON_BYTES: f64 = 0.5;

/// Names a port.
pub(super) type PortId = u32;
/// Names a flow while it lasts.
pub(super) type FlowId = u32;
/// Ports on the longest path: an uplink, two trunks, a downlink.
const MAX_HOPS: usize = 4;

/// All ports and flows of a world.
#[derive(Debug, Default)]
pub(super) struct Links {
    ports: Vec<Port>,
    flows: Vec<Flow>,
    free: Vec<FlowId>,
    due: Vec<Due>,
    /// Ports whose grants are to be computed anew, kept for its memory.
    waiting: VecDeque<PortId>,
    /// Limits of the flows of one port, kept for its memory.
    limits: Vec<f64>,
}

/// The ports that a flow passes, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path {
    ports: [PortId; MAX_HOPS],
    hops: usize,
}

/// When a flow is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The flow.
    pub flow: FlowId,
    /// Tells it from later flows of the same name.
    pub generation: u32,
    /// When.
    pub at: Timestamp,
}

#[derive(Debug)]
struct Port {
    bytes_per_s: f64,
    grant: f64,
    flows: Vec<FlowId>,
    is_waiting: bool,
}

#[derive(Debug)]
struct Flow {
    path: Path,
    left_bytes: f64,
    rate: f64,
    since: Timestamp,
    due: Timestamp,
    generation: u32,
}

impl Path {
    /// Through no more than [`MAX_HOPS`] ports.
    pub(super) fn new(through: &[PortId]) -> Self {
        let mut ports = [0; MAX_HOPS];
        ports[..through.len()].copy_from_slice(through);
        Self { ports, hops: through.len() }
    }

    fn ports(&self) -> &[PortId] {
        &self.ports[..self.hops]
    }
}

impl Links {
    /// Adds a port.
    pub(super) fn port(&mut self, bytes_per_s: u64) -> PortId {
        let bytes_per_s = (bytes_per_s as f64).max(1.0);
        self.ports.push(Port { bytes_per_s, grant: bytes_per_s, flows: Vec::new(), is_waiting: false });
        (self.ports.len() - 1) as PortId
    }

    /// Begins to send `bytes` over the ports of `path`.
    pub(super) fn start(&mut self, now: Timestamp, path: Path, bytes: u64) -> FlowId {
        let generation = 0;
        let flow =
            Flow { path, left_bytes: bytes as f64, rate: 0.0, since: now, due: Timestamp::ZERO, generation };
        let id = match self.free.pop() {
            Some(id) => {
                let generation = self.flows[id as usize].generation;
                self.flows[id as usize] = Flow { generation, ..flow };
                id
            }
            None => {
                self.flows.push(flow);
                (self.flows.len() - 1) as FlowId
            }
        };
        for port in path.ports() {
            self.ports[*port as usize].flows.push(id);
        }
        self.update(now, path);
        self.adjust(now, id);
        id
    }

    /// Takes a flow away, finished or not.
    pub(super) fn remove(&mut self, now: Timestamp, id: FlowId) {
        let path = std::mem::take(&mut self.flows[id as usize].path);
        self.flows[id as usize].generation += 1;
        for port in path.ports() {
            self.ports[*port as usize].flows.retain(|flow| *flow != id);
        }
        self.free.push(id);
        self.update(now, path);
    }

    /// True when the flow that `due` is about has finished by `now`. Otherwise it is due again.
    pub(super) fn is_finished(&mut self, now: Timestamp, due: Due) -> bool {
        let flow = &mut self.flows[due.flow as usize];
        if flow.generation != due.generation || flow.due != due.at {
            return false;
        }
        flow.advance(now);
        if flow.left_bytes <= EPSILON_BYTES {
            return true;
        }
        self.schedule(now, due.flow);
        false
    }

    /// Flows that are to be looked at, since the last call.
    pub(super) fn take_due(&mut self) -> std::vec::Drain<'_, Due> {
        self.due.drain(..)
    }

    /// Computes the grants of the ports on `path` anew, and those of others that this changes.
    fn update(&mut self, now: Timestamp, path: Path) {
        path.ports().iter().for_each(|port| self.enqueue(*port));
        for _ in 0..MAX_UPDATES {
            let Some(port) = self.waiting.pop_front() else { break };
            self.ports[port as usize].is_waiting = false;
            let before = self.ports[port as usize].grant;
            let grant = self.fair_grant(port);
            if (grant - before).abs() <= before * TOLERANCE {
                continue;
            }
            self.ports[port as usize].grant = grant;
            for index in 0..self.ports[port as usize].flows.len() {
                let id = self.ports[port as usize].flows[index];
                self.adjust(now, id);
                let path = self.flows[id as usize].path;
                for other in path.ports().iter().copied() {
                    // Only where this port held the flow back, or does now, has the other one something to share.
                    let concerned = other != port && self.ports[other as usize].grant > grant.min(before);
                    if concerned {
                        self.enqueue(other);
                    }
                }
            }
        }
        while let Some(port) = self.waiting.pop_front() {
            self.ports[port as usize].is_waiting = false;
        }
    }

    fn enqueue(&mut self, port: PortId) {
        if !std::mem::replace(&mut self.ports[port as usize].is_waiting, true) {
            self.waiting.push_back(port);
        }
    }

    /// The rate for flows that nothing else holds back, when all others keep what holds them back.
    fn fair_grant(&mut self, port: PortId) -> f64 {
        let mut limits = std::mem::take(&mut self.limits);
        let Port { bytes_per_s, flows, .. } = &self.ports[port as usize];
        limits.clear();
        limits.extend(flows.iter().map(|flow| self.limit_elsewhere(*flow, port)));
        limits.sort_unstable_by(f64::total_cmp);
        let grant = fair_share(*bytes_per_s, &limits);
        self.limits = limits;
        grant
    }

    fn limit_elsewhere(&self, flow: FlowId, port: PortId) -> f64 {
        let others = self.flows[flow as usize].path.ports().iter().filter(|other| **other != port);
        others.map(|other| self.ports[*other as usize].grant).fold(f64::INFINITY, f64::min)
    }

    /// Gives a flow the rate that its path grants now.
    fn adjust(&mut self, now: Timestamp, id: FlowId) {
        let path = self.flows[id as usize].path;
        let grants = path.ports().iter().map(|port| self.ports[*port as usize].grant);
        let rate = grants.fold(f64::INFINITY, f64::min);
        let flow = &mut self.flows[id as usize];
        if rate == flow.rate {
            return;
        }
        flow.advance(now);
        flow.rate = rate;
        if flow.due <= now || flow.finish(now) < flow.due {
            self.schedule(now, id);
        }
    }

    fn schedule(&mut self, now: Timestamp, id: FlowId) {
        let flow = &mut self.flows[id as usize];
        flow.due = flow.finish(now);
        self.due.push(Due { flow: id, generation: flow.generation, at: flow.due });
    }
}

impl Flow {
    fn advance(&mut self, now: Timestamp) {
        self.left_bytes -= self.rate * now.since(self.since).as_secs_f64();
        self.since = now;
    }

    fn finish(&self, now: Timestamp) -> Timestamp {
        let micros = (self.left_bytes.max(0.0) / self.rate * 1e6).ceil().max(1.0);
        Timestamp::from_micros(now.as_micros() + micros as u64)
    }
}

/// What flows that are held back here get of a port, when each of the others takes its limit; `limits` in order.
fn fair_share(bytes_per_s: f64, limits: &[f64]) -> f64 {
    let (mut left, mut count, mut largest) = (bytes_per_s, limits.len(), 0.0);
    for limit in limits {
        if *limit >= left / count as f64 {
            return left / count as f64;
        }
        left -= limit;
        count -= 1;
        largest = *limit;
    }
    // Nobody is held back here: any one of them could have all that is left on top.
    largest + left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(links: &Links) -> Vec<f64> {
        links.flows.iter().map(|flow| flow.rate).collect()
    }

    /// Max-min fair rates by filling all flows alike until something is full.
    fn exact(capacities: &[f64], paths: &[Vec<PortId>]) -> Vec<f64> {
        let mut rates = vec![0.0; paths.len()];
        let mut open: Vec<usize> = (0..paths.len()).collect();
        let mut left = capacities.to_vec();
        while !open.is_empty() {
            let users =
                |port: usize| open.iter().filter(|flow| paths[**flow].contains(&(port as PortId))).count();
            let tightest = (0..left.len())
                .filter(|port| users(*port) > 0)
                .min_by(|one, other| {
                    (left[*one] / users(*one) as f64).total_cmp(&(left[*other] / users(*other) as f64))
                })
                .unwrap();
            let share = left[tightest] / users(tightest) as f64;
            let full: Vec<usize> =
                open.iter().copied().filter(|flow| paths[*flow].contains(&(tightest as PortId))).collect();
            for flow in full {
                rates[flow] = share;
                paths[flow].iter().for_each(|port| left[*port as usize] -= share);
                open.retain(|other| *other != flow);
            }
        }
        rates
    }

    #[test]
    fn a_flow_alone_has_its_path_and_ends_when_it_should() {
        let mut links = Links::default();
        let (up, down) = (links.port(2_000_000), links.port(1_000_000));
        links.start(Timestamp::ZERO, Path::new(&[up, down]), 500_000);
        let due: Vec<Due> = links.take_due().collect();
        assert_eq!(due.last().unwrap().at, Timestamp::from_micros(500_000));
        assert!(links.is_finished(due.last().unwrap().at, *due.last().unwrap()));
    }

    #[test]
    fn what_one_flow_cannot_use_others_get() {
        let mut links = Links::default();
        let (up, slow, fast) = (links.port(1000), links.port(100), links.port(1000));
        links.start(Timestamp::ZERO, Path::new(&[up, slow]), 1 << 20);
        links.start(Timestamp::ZERO, Path::new(&[up, fast]), 1 << 20);
        assert_eq!(rates(&links), [100.0, 900.0]);
        links.remove(Timestamp::from_micros(1), 0);
        assert!((rates(&links)[1] - 1000.0).abs() < 10.0, "{:?}", rates(&links));
    }

    #[test]
    fn a_large_swarm_uses_its_links_as_fairness_allows() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut links = Links::default();
        for _ in 0..130 {
            links.port(12_500_000);
        }
        let mut live: Vec<(FlowId, Vec<PortId>)> = Vec::new();
        for _ in 0..3000 {
            if live.len() >= 465 {
                let (gone, _) = live.swap_remove(rng.usize(..live.len()));
                links.remove(Timestamp::ZERO, gone);
            }
            let path = loop {
                let path = vec![rng.u32(..65), rng.u32(65..130)];
                let has_room =
                    |port: &PortId| live.iter().filter(|(_, other)| other.contains(port)).count() < 8;
                if path.iter().all(has_room) {
                    break path;
                }
            };
            live.push((links.start(Timestamp::ZERO, Path::new(&path), 1 << 30), path));
        }
        let paths: Vec<Vec<PortId>> = live.iter().map(|(_, path)| path.clone()).collect();
        let fair: f64 = exact(&[12_500_000.0; 130], &paths).iter().sum();
        let found: f64 = live.iter().map(|(id, _)| links.flows[*id as usize].rate).sum();
        assert!((found - fair).abs() < fair * 0.01, "{found} where {fair} is fair");
    }

    #[test]
    fn rates_come_near_max_min_fairness_whatever_comes_and_goes() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let mut links = Links::default();
            let capacities: Vec<f64> = (0..20).map(|_| f64::from(rng.u32(1..20) * 1000)).collect();
            for capacity in &capacities {
                links.port(*capacity as u64);
            }
            let mut live: Vec<(FlowId, Vec<PortId>)> = Vec::new();
            for _ in 0..60 {
                if live.len() > 30 || (!live.is_empty() && rng.u8(..3) == 0) {
                    let (gone, _) = live.swap_remove(rng.usize(..live.len()));
                    links.remove(Timestamp::ZERO, gone);
                } else {
                    let path = vec![rng.u32(..10), rng.u32(10..20)];
                    live.push((links.start(Timestamp::ZERO, Path::new(&path), 1 << 30), path));
                }
            }
            let paths: Vec<Vec<PortId>> = live.iter().map(|(_, path)| path.clone()).collect();
            let fair = exact(&capacities, &paths);
            let total: f64 = fair.iter().sum();
            let found: f64 = live.iter().map(|(id, _)| links.flows[*id as usize].rate).sum();
            assert!((found - total).abs() < total * 0.05, "{found} of {total}");
            for port in 0..20u32 {
                let used: f64 = live
                    .iter()
                    .filter(|(_, path)| path.contains(&port))
                    .map(|(id, _)| links.flows[*id as usize].rate)
                    .sum();
                assert!(
                    used < capacities[port as usize] * 1.05,
                    "{used} over a port of {}",
                    capacities[port as usize]
                );
            }
        }
    }
}
