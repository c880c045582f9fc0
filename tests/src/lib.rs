//! Shoal's tests across crates; the tests themselves are beside this file's folder.
