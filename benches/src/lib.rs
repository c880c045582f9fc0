//! Shoal's micro-benchmarks; the benchmarks themselves are in `benches/`.
