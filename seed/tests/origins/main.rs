//! The seed against origins that misbehave in one way each, over loopback.
#![allow(clippy::expect_used, reason = "clippy takes the helpers of tests for code that serves others")]

mod access;
mod answers;
mod child;
mod endpoints;
mod lists;
mod logins;
mod once;
mod permission;
mod proxies;
mod pulls;
mod quirks;
mod raw;
mod redirects;
mod signatures;
mod support;
mod table;
mod tls;
mod tokens;
