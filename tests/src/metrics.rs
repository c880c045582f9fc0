//! Metrics in Prometheus' text form, as a node shows them.

/// What a node showed at one time.
#[derive(Clone, Debug)]
pub struct Metrics(String);

impl Metrics {
    /// Takes the text of `/metrics`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sum over all series of `name` that have these labels; 0 when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let series = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            let fits = found == name && wanted.iter().all(|label| labels.contains(label.as_str()));
            fits.then(|| value.parse::<f64>().ok())?
        });
        series.sum()
    }

    /// Verified bytes of blobs that came from `source`: `disk`, `peers`, `seed` or `origin`.
    pub fn received_bytes(&self, source: &str) -> u64 {
        self.sum("shoal_received_bytes_total", &[("source", source)]) as u64
    }

    /// Nodes it is connected to.
    pub fn swarm_peers(&self) -> usize {
        self.sum("shoal_swarm_peers", &[]) as usize
    }

    /// Live nodes it knows of.
    pub fn inventory_nodes(&self) -> usize {
        self.sum("shoal_inventory_nodes", &[]) as usize
    }

    /// Blobs it knows to be somewhere.
    pub fn inventory_blobs(&self) -> usize {
        self.sum("shoal_inventory_blobs", &[]) as usize
    }

    /// Pieces and blobs that did not have their hash.
    pub fn verification_failures(&self) -> u64 {
        self.sum("shoal_verification_failures_total", &[]) as u64
    }

    /// Answers of origins that did not have the digest they were asked for.
    pub fn corrupt_answers(&self) -> u64 {
        self.sum("shoal_origin_corrupt_total", &[]) as u64
    }

    /// Rules that other nodes broke.
    pub fn strikes(&self, reason: &str) -> u64 {
        self.sum("shoal_strikes_total", &[("reason", reason)]) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_label() {
        let text =
            "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\na{x=\"2\",y=\"2\"} 5\nab 6\nc 7\n";
        let metrics = Metrics::new(text.to_owned());
        assert_eq!(metrics.sum("a", &[]), 12.0);
        assert_eq!(metrics.sum("a", &[("x", "1")]), 7.0);
        assert_eq!(metrics.sum("c", &[]), 7.0);
        assert_eq!(metrics.sum("d", &[]), 0.0);
    }
}
