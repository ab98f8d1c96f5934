//! What every bucket, queue, function and role of the template has. What AWS cannot be made to show locally is held
//! here (docs/local-platform.md, "What it cannot show").

use std::collections::BTreeSet;

use domain::flows::Flow;
use it::repo::{self, FlowName};
use it::template::{Resource, Template, each, plain, target};
use serde_json::{Value, json};

/// The statements of a resource's policy documents.
fn statements<'a>(resource: &Resource<'a>) -> Vec<&'a Value> {
    let properties = resource.whole.pointer("/Properties").unwrap_or(&Value::Null);
    let inline = each(properties.get("Policies").unwrap_or(&Value::Null));
    let documents = inline.chain([properties]).filter_map(|policy| policy.get("PolicyDocument"));
    documents.flat_map(|document| each(&document["Statement"])).collect()
}

fn role<'a>(template: &'a Template, flow: &str) -> Resource<'a> {
    template.find("AWS::IAM::Role", "Policies/0/PolicyName", flow).unwrap()
}

fn function<'a>(template: &'a Template, flow: &str) -> Resource<'a> {
    template.find("AWS::Serverless::Function", "FunctionName", &format!("${{AWS::StackName}}-{flow}")).unwrap()
}

/// The queues that only catch what another queue gave up.
fn dead_letter_queues(template: &Template) -> BTreeSet<&str> {
    let queues = template.of_kind("AWS::SQS::Queue");
    queues.filter_map(|queue| target(queue.property("RedrivePolicy/deadLetterTargetArn"))).collect()
}

/// The statement that refuses whatever does not come by TLS.
fn refuses_plain_text(policy: &Resource<'_>, names: &[&str]) -> bool {
    statements(policy).iter().any(|statement| {
        let covered: BTreeSet<_> = each(&statement["Resource"]).filter_map(target).collect();
        statement["Effect"] == "Deny"
            && statement["Principal"] == "*"
            && statement["Condition"] == json!({"Bool": {"aws:SecureTransport": "false"}})
            && names.iter().all(|name| covered.contains(name))
    })
}

#[test]
fn every_bucket_is_versioned_encrypted_closed_to_the_public_and_kept() {
    let template = Template::read();
    let closed = json!({
        "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
    });
    for bucket in template.of_kind("AWS::S3::Bucket") {
        let name = bucket.name;
        assert_eq!(bucket.property("VersioningConfiguration/Status"), "Enabled", "{name}");
        let encryption = bucket.property(
            "BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm",
        );
        assert!(encryption.is_string(), "{name} is not encrypted");
        assert_eq!(bucket.property("PublicAccessBlockConfiguration"), &closed, "{name}");
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(bucket.whole[policy], "Retain", "{name} goes with the stack: {policy}");
        }
        let account = bucket.text("BucketName").unwrap();
        assert!(
            account.starts_with("${AWS::StackName}-") && account.ends_with("-${AWS::AccountId}"),
            "{name}: {account}"
        );
    }
}

#[test]
fn every_bucket_queue_and_topic_refuses_what_does_not_come_by_tls() {
    let template = Template::read();
    for (kind, policies) in [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
    ] {
        for resource in template.of_kind(kind) {
            let refused = template.of_kind(policies).any(|policy| refuses_plain_text(&policy, &[resource.name]));
            assert!(refused, "{} has no policy that asks for TLS", resource.name);
        }
    }
}

#[test]
fn every_queue_is_encrypted_and_gives_up_last_of_all() {
    let template = Template::read();
    let dead = dead_letter_queues(&template);
    for queue in template.of_kind("AWS::SQS::Queue") {
        assert_eq!(queue.property("SqsManagedSseEnabled"), true, "{}", queue.name);
        assert_eq!(queue.property("MessageRetentionPeriod"), 1_209_600, "{}", queue.name);
        if !dead.contains(queue.name) {
            assert_eq!(queue.property("RedrivePolicy/maxReceiveCount"), 1000, "{}", queue.name);
        }
    }
}

#[test]
fn every_dead_letter_queue_has_an_alarm() {
    let template = Template::read();
    let dead = dead_letter_queues(&template);
    assert_eq!(dead, BTreeSet::from(["DeadLetters", "FifoDeadLetters"]));
    for queue in dead {
        let alarm = template.of_kind("AWS::CloudWatch::Alarm").find(|alarm| {
            let dimensions = alarm.property("Dimensions");
            alarm.property("MetricName") == "ApproximateNumberOfMessagesVisible"
                && each(dimensions).any(|dimension| target(&dimension["Value"]) == Some(queue))
        });
        let alarm = alarm.unwrap_or_else(|| panic!("{queue} has no alarm"));
        assert!(each(alarm.property("AlarmActions")).any(|action| target(action) == Some("TechnicalTopic")), "{queue}");
    }
}

