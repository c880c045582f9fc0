//! Shoal's micro-benchmarks: `cargo bench --package shoal-benches` runs what is in `benches/`.
