//! The piece chain, through its public interface: what honest parties get, and what liars can't do.

mod blobs;
mod growing;
mod hostile;
mod lying_author;
mod whole;