#[test]
fn the_ledger_is_kept_encrypted_and_can_be_restored() {
    let template = Template::read();
    let tables: Vec<_> = template.of_kind("AWS::DynamoDB::Table").collect();
    assert_eq!(tables.len(), 1);
    for table in tables {
        assert_eq!(table.whole["DeletionPolicy"], "Retain");
        assert_eq!(table.whole["UpdateReplacePolicy"], "Retain");
        assert_eq!(table.property("PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"), true);
        assert_eq!(table.property("SSESpecification/SSEEnabled"), true);
        assert_eq!(table.property("BillingMode"), "PAY_PER_REQUEST");
        assert_eq!(table.property("TimeToLiveSpecification"), &json!({"AttributeName": "ttl", "Enabled": true}));
    }
}

#[test]
fn no_policy_allows_everything_of_something() {
    let template = Template::read();
    for resource in template.resources() {
        for statement in statements(&resource).into_iter().filter(|statement| statement["Effect"] == "Allow") {
            let sid = &statement["Sid"];
            for action in each(&statement["Action"]) {
                let action = action.as_str().unwrap();
                assert!(!action.contains('*'), "{} {sid} allows {action}", resource.name);
            }
            for on in each(&statement["Resource"]) {
                assert_ne!(plain(on), Some("*"), "{} {sid} allows it on everything", resource.name);
            }
        }
    }
}

#[test]
fn a_role_reaches_only_the_prefixes_of_its_flow() {
    let template = Template::read();
    for flow in repo::flows() {
        let subject = FlowName::of(&flow).subject;
        for statement in statements(&role(&template, &flow)) {
            let actions: Vec<_> = each(&statement["Action"]).filter_map(Value::as_str).collect();
            let objects = actions.iter().any(|action| action.starts_with("s3:") && *action != "s3:ListBucket");
            for on in each(&statement["Resource"]).filter(|_| objects) {
                let on = plain(on).unwrap();
                let own = [format!("/{subject}/*"), format!("/{flow}/*"), "/lookups/*".to_owned()];
                assert!(own.iter().any(|prefix| on.ends_with(prefix.as_str())), "{flow}: {on} is not its own");
                let reads_only = actions.iter().all(|action| action.starts_with("s3:Get"));
                let writes = on.contains("InboxBucket") || on.contains("Rejects") || on.contains("Bodies");
                assert!(reads_only || writes, "{flow} may change {on}");
            }
        }
    }
}

/// The flows that share the stages of events, and whether they write them.
const STAGES: [(&str, bool); 4] = [
    ("derms-dacs-event-status", true),
    ("derms-dacs-device-reservation", true),
    ("derms-dacs-device-outcome", false),
    ("dacs-derms-event-opt-out", false),
];

/// The flows that know one DERMS, whatever Routing says (contracts.md §7: "the rest to the default").
const TO_ONE_DERMS: [&str; 3] =
    ["dacs-derms-device-score", "dacs-derms-event-opt-out", "dacs-derms-customer-unavailability"];

/// Where a flow writes down which installation something went to.
fn routes(flow: &str) -> Option<String> {
    match flow {
        "dacs-derms-program-rules"
        | "dacs-derms-aggregators"
        | "dacs-derms-enrollment-sync"
        | "dacs-derms-device-status-check"
        | "derms-dacs-enrollment-request" => Some(format!("route#{flow}#*")),
        "derms-dacs-event-status" => Some("route#stage#*".to_owned()),
        _ => None,
    }
}

#[test]
fn a_role_reaches_only_its_partitions_of_the_ledger() {
    let template = Template::read();
    for flow in repo::flows() {
        let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
        for statement in statements(&role(&template, &flow)) {
            let actions: Vec<_> = each(&statement["Action"]).filter_map(Value::as_str).collect();
            if !actions.iter().any(|action| action.starts_with("dynamodb:")) {
                continue;
            }
            let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            let reads = actions.iter().all(|action| action.starts_with("dynamodb:Get") || action.contains("BatchGet"));
            let keys = each(keys).filter_map(Value::as_str).map(str::to_owned);
            if reads { read.extend(keys) } else { written.extend(keys) }
        }
        let variables = function(&template, &flow);
        let variables = variables.property("Environment/Variables");
        let targets = ["dacs", "derms", "ouai"]
            .into_iter()
            .filter(|system| variables.get(format!("{}_URL", system.to_uppercase())).is_some());
        // Of several installations each has a rate of its own.
        let several = if TO_ONE_DERMS.contains(&flow.as_str()) { "" } else { "*" };
        let mut own: BTreeSet<_> = targets.map(|system| format!("target#{system}{several}")).collect();
        own.extend(routes(&flow));
        own.insert(format!("{flow}#*"));
        let stages = |writes| STAGES.contains(&(flow.as_str(), writes)).then(|| "stage#*".to_owned());
        own.extend(stages(true));
        assert_eq!(written, own, "{flow}: LeadingKeys");
        let answered = Flow::answers(&flow);
        let answers = routes(answered).filter(|_| answered != flow);
        let only_read = stages(false).into_iter().chain(answers).collect();
        assert_eq!(read, only_read, "{flow}: LeadingKeys that are only read");
    }
}

