//! How a job on several nodes stands: what each of them told last, added up for each node and each image.

use std::collections::BTreeMap;

use shoal_protocol::wire::{PreheatProgress, PreheatState};

use super::{
    fleet::{Member, Silence},
    report::{ImageReport, ImageState, JobReport, NodeReport, NodeState},
};

/// Failures that the report of a node quotes.
const MAX_FAILURES: usize = 8;

/// What nodes told, by the node's place in the report and the image's.
#[derive(Default)]
pub(super) struct Tally {
    told: BTreeMap<(usize, usize), PreheatProgress>,
}

impl Tally {
    /// A node begins. Tells its place in the report.
    pub(super) fn begin(report: &mut JobReport, member: &Member) -> usize {
        report.nodes.push(NodeReport::new(member));
        report.nodes.len() - 1
    }

    /// A node tells how an image stands.
    pub(super) fn tell(&mut self, report: &mut JobReport, node: usize, image: usize, now: &PreheatProgress) {
        let before = self.told.insert((node, image), now.clone());
        let (Some(node), Some(image)) = (report.nodes.get_mut(node), report.images.get_mut(image)) else {
            return;
        };
        if let Some(before) = before {
            take_away(node, image, &before);
        }
        if image.state == ImageState::Waiting {
            image.state = ImageState::Fetching;
        }
        if image.digest.is_none() {
            image.digest = now.digest.map(|digest| digest.to_string());
        }
        add(node, image, now);
    }

    /// A node falls out: what it has does not count.
    pub(super) fn fall_out(&mut self, report: &mut JobReport, node: usize, silence: &Silence) {
        let mut told = self.told.split_off(&(node, 0));
        self.told.append(&mut told.split_off(&(node + 1, 0)));
        let Some(out) = report.nodes.get_mut(node) else { return };
        for ((_, image), before) in told {
            if let Some(image) = report.images.get_mut(image) {
                take_away(out, image, &before);
            }
        }
        out.state = NodeState::Out;
        out.reason = Some(silence.to_string());
    }

    /// A node has every image that it can have.
    pub(super) fn end(report: &mut JobReport, node: usize) {
        if let Some(node) = report.nodes.get_mut(node) {
            node.state = if node.images_failed == 0 { NodeState::Done } else { NodeState::Failed };
        }
    }

    /// Nothing more comes: an image is done when `count` nodes have it.
    pub(super) fn conclude(&self, report: &mut JobReport, count: usize) {
        let out = report.nodes.iter().find(|node| node.state == NodeState::Out);
        let out =
            out.map(|node| format!("; node {}: {}", node.node, node.reason.as_deref().unwrap_or_default()));
        let mut done = vec![0; report.images.len()];
        let mut reasons = vec![None; report.images.len()];
        for ((_, image), now) in &self.told {
            if let (PreheatState::Done, Some(done)) = (now.state, done.get_mut(*image)) {
                *done += 1;
            }
            if let (Some(reason), Some(first @ None)) = (&now.reason, reasons.get_mut(*image)) {
                *first = Some(reason.as_str());
            }
        }
        for ((image, done), reason) in report.images.iter_mut().zip(done).zip(reasons) {
            if done >= count {
                image.state = ImageState::Done;
                continue;
            }
            let why = reason.map_or_else(|| out.clone().unwrap_or_default(), |reason| format!("; {reason}"));
            image.state = ImageState::Failed;
            image.reason = Some(format!("{done} of {count} nodes have it{why}"));
        }
    }
}

fn add(node: &mut NodeReport, image: &mut ImageReport, now: &PreheatProgress) {
    for (bytes_done, bytes_total) in
        [(&mut node.bytes_done, &mut node.bytes_total), (&mut image.bytes_done, &mut image.bytes_total)]
    {
        *bytes_done = bytes_done.saturating_add(now.bytes_done);
        *bytes_total = bytes_total.saturating_add(now.bytes_total);
    }
    image.blobs_done = image.blobs_done.saturating_add(now.blobs_done as usize);
    image.blobs_total = image.blobs_total.saturating_add(now.blobs_total as usize);
    match now.state {
        PreheatState::Done => node.images_done += 1,
        PreheatState::Failed => {
            node.images_failed += 1;
            if node.failures.len() < MAX_FAILURES {
                let reason = now.reason.as_deref().unwrap_or("no reason given");
                node.failures.push(format!("{}: {reason}", image.image));
            }
        }
        PreheatState::Running | PreheatState::Cancelled => {}
    }
}

