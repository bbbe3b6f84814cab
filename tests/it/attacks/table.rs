//! SECURITY.md names tests: each is there.

use std::path::{Path, PathBuf};

/// The files in which the test `path` (`module::module::name`) may stand, and the name.
fn places(path: &str) -> (Vec<PathBuf>, &str) {
    let (modules, name) = path.rsplit_once("::").unwrap();
    let bare = modules.strip_suffix("::tests").unwrap_or(modules);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |folder: &str, modules: &str, end: &str| root.join(folder).join(format!("{}{end}", modules.replace("::", "/")));
    let files =
        [file("src", modules, ".rs"), file("src", bare, ".rs"), file("src", bare, "/tests.rs"), file("tests", modules, ".rs")];
    (files.into_iter().collect(), name)
}

/// What stands between back quotes and looks like the path of a test.
fn named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
    quoted.filter(|word| word.contains("::") && is_path(word)).collect()
}

#[test]
fn every_test_that_security_md_names_is_there() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md")).unwrap();
    let (_, attacks) = text.split_once("\n## The attacks").expect("a table of the attacks");
    let (attacks, _) = attacks.split_once("\n## ").expect("what follows it");
    let rows: Vec<&str> = attacks.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() >= 20, "{rows:#?}");
    for row in rows {
        let tests = named(row);
        assert!(!tests.is_empty(), "no test is named: {row}");
        for test in tests {
            let (files, name) = places(test);
            let is_there = |file: &PathBuf| {
                std::fs::read_to_string(file).is_ok_and(|source| {
                    let at = source.find(&format!("fn {name}("));
                    at.is_some_and(|at| source[..at].rsplit("#[").next().is_some_and(|head| head.contains("test")))
                })
            };
            assert!(files.iter().any(is_there), "there is no test {test} in any of {files:?}");
        }
    }
    // The other table names modules or tests: those are there as well.
    let (before, _) = text.split_once("\n## The attacks").unwrap();
    for path in named(before) {
        let (files, _) = places(&format!("{path}::any"));
        let (parents, name) = places(path);
        let is_module = files.iter().any(|file| file.is_file());
        let is_test = parents
            .iter()
            .any(|file| std::fs::read_to_string(file).is_ok_and(|source| source.contains(&format!("fn {name}("))));
        assert!(is_module || is_test, "there is no {path}");
    }
}