#[test]
fn a_role_reaches_only_its_queue_its_logs_and_the_secrets_of_its_targets() {
    let template = Template::read();
    for flow in repo::flows() {
        let function = function(&template, &flow);
        let queue = target(function.property("Environment/Variables/QUEUE_URL")).unwrap();
        let logs = target(function.property("LoggingConfig/LogGroup")).unwrap();
        for statement in statements(&role(&template, &flow)) {
            for action in each(&statement["Action"]).filter_map(Value::as_str) {
                for on in each(&statement["Resource"]) {
                    match action.split(':').next().unwrap() {
                        "sqs" => assert_eq!(target(on), Some(queue), "{flow}: {action}"),
                        "logs" => assert_eq!(target(on), Some(logs), "{flow}: {action}"),
                        "secretsmanager" => {
                            let on = plain(on).unwrap();
                            let (secret, below) = on.split("${").last().unwrap().split_once('}').unwrap();
                            let system = below.trim_start_matches('/').trim_end_matches("/*");
                            let variables = function.property("Environment/Variables");
                            let asks = match secret {
                                "TargetSecrets" => variables.get(format!("{}_URL", system.to_uppercase())).is_some(),
                                _ => variables.to_string().contains(&format!("\"{secret}\"")),
                            };
                            assert!(asks, "{flow} may read {on}");
                        }
                        _ => {}
                    }
                }
            }
        }
        assert_eq!(target(function.property("Role")), Some(role(&template, &flow).name), "{flow} has another's role");
    }
}

#[test]
fn every_queue_of_a_function_reports_the_messages_that_failed() {
    let template = Template::read();
    for flow in repo::flows() {
        let function = function(&template, &flow);
        let events = function.property("Events").as_object().unwrap().clone();
        let queues: Vec<_> = events.values().filter(|event| event["Type"] == "SQS").collect();
        assert_eq!(queues.len(), 1, "{flow}");
        let source = &queues[0]["Properties"];
        let reports = each(&source["FunctionResponseTypes"]).any(|kind| kind == "ReportBatchItemFailures");
        assert!(reports, "{flow}: messages that failed would be deleted");
        let queue = template.resource(target(&source["Queue"]).unwrap()).unwrap();
        let fifo = queue.property("FifoQueue") == true;
        assert_eq!(source["BatchSize"], if fifo { 10 } else { 1 }, "{flow}");
    }
}

#[test]
fn a_message_stays_out_of_sight_ten_seconds_longer_than_its_function_may_run() {
    let template = Template::read();
    for flow in repo::flows() {
        let function = function(&template, &flow);
        let queue = template.resource(target(function.property("Environment/Variables/QUEUE_URL")).unwrap()).unwrap();
        let timeout = function.property("Timeout").as_i64().unwrap();
        let hidden = queue.property("VisibilityTimeout").as_i64().unwrap();
        assert!(hidden >= timeout + 10, "{flow}: {hidden} s against {timeout} s");
    }
}

#[test]
fn every_log_group_ends_and_every_function_writes_to_its_own() {
    let template = Template::read();
    for group in template.of_kind("AWS::Logs::LogGroup") {
        assert_eq!(group.property("RetentionInDays"), &json!({"Ref": "LogRetentionDays"}), "{}", group.name);
    }
    for function in template.of_kind("AWS::Serverless::Function") {
        let group = template.resource(target(function.property("LoggingConfig/LogGroup")).unwrap()).unwrap();
        let name = group.text("LogGroupName").unwrap();
        assert_eq!(Some(name.trim_start_matches("/aws/lambda/")), function.text("FunctionName"));
    }
}

