//! Programs with their rules, and aggregators: from DACS to the DERMS, and the DERMS's answer back to the sync request.

use it::repo;
use serde_json::{Value, json};

use crate::messages::becomes;
use crate::support::{MESSAGES, Platform, eventually, sync_request_id, unique};

/// One kind of synchronization, as its two flows have it.
struct Kind {
    flow: &'static str,
    example: &'static str,
    /// Member of the message and of the DERMS's books that names what it is about.
    about: &'static str,
    /// Where the DERMS keeps it.
    books: &'static str,
}

const PROGRAM: Kind = Kind {
    flow: "dacs-derms-program-rules",
    example: "valid-future-rule-beside-one-in-force.json",
    about: "programCode",
    books: "programRules",
};

const AGGREGATOR: Kind =
    Kind { flow: "dacs-derms-aggregators", example: "valid-add.json", about: "aggregatorId", books: "aggregators" };

/// A message with a sync request and a thing of its own.
struct Sent {
    kind: &'static Kind,
    id: String,
    about: String,
    body: Value,
}

impl Sent {
    fn of(kind: &'static Kind) -> Self {
        let text = repo::text(format!("events/{}/examples/{}", kind.flow, kind.example));
        let mut body: Value = serde_json::from_str(&text).unwrap();
        let about = format!("X-{}", unique());
        body[kind.about] = json!(about);
        if kind.about == "programCode" {
            body["programId"] = json!(format!("P-{about}"));
        }
        let mut sent = Self { kind, id: String::new(), about, body };
        sent.renew();
        sent
    }

    /// The next message about the same thing.
    fn renew(&mut self) {
        self.id = sync_request_id();
        self.body["syncRequestId"] = json!(self.id);
    }

    async fn send(&self, platform: &Platform) -> (u16, Value) {
        platform.set("dacs/sync-requests", &json!({"ids": [self.id]})).await;
        let subject = self.kind.flow.trim_start_matches("dacs-derms-");
        platform.post_as("dacs", &format!("/v1/dacs/{subject}"), &self.body).await
    }

    async fn acknowledge(&self, platform: &Platform, ack: &Value) -> u16 {
        let subject = self.kind.flow.trim_start_matches("dacs-derms-");
        platform.post_as("derms", &format!("/v1/derms/{subject}-ack"), ack).await.0
    }

    /// The DERMS's books of this message, and of what it is about.
    async fn at_the_derms(&self, platform: &Platform) -> (Value, Value) {
        let books = platform.books("derms").await[self.kind.books].clone();
        (books["messages"][&self.id].clone(), books["latest"][&self.about].clone())
    }

    /// What the DERMS must be sent: the same under its own names, times in UTC, lists there though empty.
    fn wanted(&self) -> Value {
        let mut wanted = self.body.clone();
        let members = wanted.as_object_mut().unwrap();
        let (id, changed) = (members.remove("syncRequestId").unwrap(), members.remove("changeDateTime").unwrap());
        let changed: jiff::Timestamp = changed.as_str().unwrap().parse().unwrap();
        wanted["dacsMessageId"] = id;
        wanted["changeDateTimeISO"] = json!(format!("{changed:.3}"));
        for rule in wanted.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            for list in ["allowedEventDays", "eventCategories"] {
                let rule = rule.as_object_mut().unwrap();
                rule.entry(list).or_insert_with(|| json!([]));
            }
        }
        wanted
    }
}

#[tokio::test]
async fn programs_and_aggregators_reach_the_derms_field_by_field_and_a_positive_answer_synchronizes_them() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    for kind in [&PROGRAM, &AGGREGATOR] {
        let sent = Sent::of(kind);
        assert_eq!(sent.send(&platform).await.0, 202, "{}", kind.flow);
        becomes(&platform, &sent.id, "Synchronized", 30).await;
        let (message, latest) = sent.at_the_derms(&platform).await;
        assert_eq!((&message["calls"], &message["effects"]), (&json!(1), &json!(1)), "{}", kind.flow);
        assert_eq!(latest["body"], sent.wanted(), "{}", kind.flow);
    }
}

#[tokio::test]
async fn a_later_state_of_a_program_is_the_last_that_the_derms_hears_though_an_earlier_one_had_to_be_retried() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let mut sent = Sent::of(&PROGRAM);
    let path = format!("/derms/programs/{}", sent.about);
    let fault = platform.fault(&json!({"path": path, "count": 6, "fault": {"kind": "down"}})).await;
    assert_eq!(sent.send(&platform).await.0, 202);
    let first = sent.id.clone();
    sent.renew();
    sent.body["rules"] = json!([]);
    assert_eq!(sent.send(&platform).await.0, 202);
    for id in [&first, &sent.id] {
        becomes(&platform, id, "Synchronized", 60).await;
    }
    platform.end_fault(&fault).await;
    let (_, latest) = sent.at_the_derms(&platform).await;
    assert_eq!((&latest["message"], &latest["body"]["rules"]), (&json!(sent.id), &json!([])));
}

#[tokio::test]
async fn an_acknowledgement_that_comes_later_counts_once_and_a_positive_one_after_a_negative() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    for kind in [&PROGRAM, &AGGREGATOR] {
        let sent = Sent::of(kind);
        platform.set("derms/answers", &json!({"answer": "later", "dacsMessageId": sent.id, "count": 1})).await;
        assert_eq!(sent.send(&platform).await.0, 202);
        eventually("the DERMS has it", 30, async || {
            (sent.at_the_derms(&platform).await.0["state"] == "awaiting").then_some(())
        })
        .await;
        let text = "the head-end has another time zone";
        let late = json!({"dacsMessageId": sent.id, "answer": "error", "message": text});
        let negative = platform.set("derms/late-acks", &late).await;
        assert_eq!(sent.acknowledge(&platform, &negative).await, 202);
        let failed = becomes(&platform, &sent.id, "Error", 30).await;
        assert_eq!(failed["history"][1]["body"]["exceptionInfo"][0]["comments"], text);
        let positive = json!({"dacsMessageId": sent.id, "responseCode": "SUCCESS"});
        for _ in 0..2 {
            let status = sent.acknowledge(&platform, &positive).await;
            assert!([200, 202].contains(&status), "{status}");
        }
        let done = becomes(&platform, &sent.id, "Synchronized", 30).await;
        assert_eq!(done["effects"], 2, "one negative, one positive: {done}");
    }
}

#[tokio::test]
async fn a_program_with_a_day_that_no_lookup_knows_is_an_error_and_an_aggregator_with_a_secret_is_not_let_in() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let mut program = Sent::of(&PROGRAM);
    program.body["rules"][0]["allowedEventDays"] = json!(["FUNDAY"]);
    assert_eq!(program.send(&platform).await.0, 202);
    let failed = becomes(&platform, &program.id, "Error", 30).await;
    let why = "lookup AllowEventDays has no entry for \"FUNDAY\"";
    assert_eq!(failed["history"][1]["body"]["exceptionInfo"][0]["comments"], why);
    assert!(program.at_the_derms(&platform).await.0.is_null());

    let mut aggregator = Sent::of(&AGGREGATOR);
    aggregator.body["gateway"]["password"] = json!("p-1");
    let (status, problem) = aggregator.send(&platform).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/gateway/password")));
}
