//! The seed against origins that misbehave in one way each, over loopback.

mod access;
mod answers;
mod once;
mod pulls;
mod redirects;
mod support;
mod tls;
