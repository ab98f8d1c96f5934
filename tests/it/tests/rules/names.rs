//! One name (style.md §1): a flow is called the same everywhere, and is everywhere. Each failure says what is missing
//! for which flow.

use std::collections::BTreeSet;

use it::repo::{self, FlowName};
use it::template::Template;

/// Fails with all that is missing at once: adding a flow is one run of this test.
fn complete(missing: &[String]) {
    assert!(missing.is_empty(), "\n  {}\n", missing.join("\n  "));
}

/// Names in the first column of a Markdown table, as `` `name` ``, with or without a link around them.
fn rows(markdown: &str) -> BTreeSet<String> {
    let names = markdown.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('`').nth(1));
    names.map(str::to_owned).collect()
}

/// Every name that stands somewhere as a function's.
fn named_somewhere() -> BTreeSet<String> {
    let blocks = Template::read().text;
    let blocks = blocks.lines().filter_map(|line| line.trim_start().strip_prefix("#### ")?.split(' ').next());
    let mut names: BTreeSet<String> = blocks.filter(|name| *name != "<flow>`").map(str::to_owned).collect();
    names.extend(repo::entries("functions"));
    names.extend(repo::entries("events"));
    names
}

/// Every name that stands somewhere as a flow's; the others are functions that serve all flows.
fn flows_named_somewhere() -> BTreeSet<String> {
    named_somewhere().into_iter().filter(|name| FlowName::read(name).is_some()).collect()
}

#[test]
fn every_function_has_its_folder_package_binary_and_constant() {
    let mut missing = Vec::new();
    for flow in named_somewhere() {
        let folder = format!("functions/{flow}");
        if !repo::root().join(&folder).join("Cargo.toml").exists() {
            missing.push(format!("{flow}: there is no {folder}/Cargo.toml"));
            continue;
        }
        let manifest = repo::text(format!("{folder}/Cargo.toml"));
        let bins = manifest.split("[[bin]]").skip(1).filter(|bin| bin.contains(&format!("name = \"{flow}\"")));
        if !manifest.starts_with(&format!("[package]\nname = \"{flow}\"\n")) {
            missing.push(format!("{flow}: the package in {folder} has another name"));
        }
        if bins.count() != 1 {
            missing.push(format!("{flow}: {folder}/Cargo.toml has no [[bin]] of that name"));
        }
        if !repo::text(format!("{folder}/src/lib.rs")).contains(&format!("pub const NAME: &str = \"{flow}\";")) {
            missing.push(format!("{flow}: NAME in {folder}/src/lib.rs is not the function's name"));
        }
    }
    complete(&missing);
}

#[test]
fn every_function_has_its_block_role_and_logs_in_the_template_and_every_flow_its_queue() {
    let template = Template::read();
    let mut missing = Vec::new();
    for flow in named_somewhere() {
        let mut needs = |there: bool, what: &str| {
            if !there {
                missing.push(format!("{flow}: infra/template.yaml has no {what}"));
            }
        };
        let stem = format!("${{AWS::StackName}}-{flow}");
        needs(template.text.contains(&format!("  #### {flow} ####")), "block `#### <flow>`");
        if FlowName::read(&flow).is_some() {
            let names = [stem.clone(), format!("{stem}.fifo")];
            needs(names.iter().any(|name| template.find("AWS::SQS::Queue", "QueueName", name).is_some()), "queue");
        }
        let function = template.find("AWS::Serverless::Function", "FunctionName", &stem);
        needs(function.is_some(), "function of that name");
        let code = function.and_then(|function| function.text("CodeUri").map(str::to_owned));
        needs(code == Some(format!("../dist/{flow}/")), "function with CodeUri ../dist/<flow>/");
        needs(
            template.find("AWS::IAM::Role", "Policies/0/PolicyName", &flow).is_some(),
            "role with a policy of that name",
        );
        let logs = format!("/aws/lambda/{stem}");
        needs(template.find("AWS::Logs::LogGroup", "LogGroupName", &logs).is_some(), "log group");
    }
    complete(&missing);
}

#[test]
fn every_flow_has_its_trigger_and_examples() {
    let mut missing = Vec::new();
    for flow in flows_named_somewhere() {
        let events = repo::entries(format!("events/{flow}"));
        let examples = repo::entries(format!("events/{flow}/examples"));
        let mut needs = |there: bool, what: &str| {
            if !there {
                missing.push(format!("{flow}: events/{flow} has no {what}"));
            }
        };
        needs(events.contains("trigger.json"), "trigger.json");
        needs(events.contains("schema.json") || events.contains("layout.md"), "schema.json or layout.md");
        needs(examples.iter().any(|name| name.starts_with("valid-")), "examples/valid-*");
        needs(examples.iter().any(|name| name.starts_with("invalid-")), "examples/invalid-*");
        needs(examples.contains("expected.csv"), "examples/expected.csv");
    }
    complete(&missing);
}

#[test]
fn every_function_has_its_row_in_the_readme_and_every_flow_in_the_contracts() {
    let readme = rows(&repo::text("README.md"));
    let contracts = repo::text("docs/contracts.md");
    let flows = contracts.split("## 2. Flows").nth(1).unwrap().split("\n## ").next().unwrap();
    let contracts = rows(flows);
    let mut missing = Vec::new();
    for flow in named_somewhere() {
        if !readme.contains(&flow) {
            missing.push(format!("{flow}: README.md has no row `{flow}` in its table of functions"));
        }
        if FlowName::read(&flow).is_some() && !contracts.contains(&flow) {
            missing.push(format!("{flow}: docs/contracts.md §2 has no flow of that name"));
        }
    }
    complete(&missing);
}

#[test]
fn a_file_flow_has_its_notification_and_a_message_flow_its_route_and_scope() {
    let template = Template::read();
    let mut missing = Vec::new();
    for flow in repo::flows() {
        let FlowName { source, subject, .. } = FlowName::of(&flow);
        let outbox = format!("${{AWS::StackName}}-{source}-outbox-${{AWS::AccountId}}");
        let outbox = template.find("AWS::S3::Bucket", "BucketName", &outbox);
        let notifies = outbox.is_some_and(|bucket| {
            bucket.property("NotificationConfiguration").to_string().contains(&format!("\"{subject}/\""))
        });
        let route = template.find("AWS::ApiGatewayV2::Route", "RouteKey", &format!("POST /v1/{source}/{subject}"));
        let scoped = route.is_some_and(|route| {
            route.property("AuthorizationScopes/0").as_str() == Some(&format!("{source}/{subject}"))
        });
        if !notifies && !scoped {
            missing.push(format!(
                "{flow}: infra/template.yaml has neither a notification of {source}-outbox under {subject}/ nor a route \
                 POST /v1/{source}/{subject} with the scope {source}/{subject}"
            ));
        }
    }
    complete(&missing);
}
