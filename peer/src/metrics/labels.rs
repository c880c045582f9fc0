//! The closed sets that labels take their values from.

/// Where the bytes of blobs came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This node's own store.
    Disk,
    /// Other peers.
    Peers,
    /// A seed.
    Seed,
    /// The origin, asked by this node.
    Origin,
}

/// Which way a lane carries pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To this node.
    In,
    /// From this node.
    Out,
}

/// What a request to the mirror asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// `/v2/`: is this a registry?
    Ping,
    /// A manifest or an index.
    Manifest,
    /// A blob.
    Blob,
    /// A list of tags.
    Tags,
    /// A list of manifests that refer to another.
    Referrers,
    /// A token for images that need a client's own login.
    Token,
    /// Nothing that the mirror has.
    Other,
}

/// How a request to the mirror ended, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The whole answer was given.
    Served,
    /// A clean "not here": the runtime goes to the origin.
    HandedOver(&'static str),
    /// The request itself was wrong.
    Refused(&'static str),
    /// The body ended short: the runtime resumes, in the end at the origin.
    Broken(&'static str),
    /// The client left.
    Cancelled,
}

impl Source {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Peers => "peers",
            Self::Seed => "seed",
            Self::Origin => "origin",
        }
    }
}

impl Direction {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl RequestKind {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Tags => "tags",
            Self::Referrers => "referrers",
            Self::Token => "token",
            Self::Other => "other",
        }
    }
}

impl Outcome {
    pub(super) const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Served => ("served", "none"),
            Self::HandedOver(reason) => ("handed_over", reason),
            Self::Refused(reason) => ("refused", reason),
            Self::Broken(reason) => ("broken", reason),
            Self::Cancelled => ("cancelled", "client_left"),
        }
    }
}
