//! End to end, as a user would: real registries, real runtimes, real nodes.

mod parts;
