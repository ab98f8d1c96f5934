//! The dependency rule (architecture.md §1): functions → flow, aws, domain; aws → flow → domain; nothing points the
//! other way.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use it::repo::{self, FlowName};

/// What the crates of `shared/` may use of each other. A function may use all three.
const SHARED: [(&str, &[&str]); 3] = [("domain", &[]), ("flow", &["domain"]), ("aws", &["flow", "domain"])];

fn workspace() -> Metadata {
    let manifest = repo::root().join("Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().other_options(["--offline".to_owned()]).exec().unwrap()
}

/// The workspace's own packages with a folder below `folder`, by name.
fn below<'a>(workspace: &'a Metadata, folder: &str) -> BTreeMap<&'a str, &'a Package> {
    let folder = workspace.workspace_root.join(folder);
    let packages = workspace.packages.iter().filter(|package| package.manifest_path.starts_with(&folder));
    packages.map(|package| (package.name.as_str(), package)).collect()
}

/// What a package names as its own dependencies, tests and build scripts left out.
fn uses(package: &Package) -> BTreeSet<&str> {
    let kept = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    kept.map(|dependency| dependency.name.as_str()).collect()
}

#[test]
fn shared_crates_point_only_downwards() {
    let workspace = workspace();
    let (shared, functions) = (below(&workspace, "shared"), below(&workspace, "functions"));
    let known: BTreeSet<&str> = SHARED.iter().map(|(name, _)| *name).collect();
    assert_eq!(shared.keys().copied().collect::<BTreeSet<_>>(), known, "a crate of shared/ has no place in the rule");
    for (name, allowed) in SHARED {
        for used in uses(shared[name]) {
            let ours = shared.contains_key(used) || functions.contains_key(used);
            assert!(!ours || allowed.contains(&used), "shared/{name} must not depend on {used}");
        }
    }
}

#[test]
fn functions_use_the_shared_crates_and_never_each_other() {
    let workspace = workspace();
    let functions = below(&workspace, "functions");
    assert!(!functions.is_empty());
    for (name, function) in &functions {
        for dependency in &function.dependencies {
            let other = dependency.name.as_str();
            assert!(!functions.contains_key(other), "functions/{name} must not depend on functions/{other}");
        }
        let domain = FlowName::read(name).map(|_| "domain");
        for shared in ["flow", "aws"].into_iter().chain(domain) {
            assert!(uses(function).contains(shared), "functions/{name} does not use shared/{shared}");
        }
    }
}

#[test]
fn nothing_that_is_deployed_depends_on_tests() {
    let workspace = workspace();
    let tests = below(&workspace, "tests");
    for folder in ["shared", "functions"] {
        for (name, package) in below(&workspace, folder) {
            for used in uses(package) {
                assert!(!tests.contains_key(used), "{folder}/{name} must not depend on {used}");
            }
        }
    }
}

#[test]
fn only_the_aws_crate_names_an_aws_sdk() {
    let workspace = workspace();
    for folder in ["shared", "functions"] {
        for (name, package) in below(&workspace, folder) {
            let sdk =
                |used: &&str| used.starts_with("aws-") || *used == "aws_lambda_events" || *used == "lambda_runtime";
            let named: Vec<_> = uses(package).into_iter().filter(sdk).collect();
            assert!(name == "aws" || named.is_empty(), "{folder}/{name} names {named:?}; that is shared/aws's to do");
        }
    }
}

#[test]
fn the_domain_knows_no_input_output_and_no_clock() {
    let workspace = workspace();
    let shared = below(&workspace, "shared");
    let used = uses(shared["domain"]);
    for forbidden in ["tokio", "reqwest", "tracing", "async-trait", "bytes"] {
        assert!(!used.contains(forbidden), "shared/domain must not depend on {forbidden}");
    }
}

#[test]
fn versions_stand_in_the_workspace_and_nowhere_else() {
    for member in ["functions", "shared", "tests"] {
        for name in repo::entries(member) {
            let path = format!("{member}/{name}/Cargo.toml");
            let text = repo::text(&path);
            let dependencies = text.split("\n[").filter(|table| {
                let head = table.split(']').next().unwrap();
                head.ends_with("dependencies")
            });
            for line in dependencies.flat_map(|table| table.lines().skip(1)).filter(|line| line.contains('=')) {
                let named = line.contains("version") || !(line.contains("workspace = true") || line.contains("path ="));
                assert!(!named, "{path}: `{line}` names a version of its own");
            }
            assert!(text.contains("version.workspace = true"), "{path} has a version of its own");
            assert!(text.contains("[lints]\nworkspace = true"), "{path} does not keep the workspace's lints");
        }
    }
}

#[test]
fn every_version_is_named_without_default_features() {
    let text = repo::text("Cargo.toml");
    let table = text.split("[workspace.dependencies]\n").nth(1).unwrap();
    let table = table.split("\n[").next().unwrap();
    let lines = table.lines().filter(|line| line.contains("version ="));
    for line in lines {
        assert!(line.contains("default-features = false"), "Cargo.toml: `{line}` switches on what nobody asked for");
    }
}
