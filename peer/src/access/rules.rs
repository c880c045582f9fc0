//! Which images are for whom.

use shoal_protocol::reference::ImageName;
use shoal_seed::config::ImagePattern;

/// Who may have an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whoever reaches the mirror.
    #[default]
    Open,
    /// The same, as long as the origin lets the cluster's own login pull it.
    Node,
    /// Whoever shows a login that the origin lets pull it.
    Client,
}

/// The rule for each image; of several that fit, the longest.
#[derive(Clone, Debug, Default)]
pub struct AccessRules {
    rules: Vec<(ImagePattern, Mode)>,
}

impl AccessRules {
    /// Rules out of lists of patterns. Of equal patterns the stricter one holds.
    pub fn new(open: &[ImagePattern], node: &[ImagePattern], client: &[ImagePattern]) -> Self {
        let with = |mode| move |pattern: &ImagePattern| (pattern.clone(), mode);
        let rules = open.iter().map(with(Mode::Open));
        let rules = rules.chain(node.iter().map(with(Mode::Node)));
        Self { rules: rules.chain(client.iter().map(with(Mode::Client))).collect() }
    }

    /// True when some images are not for everyone.
    pub fn restrict_any(&self) -> bool {
        self.rules.iter().any(|(_, mode)| *mode != Mode::Open)
    }

    /// Who may have that image.
    pub fn mode(&self, image: &ImageName) -> Mode {
        let fitting = self.rules.iter().filter(|(pattern, _)| pattern.fits(image));
        fitting.max_by_key(|(pattern, _)| pattern.fixed_bytes()).map_or(Mode::Open, |(_, mode)| *mode)
    }
}
