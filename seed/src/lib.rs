//! What a seed does beyond a peer: it asks origin registries, once for everyone.