fn take_away(node: &mut NodeReport, image: &mut ImageReport, before: &PreheatProgress) {
    for (bytes_done, bytes_total) in
        [(&mut node.bytes_done, &mut node.bytes_total), (&mut image.bytes_done, &mut image.bytes_total)]
    {
        *bytes_done = bytes_done.saturating_sub(before.bytes_done);
        *bytes_total = bytes_total.saturating_sub(before.bytes_total);
    }
    image.blobs_done = image.blobs_done.saturating_sub(before.blobs_done as usize);
    image.blobs_total = image.blobs_total.saturating_sub(before.blobs_total as usize);
    match before.state {
        PreheatState::Done => node.images_done = node.images_done.saturating_sub(1),
        PreheatState::Failed => node.images_failed = node.images_failed.saturating_sub(1),
        PreheatState::Running | PreheatState::Cancelled => {}
    }
}

#[cfg(test)]
mod tests {
    use shoal_protocol::identity::NodeId;

    use super::*;
    use crate::preheat::report::JobState;

    fn report(images: usize) -> JobReport {
        JobReport {
            id: "1".to_owned(),
            state: JobState::Running,
            platforms: Vec::new(),
            images: (0..images).map(|number| ImageReport::waiting(format!("image {number}"))).collect(),
            nodes: Vec::new(),
        }
    }

    fn member(number: u8) -> Member {
        Member { node: NodeId([number; 32]), zone: "z".to_owned() }
    }

    fn told(state: PreheatState, bytes_done: u64) -> PreheatProgress {
        PreheatProgress {
            state,
            reason: (state == PreheatState::Failed).then(|| "gone".to_owned()),
            digest: None,
            blobs_done: 1,
            blobs_total: 2,
            bytes_done,
            bytes_total: 100,
        }
    }

    #[test]
    fn what_nodes_tell_is_added_up_and_never_twice() {
        let (mut report, mut tally) = (report(2), Tally::default());
        let nodes = [Tally::begin(&mut report, &member(1)), Tally::begin(&mut report, &member(2))];
        for node in nodes {
            tally.tell(&mut report, node, 0, &told(PreheatState::Running, 10));
            tally.tell(&mut report, node, 0, &told(PreheatState::Running, 60));
            tally.tell(&mut report, node, 0, &told(PreheatState::Done, 100));
            tally.tell(&mut report, node, 1, &told(PreheatState::Done, 100));
            Tally::end(&mut report, node);
        }
        tally.conclude(&mut report, 2);
        for image in &report.images {
            let numbers = (image.bytes_done, image.bytes_total, image.blobs_total);
            assert_eq!((image.state, numbers), (ImageState::Done, (200, 200, 4)));
        }
        for node in &report.nodes {
            let numbers = (node.bytes_done, node.images_done, node.images_failed);
            assert_eq!((node.state, numbers), (NodeState::Done, (200, 2, 0)));
        }
    }

    #[test]
    fn what_a_node_that_fell_out_has_does_not_count() {
        let (mut report, mut tally) = (report(1), Tally::default());
        let nodes = [1, 2, 3].map(|number| Tally::begin(&mut report, &member(number)));
        for node in nodes {
            tally.tell(&mut report, node, 0, &told(PreheatState::Done, 100));
        }
        tally.fall_out(&mut report, nodes[1], &Silence::Busy);
        let out = &report.nodes[1];
        assert_eq!((out.state, out.bytes_done, out.images_done), (NodeState::Out, 0, 0));
        assert_eq!(report.images[0].bytes_done, 200);
        let mut enough = report.clone();
        tally.conclude(&mut enough, 2);
        assert_eq!(enough.images[0].state, ImageState::Done);
        tally.conclude(&mut report, 3);
        let reason = report.images[0].reason.clone().unwrap();
        let of = format!("2 of 3 nodes have it; node {}: it has as many orders as it takes", member(2).node);
        assert_eq!((report.images[0].state, reason), (ImageState::Failed, of));
    }

    #[test]
    fn what_can_not_be_had_is_named_once_for_each_node() {
        let (mut report, mut tally) = (report(1), Tally::default());
        let node = Tally::begin(&mut report, &member(1));
        tally.tell(&mut report, node, 0, &told(PreheatState::Failed, 0));
        Tally::end(&mut report, node);
        tally.conclude(&mut report, 1);
        assert_eq!(report.nodes[0].state, NodeState::Failed);
        assert_eq!(report.nodes[0].failures, ["image 0: gone"]);
        assert_eq!(report.images[0].reason.as_deref(), Some("0 of 1 nodes have it; gone"));
    }
}