/// `GET /v1/derms/rejects/{run}`: its scope is `derms/rejects`, whatever comes after that.
#[test]
fn every_route_asks_for_the_scope_of_its_subject_which_its_sender_and_the_operator_may_ask_for() {
    let template = Template::read();
    for route in template.of_kind("AWS::ApiGatewayV2::Route") {
        let key = route.text("RouteKey").unwrap();
        let mut path = key.split('/').skip(1);
        let (Some("v1"), Some(sender), Some(name)) = (path.next(), path.next(), path.next()) else { panic!("{key}") };
        let scope = format!("{sender}/{name}");
        assert_eq!(route.property("AuthorizationType"), "JWT", "{key}");
        assert_eq!(target(route.property("AuthorizerId")), Some("ApiAuthorizer"), "{key}");
        assert_eq!(route.property("AuthorizationScopes"), &json!([scope]), "{key}");
        let server = template.find("AWS::Cognito::UserPoolResourceServer", "Identifier", sender).unwrap();
        assert!(each(server.property("Scopes")).any(|scope| scope["ScopeName"] == name), "{sender} has no {name}");
        for client in template.of_kind("AWS::Cognito::UserPoolClient") {
            let caller = client.text("ClientName").unwrap();
            let may = each(client.property("AllowedOAuthScopes")).any(|allowed| *allowed == scope);
            assert_eq!(may, [sender, "operator"].contains(&caller), "{caller} and {scope}");
            assert_eq!(client.property("AllowedOAuthFlows"), &json!(["client_credentials"]), "{caller}");
        }
    }
}

/// The function that a route or a permission leads to.
fn reached(template: &Template, route: &Resource<'_>) -> String {
    let integration = template.resource(target(route.property("Target")).unwrap()).unwrap();
    target(integration.property("IntegrationUri")).unwrap().to_owned()
}

#[test]
fn every_route_may_call_its_function_and_no_two_functions_share_a_scope() {
    let template = Template::read();
    let mut owners = std::collections::BTreeMap::new();
    for route in template.of_kind("AWS::ApiGatewayV2::Route") {
        let (key, function) = (route.text("RouteKey").unwrap(), reached(&template, &route));
        let owner = owners.entry(route.property("AuthorizationScopes").to_string()).or_insert(function.clone());
        assert_eq!(*owner, function, "{key}: two functions share its scope");
        let called = key.replacen(' ', "", 1);
        let permitted = template.of_kind("AWS::Lambda::Permission").any(|permission| {
            let from = permission.text("SourceArn").unwrap().split("${Api}/*/").nth(1).unwrap();
            let matches = from.strip_suffix('*').map_or(called == from, |start| called.starts_with(start));
            matches && target(permission.property("FunctionName")) == Some(&function)
        });
        assert!(permitted, "{key}: the API may not call {function}");
    }
    for integration in template.of_kind("AWS::ApiGatewayV2::Integration") {
        let function = target(integration.property("IntegrationUri")).unwrap();
        assert!(owners.values().any(|owner| owner == function), "{} has no route", integration.name);
    }
}

#[test]
fn only_its_own_outbox_may_put_messages_into_a_file_flows_queue_itself_or_by_its_topic() {
    let template = Template::read();
    let from_an_outbox = |statement: &Value, who: &str| {
        let from = plain(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]).unwrap_or_default();
        assert!(from.contains("-outbox-${AWS::AccountId}"), "{who}: {from}");
    };
    let allows = |policy: &Resource<'_>| -> Vec<Value> {
        statements(policy).into_iter().filter(|it| it["Effect"] == "Allow").cloned().collect()
    };
    for policy in template.of_kind("AWS::SQS::QueuePolicy") {
        for statement in allows(&policy) {
            let account = &statement["Condition"]["StringEquals"]["aws:SourceAccount"];
            assert_eq!(account, &json!({"Ref": "AWS::AccountId"}), "{}", policy.name);
            match statement["Principal"]["Service"].as_str() {
                Some("s3.amazonaws.com") => from_an_outbox(&statement, policy.name),
                Some("sns.amazonaws.com") => {
                    let topic = target(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]).unwrap();
                    let of_topic =
                        |policy: &Resource<'_>| each(policy.property("Topics")).any(|it| target(it) == Some(topic));
                    let topic_policy = template.of_kind("AWS::SNS::TopicPolicy").find(of_topic).unwrap();
                    for statement in allows(&topic_policy) {
                        assert_eq!(statement["Principal"], json!({"Service": "s3.amazonaws.com"}), "{topic}");
                        from_an_outbox(&statement, topic);
                    }
                }
                other => panic!("{}: {other:?} may send", policy.name),
            }
        }
    }
}

#[test]
fn the_instruction_set_is_a_parameter_and_arm64_by_default() {
    let template = Template::read();
    let parameter = &template.document["Parameters"]["Architecture"];
    assert_eq!(parameter["Default"], "arm64");
    assert_eq!(parameter["AllowedValues"], json!(["arm64", "x86_64"]));
    assert_eq!(template.document["Globals"]["Function"]["Architectures"], json!([{"Ref": "Architecture"}]));
}
