//! What is known of figures: which way is better, what is aimed at, and in which order they are read.

use serde::Serialize;

/// Which of two values of a figure is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Better {
    Smaller,
    Larger,
}

/// A figure, or all whose names end in the same way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The name, or its end after a `*`.
    name: &'static str,
    pub(super) better: Better,
    /// What Shoal is built to reach.
    pub(super) target: Option<f64>,
    /// In a few words.
    pub(super) meaning: &'static str,
}

use Better::{Larger, Smaller};

/// In the order in which they are shown. What a setup decides, such as `bound_s`, is neither better nor worse.
const KNOWN: [Known; 24] = [
    known("max_over_bound", Smaller, Some(1.10), "slowest node ÷ what the links allow"),
    known("p99_over_p50", Smaller, Some(1.05), "slow nodes ÷ the median node"),
    known("origin_gets_per_blob", Smaller, Some(1.0), "GETs at the registry for a blob"),
    known("origin_bytes_ratio", Smaller, Some(1.0), "bytes from the registry ÷ the blob"),
    known("control_share", Smaller, Some(0.01), "control bytes ÷ payload"),
    known("lane_over_tls", Larger, Some(0.8), "rate of a lane ÷ a plain TLS copy"),
    known("hit_over_nginx", Larger, Some(0.8), "rate of a local hit ÷ nginx"),
    known("*_p99_over_nginx", Smaller, Some(2.0), "slow answers ÷ those of nginx"),
    known("cpu_s_per_gb", Smaller, Some(1.3), "processor seconds for each GB delivered"),
    known("rss_peak_mib", Smaller, None, "peak memory"),
    known("*_rss_peak_mib", Smaller, None, "peak memory"),
    known("*over_tls", Larger, None, "rate ÷ a plain TLS copy"),
    known("*over_sendfile", Larger, None, "rate ÷ a plain copy by sendfile"),
    known("*_s_per_gb", Smaller, None, "processor seconds for each GB"),
    known("*_p50_ms", Smaller, None, "latency, half of the answers"),
    known("*_p99_ms", Smaller, None, "latency, 99 of 100 answers"),
    known("*_median_us", Smaller, None, "latency, half of the answers"),
    known("*_p99_us", Smaller, None, "latency, 99 of 100 answers"),
    known("*p50_s", Smaller, None, "time, half of the nodes"),
    known("*p99_s", Smaller, None, "time, 99 of 100 nodes"),
    known("max_s", Smaller, None, "time, all nodes"),
    known("overhead_share", Smaller, None, "bytes received beyond the payload ÷ payload"),
    known("*_over_bound", Smaller, None, "time ÷ what the links allow"),
    known("*bytes_per_s", Larger, None, "rate"),
];

const fn known(name: &'static str, better: Better, target: Option<f64>, meaning: &'static str) -> Known {
    Known { name, better, target, meaning }
}

/// What is known of the figure of this name.
pub(super) fn known_as(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.covers(name))
}

/// Sorts names as they are read: ratios first, those of the contract before others.
pub(super) fn reading_order(name: &str) -> (bool, usize, &str) {
    let place = KNOWN.iter().position(|known| known.covers(name)).unwrap_or(KNOWN.len());
    (!is_ratio(name), place, name)
}

/// Names end in their unit; what has none and compares two things is a ratio.
fn is_ratio(name: &str) -> bool {
    name.contains("_over_") || ["_ratio", "_share", "_per_blob"].iter().any(|end| name.ends_with(end))
}

impl Known {
    fn covers(&self, name: &str) -> bool {
        self.name.strip_prefix('*').map_or(name == self.name, |end| name.ends_with(end))
    }

    /// Whether a value is as good as aimed at; `None` where nothing is aimed at.
    pub(super) fn reached(&self, value: f64) -> Option<bool> {
        self.target.map(|target| match self.better {
            Smaller => value <= target,
            Larger => value >= target,
        })
    }

    /// The target as people write it: `≤ 1.1`.
    pub(super) fn aim(&self) -> Option<String> {
        let sign = match self.better {
            Smaller => '≤',
            Larger => '≥',
        };
        self.target.map(|target| format!("{sign} {target}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_come_first_and_the_contract_before_the_rest() {
        let mut names = [
            "bound_s",
            "rss_peak_mib",
            "zone_bytes_ratio",
            "cpu_s_per_gb",
            "lane_over_tls",
            "max_over_bound",
        ];
        names.sort_by_key(|name| reading_order(name));
        let expected = [
            "max_over_bound",
            "lane_over_tls",
            "zone_bytes_ratio",
            "cpu_s_per_gb",
            "rss_peak_mib",
            "bound_s",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn targets_are_reached_from_the_right_side() {
        let reached = |name, value| known_as(name).and_then(|known| known.reached(value));
        assert_eq!(
            [0.79, 0.8, 0.9].map(|value| reached("lane_over_tls", value).unwrap()),
            [false, true, true]
        );
        assert_eq!(
            [1.0, 1.1, 1.2].map(|value| reached("max_over_bound", value).unwrap()),
            [true, true, false]
        );
        assert_eq!(reached("manifest_hit_p99_ms", 1.0), None);
        assert_eq!(known_as("hit_over_nginx").unwrap().aim().unwrap(), "≥ 0.8");
    }

    #[test]
    fn the_setup_is_neither_better_nor_worse() {
        assert!(known_as("bound_s").is_none() && known_as("idle_share").is_none());
        assert_eq!(known_as("manifest_p99_ms").unwrap().better, Smaller);
        assert_eq!(known_as("nginx_bytes_per_s").unwrap().better, Larger);
    }
}
