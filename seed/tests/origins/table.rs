//! The table of quirks in the documentation names tests, and they exist.

use std::{fs, path::PathBuf};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `module::name` of the table, from the lines that have a test in their last column.
fn named_tests() -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/registries.md")).expect("the page");
    let (_, table) = page.split_once("| quirk | outcome | test |").expect("the table");
    let last_columns = table.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| "));
    let spans = last_columns.flat_map(|(_, column)| column.split('`').skip(1).step_by(2));
    spans.map(str::to_owned).collect()
}

fn has_test(name: &str) -> bool {
    let (folder, rest) = match name.strip_prefix("e2e::") {
        Some(rest) => ("tests/tests/e2e", rest),
        None => ("seed/tests/origins", name),
    };
    let Some((module, function)) = rest.split_once("::") else { return false };
    let source = fs::read_to_string(repository().join(folder).join(format!("{module}.rs")));
    let lines: Vec<_> = source.iter().flat_map(|source| source.lines()).collect();
    let definition = format!("async fn {function}() {{");
    let is_test = |pair: &[&str]| pair[0].contains("::test") && pair[1] == definition;
    lines.windows(2).any(is_test)
}

#[test]
fn every_test_in_the_table_exists() {
    let named = named_tests();
    assert!(named.len() > 60, "{}", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !has_test(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_test_with_a_real_registry_is_in_the_table() {
    let named = named_tests();
    let source = fs::read_to_string(repository().join("tests/tests/e2e/registries.rs")).expect("the tests");
    let tests = source.split("#[tokio::test").skip(1).filter_map(|test| {
        let (_, after) = test.split_once("async fn ")?;
        Some(format!("e2e::registries::{}", after.split_once('(')?.0))
    });
    let missing: Vec<_> = tests.filter(|test| !named.contains(test)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
