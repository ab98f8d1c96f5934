use std::collections::BTreeMap;
use std::sync::Mutex;

use domain::enrollment_request::MOST;
use flow::memory::{CONFIG, Targets, World};
use flow::message::{Ground, MessageCalls};
use flow::ports::{Answer, Call, Clock, Payload};
use flow::target::{Pacer, TargetClient};
use serde_json::{Value, json};

use super::*;
use std::sync::Arc;

/// What DACS answers to a request, by its id: status and body. All others are enrolled.
type Script = Arc<Mutex<BTreeMap<String, (u16, Value)>>>;

/// The flow, with a DACS that takes `rate` calls a second.
struct Bench {
    world: World,
    flow: Flow,
    dacs: Targets,
    derms: Targets,
    /// Another DACS and another DERMS, which Targets may list.
    north: (Targets, Targets),
    script: Script,
}

impl Bench {
    fn new() -> Self {
        Self::at(1000)
    }

    fn at(rate: u32) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        world.objects.put(CONFIG, "lookups/AssetType.csv", "key,value\nTHERMOSTAT,SMART-THERM\n");
        let script = Script::default();
        let answers = script.clone();
        let dacs = Targets::new(move |call| {
            let id = body(call)["transactionId"].as_str().unwrap().to_owned();
            let enrolled = || (200, json!({"enrollmentId": format!("EN-{id}"), "status": "PENDING"}));
            let (status, body) = answers.lock().unwrap().get(&id).cloned().unwrap_or_else(enrolled);
            Ok(Answer { status, retry_after: None, body: body.to_string().into() })
        });
        let derms = Targets::answering(200, "");
        let kit = world.message_kit(NAME, LOOKUPS);
        let (clock, lookups) = (kit.clock.clone(), kit.lookups.clone());
        let enrolled = r#"{"enrollmentId":"EN-NORTH","status":"PENDING"}"#;
        let north = (Targets::answering(200, enrolled), Targets::answering(200, ""));
        let pacer = Pacer::new(world.ledger(), "dacs", rate, "bench".into());
        let ports = (clock.clone(), kit.notifier.clone());
        let client = TargetClient::new("dacs", Arc::new(dacs.clone()), pacer, ports, Duration::from_secs(20));
        let others = [("dacs-north", north.0.clone())];
        let client = client.beside(world.installations(&others));
        let others = [("NMS-NORTH", north.1.clone())];
        let acks = flow::derms_ack::DermsAcks { derms: world.targets("derms", derms.clone(), &others) };
        let calls = Calls { dacs: client, acks, lookups, clock };
        Self { flow: Flow { kit, calls, side_by_side: 4 }, world, dacs, derms, north, script }
    }

    fn answers(&self, id: &str, status: u16, body: Value) {
        self.script.lock().unwrap().insert(id.into(), (status, body));
    }

    fn enrolls(&self, id: &str) {
        self.script.lock().unwrap().remove(id);
    }

    /// Posts a list: status, ackType, and `id=value` of each response.
    async fn post(&self, list: &[Value]) -> (u16, String, Vec<String>) {
        let (status, answer) = self.post_text(json!(list).to_string()).await;
        let (kind, responses) = told(&answer);
        (status, kind, responses)
    }

    async fn post_text(&self, text: String) -> (u16, Value) {
        let request = HttpRequest {
            body: text.into(),
            content_type: None,
            request_id: format!("request-{}", self.world.clock.now()),
            correlation: "c-1".into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        match self.flow.handle(Trigger::Http(request), self.world.invocation("door")).await.unwrap() {
            Reply::Http(reply) => (reply.status, serde_json::from_str(&reply.body).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// The worker, until nothing is left that is in sight.
    async fn work(&self) {
        loop {
            let deliveries = self.world.queue.take(1);
            if deliveries.is_empty() {
                return;
            }
            let trigger = Trigger::Queue(deliveries.clone());
            let Reply::Batch { failed } = self.flow.handle(trigger, self.world.invocation("worker")).await.unwrap()
            else {
                panic!("no batch")
            };
            for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
                self.world.queue.remove(delivery.receipt.as_ref().unwrap());
            }
        }
    }

    /// How often DACS was asked for each.
    fn asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for call in self.dacs.calls() {
            *asked.entry(body(&call)["transactionId"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        asked
    }

    /// The acknowledgements that the DERMS got: ackType, and `id=value` of each response.
    fn acks(&self) -> Vec<(String, Vec<String>)> {
        self.derms.calls().iter().map(|call| told(&body(call))).collect()
    }
}

fn body(call: &Call) -> Value {
    let Payload::Json(bytes) = &call.payload else { panic!("{call:?}") };
    serde_json::from_slice(bytes).unwrap()
}

fn told(ack: &Value) -> (String, Vec<String>) {
    let responses = ack["MsgAck"]["responses"]["response"].as_array().unwrap_or_else(|| panic!("{ack}"));
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let line = |it: &Value| format!("{}={}", text(it, "id"), text(it, "value"));
    (text(&ack["MsgAck"], "ackType"), responses.iter().map(line).collect())
}

fn request(id: &str) -> Value {
    json!({
        "messageId": id,
        "programInfo": {"programCode": "SUMMER-T", "startDateTimeISO": "2026-07-01T03:30:00Z"},
        "locationInfo": {"timeZone": "America/Chicago"},
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [
            {"assetType": "THERMOSTAT", "nicId": "nic-1", "headEndSystem": "NORTH"},
        ]},
    })
}

fn requests(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| request(id)).collect()
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn refused(number: u32) -> Value {
    json!({"status": "VAL-ERROR", "messageNumber": number, "message": "not eligible"})
}

#[tokio::test]
async fn each_request_has_its_own_answer_in_the_order_of_the_list() {
    let bench = Bench::new();
    bench.answers("M-2", 200, refused(11_001));
    bench.answers("M-3", 400, refused(10_589));
    let mut list = requests(&["M-1", "M-2", "M-3", "M-4", "M-5", "M-6"]);
    list[3]["locationInfo"] = json!({});
    list[4]["assetInfo"]["assetList"][0]["assetType"] = json!("TOASTER");
    let wanted = lines(&[
        "c-1=delivered=3;failed=3",
        "M-1=EN-M-1",
        "M-2=message number 11001, not eligible",
        "M-3=EXISTS",
        "M-4=/locationInfo/timeZone is required",
        "M-5=lookup AssetType has no entry for \"TOASTER\"",
        "M-6=EN-M-6",
    ]);
    assert_eq!(bench.post(&list).await, (200, "ERROR".into(), wanted));
    assert!(bench.acks().is_empty() && bench.world.queue.waiting() == 0, "all was told at once");
    assert_eq!(bench.asked().len(), 4, "DACS was asked for those that it can take");
}

#[tokio::test]
async fn a_list_that_is_sent_again_gets_the_first_answers_and_what_failed_is_attempted_anew() {
    let bench = Bench::new();
    bench.answers("M-2", 400, refused(11_001));
    let mut list = requests(&["M-1", "M-2"]);
    let (_, kind, _) = bench.post(&list).await;
    assert_eq!(kind, "ERROR");
    bench.enrolls("M-2");
    list[1]["programInfo"]["programCode"] = json!("WINTER-T");
    let wanted = lines(&["c-1=delivered=2;failed=0", "M-1=EN-M-1", "M-2=EN-M-2"]);
    for _ in 0..2 {
        assert_eq!(bench.post(&list).await, (200, "SUCCESS".into(), wanted.clone()));
    }
    assert_eq!(bench.asked(), BTreeMap::from([("M-1".into(), 1), ("M-2".into(), 2)]));
    assert_eq!(bench.world.open(NAME), [], "nothing waits for anybody");
}

#[tokio::test]
async fn a_request_with_an_id_that_another_one_has_is_an_error_and_the_same_request_twice_is_one() {
    let bench = Bench::new();
    bench.post(&requests(&["M-1"])).await;
    let mut list = requests(&["M-1", "M-2", "M-2", "M-2"]);
    for place in [0, 3] {
        list[place]["programInfo"]["programCode"] = json!("WINTER-T");
    }
    let (status, kind, told) = bench.post(&list).await;
    assert_eq!((status, kind.as_str(), told[0].as_str()), (200, "ERROR", "c-1=delivered=2;failed=2"));
    assert!(told[1].starts_with("M-1=Another message has this key"), "{told:?}");
    assert_eq!(told[2..4], ["M-2=EN-M-2", "M-2=EN-M-2"]);
    assert!(told[4].starts_with("M-2=Another message has this key"), "{told:?}");
    assert_eq!(bench.asked(), BTreeMap::from([("M-1".into(), 1), ("M-2".into(), 1)]));
}

#[tokio::test]
async fn what_does_not_fit_into_the_time_of_the_request_is_acknowledged_later_one_by_one() {
    let bench = Bench::at(1);
    let begun = bench.world.clock.now();
    let ids: Vec<_> = (0..40).map(|n| format!("M-{n:02}")).collect();
    let list: Vec<_> = ids.iter().map(|id| request(id)).collect();
    let (status, kind, told) = bench.post(&list).await;
    let done = told.len() - 1;
    assert_eq!((status, kind.as_str()), (202, "SUCCESS"));
    assert_eq!(told[0], format!("c-1=delivered={done};failed=0"));
    assert!((10..20).contains(&done), "{done} requests in 14 s at one a second");
    let took = bench.world.clock.now().duration_since(begun);
    assert!(took <= SignedDuration::from_secs(25), "answered after {took}");
    assert_eq!(bench.dacs.calls().len(), done);
    bench.work().await;
    let mut acked: Vec<_> = bench.acks().into_iter().map(|(kind, lines)| (kind, lines.join(" "))).collect();
    acked.sort();
    let answered: Vec<_> = told.iter().skip(1).map(|line| line[..4].to_owned()).collect();
    let left = ids.iter().filter(|id| !answered.contains(id));
    let wanted: Vec<_> =
        left.map(|id| ("SUCCESS".to_owned(), format!("{id}=delivered=1;failed=0 {id}=EN-{id}"))).collect();
    assert_eq!(acked, wanted);
    let took = bench.world.clock.now().duration_since(begun).as_secs();
    assert!((38..45).contains(&took), "slots were wasted: 40 calls at one a second took {took} s");
}

#[tokio::test]
async fn a_fault_at_dacs_delays_its_own_request_only_which_is_answered_once_when_it_is_over() {
    let bench = Bench::new();
    bench.answers("M-2", 500, json!({}));
    let list = requests(&["M-1", "M-2", "M-3"]);
    let wanted = lines(&["c-1=delivered=2;failed=0", "M-1=EN-M-1", "M-3=EN-M-3"]);
    for _ in 0..2 {
        assert_eq!(bench.post(&list).await, (202, "SUCCESS".into(), wanted.clone()));
        bench.work().await;
    }
    assert!(bench.acks().is_empty());
    bench.enrolls("M-2");
    bench.world.clock.advance(Duration::from_secs(600));
    bench.work().await;
    assert_eq!(bench.acks(), [("SUCCESS".into(), lines(&["M-2=delivered=1;failed=0", "M-2=EN-M-2"]))]);
    let wanted = lines(&["c-1=delivered=3;failed=0", "M-1=EN-M-1", "M-2=EN-M-2", "M-3=EN-M-3"]);
    assert_eq!(bench.post(&list).await, (200, "SUCCESS".into(), wanted));
}

#[tokio::test]
async fn a_request_that_dacs_refuses_later_is_an_error_and_one_that_is_given_up_a_failure() {
    let bench = Bench::new();
    for id in ["M-1", "M-2"] {
        bench.answers(id, 500, json!({}));
    }
    assert_eq!(bench.post(&requests(&["M-1", "M-2"])).await.0, 202);
    bench.answers("M-1", 200, refused(11_001));
    bench.world.clock.advance(Duration::from_secs(600));
    bench.work().await;
    bench.world.clock.advance(Duration::from_secs(25 * 3600));
    bench.work().await;
    let acks = bench.acks();
    let error = lines(&["M-1=delivered=0;failed=1", "M-1=message number 11001, not eligible"]);
    assert_eq!(acks[0], ("ERROR".into(), error));
    assert_eq!((acks[1].0.as_str(), acks[1].1[0].as_str()), ("FAILURE", "M-2=delivered=0;failed=1"));
    assert!(acks[1].1[1].contains("dacs answered 500"), "{acks:?}");
    assert_eq!(bench.world.open(NAME).len(), 2, "both wait for a person");
}

#[tokio::test]
async fn a_list_that_nobody_could_answer_is_refused_with_each_fault_and_nothing_of_it_is_taken() {
    let bench = Bench::new();
    let mut list = requests(&["M-1", "M-2"]);
    list[1].as_object_mut().unwrap().remove("messageId");
    let many = vec![request("M-1"); MOST + 1];
    let cases = [
        (json!(list), "/1/messageId is required"),
        (json!(request("M-1")), " is an object where a list is expected"),
        (json!([]), " is an empty list"),
        (json!(many), " has 1001 items, at most 1000 are allowed"),
    ];
    for (body, wanted) in cases {
        let (status, problem) = bench.post_text(body.to_string()).await;
        let fault = &problem["errors"][0];
        let said = format!("{} {}", fault["pointer"].as_str().unwrap(), fault["reason"].as_str().unwrap());
        assert_eq!((status, said.as_str()), (400, wanted));
    }
    assert!(bench.world.table.items().is_empty() && bench.dacs.calls().is_empty());
}

#[tokio::test]
async fn requests_go_to_the_dacs_of_their_derms_and_acknowledgements_back_to_that() {
    let bench = Bench::new();
    let targets = "name,kind,url,secret,rate\ndacs-north,dacs,https://n.example.com,targets/dacs/n,10\n\
        NMS-NORTH,derms,https://nms.example.com,targets/derms/n,10\n";
    let routing = "by,value,target\ndrmsInstanceId,NMS-NORTH,dacs-north\ndrmsInstanceId,*,dacs\ndivision,*,derms\n";
    bench.world.objects.put(CONFIG, "lookups/Targets.csv", targets);
    bench.world.objects.put(CONFIG, "lookups/Routing.csv", routing);
    let mut list = requests(&["M-1", "M-2", "M-3"]);
    list[1]["drmsInstanceId"] = json!("NMS-NORTH");
    list[2]["drmsInstanceId"] = json!("NMS-SOUTH");
    let wanted = lines(&["c-1=delivered=3;failed=0", "M-1=EN-M-1", "M-2=EN-NORTH", "M-3=EN-M-3"]);
    assert_eq!(bench.post(&list).await, (200, "SUCCESS".into(), wanted));
    assert_eq!((bench.dacs.calls().len(), bench.north.0.calls().len()), (2, 1));

    let (ack, invocation) = (request("M-5"), bench.world.invocation("one"));
    let mut ack = bench.flow.calls.negative(ack.to_string().as_bytes(), Ground::Technical, "down").unwrap();
    for instance in ["NMS-NORTH", "NMS-SOUTH"] {
        ack["drmsInstanceId"] = json!(instance);
        bench.flow.calls.answer(&ack, &bench.world.context(&invocation)).await.unwrap();
    }
    assert_eq!((bench.derms.calls().len(), bench.north.1.calls().len()), (1, 1), "each to its own");
}
