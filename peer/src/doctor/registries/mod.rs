//! Where seeds fetch from: is each registry there, believed, and does it take the login?

mod asked;
mod clock;
mod files;
mod login_private;
mod proxy;
mod reach;
mod settings;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    files::CHECK,
    settings::CHECK,
    login_private::CHECK,
    proxy::CHECK,
    reach::RESOLVES,
    reach::REACHABLE,
    reach::CERTIFICATE,
    reach::ISSUER,
    reach::NAME,
    reach::TLS,
    reach::LOGIN_READ,
    reach::LOGIN_TAKEN,
    reach::LOGIN_NEEDED,
    reach::LIMIT,
    reach::REGISTRY,
    clock::CHECK,
];
