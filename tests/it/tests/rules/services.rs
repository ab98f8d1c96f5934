//! Functions that serve all flows: each reaches what its duty needs, of every flow, and nothing else.

use std::collections::BTreeSet;

use domain::flows::{FLOWS, Flow, Kind, SERVICES};
use it::repo;
use it::template::{Template, each, plain, target};
use serde_json::Value;

/// What the role of a service may do, as (action, on what), partitions of the ledger by their form.
fn rights(service: &str) -> BTreeSet<(String, String)> {
    let template = Template::read();
    let role = template.find("AWS::IAM::Role", "Policies/0/PolicyName", service).unwrap();
    let mut rights = BTreeSet::new();
    for statement in each(role.property("Policies/0/PolicyDocument/Statement")) {
        let keys: Vec<&Value> =
            each(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]).collect();
        for action in each(&statement["Action"]).filter_map(Value::as_str) {
            for on in each(&statement["Resource"]).chain(keys.iter().copied()).filter_map(plain) {
                let is_ledger = action.starts_with("dynamodb:");
                let is_table = on.starts_with("LedgerTable");
                assert!(!is_ledger || !is_table || !keys.is_empty(), "{service}: {action} on the whole ledger");
                if !is_table {
                    rights.insert((action.to_owned(), on.to_owned()));
                }
            }
        }
    }
    rights
}

/// The partitions on which `service` may do `action`.
fn partitions(service: &str, action: &str) -> BTreeSet<String> {
    let rights = rights(service).into_iter().filter(|(allowed, _)| allowed == action);
    rights.map(|(_, on)| on).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_flow_stands_in_the_list_by_which_services_know_flows() {
    let contracts = repo::text("docs/contracts.md");
    let table = contracts.split("## 2. Flows").nth(1).unwrap().split("\n1–15").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split('`').nth(1));
    assert_eq!(rows.collect::<Vec<_>>(), FLOWS.map(|flow| flow.name), "docs/contracts.md §2 and domain::flows");
    for name in repo::flows() {
        let flow = Flow::named(&name).unwrap_or_else(|| panic!("{name} is not in domain::flows"));
        let takes_files = repo::entries(format!("events/{name}")).contains("layout.md");
        assert_eq!(flow.kind == Kind::Files, takes_files, "{name}: its kind in domain::flows");
    }
    for name in repo::services() {
        assert!(SERVICES.contains(&name.as_str()), "{name} is not in domain::flows");
    }
}

#[test]
fn watch_changes_open_matters_and_held_runs_and_reads_no_message_of_a_customer() {
    let own = ["watch#*", "*#open", "*#run#*", "*#notices"];
    assert_eq!(partitions("watch", "dynamodb:PutItem"), set(&own));
    assert_eq!(partitions("watch", "dynamodb:DeleteItem"), set(&own));
    let read = ["*#runs", "*#last#*"];
    assert_eq!(partitions("watch", "dynamodb:GetItem"), &set(&own) | &set(&read));
    for (action, on) in rights("watch") {
        let service = action.split(':').next().unwrap();
        assert!(["logs", "s3", "dynamodb", "sns", "kms"].contains(&service), "watch may {action}");
        let reads = on == "ConfigBucket.Arn"
            || on.ends_with("/lookups/*")
            || (on.ends_with("/ids/*") && action == "s3:GetObject");
        let writes = on == "${RejectsBucket.Arn}/dacs-ouai-enrollment-sync/unanswered/*";
        assert!(service != "s3" || writes || (reads && !action.contains("Put")), "watch may {action} on {on}");
    }
    let lists: BTreeSet<String> =
        partitions("watch", "s3:GetObject").into_iter().filter(|on| on.ends_with("/ids/*")).collect();
    let answered = Flow::of(Kind::Files).filter_map(|flow| Some([flow.name, flow.answered_by?]));
    let wanted: BTreeSet<String> =
        answered.flatten().map(|flow| format!("${{RejectsBucket.Arn}}/{flow}/ids/*")).collect();
    assert_eq!(lists, wanted, "the ids of files that are answered, and of those that answer");
}

#[test]
fn error_handler_takes_dead_letters_and_puts_them_back_and_gives_up_runs_and_messages() {
    let queues = partitions("error-handler", "sqs:ReceiveMessage");
    assert_eq!(queues, set(&["DeadLetters.Arn", "FifoDeadLetters.Arn"]));
    assert_eq!(partitions("error-handler", "sqs:DeleteMessage"), queues);
    let own =
        ["error-handler#*", "*#run#*", "*#message#*", "*#open", "*#order", "*#turn", "target#dacs*", "target#derms*"];
    assert_eq!(partitions("error-handler", "dynamodb:PutItem"), set(&own));
    assert_eq!(partitions("error-handler", "dynamodb:GetItem"), &set(&own) | &set(&["*#last#*", "route#*"]));
    for (action, on) in rights("error-handler") {
        let is_lookup = on == "${ConfigBucket.Arn}/lookups/*" || on == "ConfigBucket.Arn";
        assert!(
            !action.starts_with("s3:") || (is_lookup && !action.contains("Put")),
            "error-handler may {action} on {on}"
        );
    }
}

#[test]
fn the_two_dead_letter_queues_go_to_error_handler_and_hide_a_letter_for_longer_than_that_may_run() {
    let template = Template::read();
    let handler = template.resource("ErrorHandler").unwrap();
    let dead: BTreeSet<&str> = template
        .of_kind("AWS::SQS::Queue")
        .filter_map(|queue| target(queue.property("RedrivePolicy/deadLetterTargetArn")))
        .collect();
    let mut mapped = BTreeSet::new();
    for source in template.of_kind("AWS::Lambda::EventSourceMapping") {
        assert_eq!(target(source.property("FunctionName")), Some("ErrorHandler"), "{}", source.name);
        let reports = each(source.property("FunctionResponseTypes")).any(|kind| kind == "ReportBatchItemFailures");
        assert!(reports, "{}: letters that stay would be deleted", source.name);
        let queue = template.resource(target(source.property("EventSourceArn")).unwrap()).unwrap();
        assert_eq!(source.whole.get("Condition"), queue.whole.get("Condition"), "{}", source.name);
        let hidden = queue.property("VisibilityTimeout").as_i64().unwrap();
        assert!(hidden >= handler.property("Timeout").as_i64().unwrap() + 10, "{}: {hidden} s", queue.name);
        mapped.insert(queue.name.to_owned());
    }
    assert_eq!(mapped, dead.into_iter().map(str::to_owned).collect(), "dead-letter queues with a mapping");
    assert_eq!(mapped.len(), 2, "whoever polls an empty queue pays for it: all flows share one of each kind");
}
