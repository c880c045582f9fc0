//! Metrics in Prometheus' text form, as a node shows them.

/// What a node showed at one time.
#[derive(Clone, Debug)]
pub struct Metrics(String);

impl Metrics {
    /// Takes the text of `/metrics`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The value of a metric without labels; `None` when it is not there.
    pub fn value(&self, name: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok())
    }

    /// How many live nodes it knows, itself among them.
    pub fn known_nodes(&self) -> usize {
        self.value("shoal_inventory_nodes").unwrap_or_default() as usize
    }

    /// How many blobs it knows to be at other nodes.
    pub fn known_blobs(&self) -> usize {
        self.value("shoal_inventory_blobs").unwrap_or_default() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_the_whole_name() {
        let metrics = Metrics::new("# TYPE ab gauge\nabc 3\nab 4\nab{x=\"y\"} 5\n".into());
        assert_eq!((metrics.value("ab"), metrics.value("a")), (Some(4.0), None));
    }
}
