//! How a job goes, on standard error: one bar on a terminal, a line for each image that has ended. And how it ended, on
//! standard output.

use std::io::{self, IsTerminal};

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::preheat::{ImageReport, ImageState, JobReport, NodeReport, NodeState};

const BAR: &str = "{bar:32} {bytes:>11} of {total_bytes:<11} {binary_bytes_per_sec:>14}  {msg}";

/// The display.
pub(super) struct Show {
    bar: Option<ProgressBar>,
    /// Which images were said to have ended.
    said: Vec<bool>,
}

impl Show {
    /// A bar where standard error is a terminal that can redraw lines.
    pub(super) fn new() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let can_redraw = io::stderr().is_terminal() && !is_dumb;
        Self { bar: can_redraw.then(bar), said: Vec::new() }
    }

    /// Shows how the job stands.
    pub(super) fn update(&mut self, report: &JobReport) {
        self.said.resize(report.images.len(), false);
        for (image, said) in report.images.iter().zip(&mut self.said) {
            if image.state.is_end() && !*said {
                *said = true;
                match &self.bar {
                    Some(bar) => bar.println(line(image)),
                    None => anstream::eprintln!("{}", line(image)),
                }
            }
        }
        if let Some(bar) = &self.bar {
            let sum = |of: fn(&ImageReport) -> u64| report.images.iter().map(of).sum();
            bar.set_length(sum(|image| image.bytes_total));
            bar.set_position(sum(|image| image.bytes_done));
            let ended = report.images.iter().filter(|image| image.state.is_end()).count();
            bar.set_message(format!("{ended} of {} images", report.images.len()));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The result for people: the nodes and images that failed, and a sum.
pub(super) fn text(ended: &JobReport) -> String {
    let nodes = ended.nodes.iter().filter(|node| node.state != NodeState::Done).map(node_lines);
    let images = ended.images.iter().filter(|image| image.state != ImageState::Done).map(line);
    let bytes = ended.images.iter().map(|image| image.bytes_done).sum();
    let summary = format!(
        "{} of {} images are on {} ({})",
        ended.count(ImageState::Done),
        ended.images.len(),
        place(&ended.nodes),
        size(bytes)
    );
    nodes.chain(images).chain([summary]).map(|line| line + "\n").collect()
}

fn place(nodes: &[NodeReport]) -> String {
    match nodes.iter().filter(|node| node.state == NodeState::Done).count() {
        _ if nodes.is_empty() => "the node".to_owned(),
        1 => "1 node".to_owned(),
        done => format!("{done} nodes"),
    }
}

fn node_lines(node: &NodeReport) -> String {
    let zone = if node.zone.is_empty() { String::new() } else { format!(" in {}", node.zone) };
    let what = match (node.state, &node.reason) {
        (NodeState::Out, Some(reason)) => format!("fell out: {reason}"),
        (NodeState::Out, None) => "fell out".to_owned(),
        _ => format!("has {} images, and {} failed", node.images_done, node.images_failed),
    };
    let failures = node.failures.iter().map(|failure| format!("\n  {failure}"));
    format!("node {}{zone} {what}{}", node.node, failures.collect::<String>())
}

/// The result for machines: what the node tells of the job.
pub(super) fn json(ended: &JobReport) -> String {
    let told = serde_json::to_value(ended).unwrap_or_default();
    format!("{told:#}\n")
}

fn line(image: &ImageReport) -> String {
    let name = &image.image;
    match (image.state, &image.reason) {
        (ImageState::Done, _) => format!("done: {name} ({})", size(image.bytes_total)),
        (ImageState::Failed, Some(reason)) => format!("failed: {name}: {reason}"),
        (ImageState::Failed, None) => format!("failed: {name}"),
        _ => format!("cancelled: {name} ({} of {} blobs)", image.blobs_done, image.blobs_total),
    }
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr_with_hz(10);
    ProgressBar::with_draw_target(Some(0), target).with_style(style.progress_chars("━╸ "))
}
