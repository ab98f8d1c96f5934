//! Two DACS and two DERMS: what goes to which, and that acknowledgements follow (contracts.md §7).

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::messages::{ACK, SYNC, Sent};
use crate::support::{MESSAGES, Platform, config, eventually, unique};

/// What the second DERMS calls itself, the second DACS is called, and the part of the utility that is theirs.
const DERMS: &str = "NMS-NORTH";
const DACS: &str = "dacs-north";
const DIVISION: &str = "FAR-NORTH";

/// What the second neighbours take. Made up, and theirs alone.
const CLIENT: (&str, &str) = ("north-client", "north-secret");
const USER: (&str, &str) = ("north-user", "north-password");

/// Where the second DACS and DERMS listen, for as long as the tests run.
static NORTH: OnceLock<String> = OnceLock::new();

/// Starts a second DACS and a second DERMS, and lists them in the lookups Targets and Routing.
pub async fn prepare(platform: &Platform) {
    let url = NORTH.get_or_init(start).as_str();
    let oauth = json!({"kind": "oauth", "tokenUrl": format!("{url}/oauth/token"), "clientId": CLIENT.0,
        "clientSecret": CLIENT.1, "scope": "dacs"});
    let basic = json!({"kind": "basic", "username": USER.0, "password": USER.1});
    let keys = platform.root();
    let secrets = config!(aws_sdk_secretsmanager, platform, keys).build();
    let secrets = aws_sdk_secretsmanager::Client::from_conf(secrets);
    for (name, text) in [("targets/dacs/north", oauth), ("targets/derms/north", basic)] {
        let created = secrets.create_secret().name(name).secret_string(text.to_string()).send().await;
        if created.is_err() {
            secrets.put_secret_value().secret_id(name).secret_string(text.to_string()).send().await.unwrap();
        }
    }
    let targets = format!(
        "name,kind,url,secret,rate\n{DACS},dacs,{url}/dacs,targets/dacs/north,50\n\
         {DERMS},derms,{url}/derms,targets/derms/north,50\n"
    );
    let routing = format!(
        "by,value,target\ndivision,{DIVISION},{DERMS}\ndivision,*,derms\n\
         drmsInstanceId,{DERMS},{DACS}\ndrmsInstanceId,*,dacs\n"
    );
    for (name, csv) in [("Targets", targets), ("Routing", routing)] {
        platform.put(platform.output("ConfigBucket"), &format!("lookups/{name}.csv"), csv).await;
    }
}

/// The sandbox once more, on a thread of its own: a test's runtime ends with the test.
fn start() -> String {
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let handle = sandbox::serve(listener, sandbox::Config::new(CLIENT, USER)).unwrap();
            told.send(handle.url()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    heard.recv().unwrap()
}

/// The second neighbours' books.
async fn north(system: &str) -> Value {
    let url = format!("{}/control/{system}", NORTH.get().unwrap());
    let web = reqwest::Client::builder().no_proxy().build().unwrap();
    serde_json::from_str(&web.get(url).send().await.unwrap().text().await.unwrap()).unwrap()
}

async fn tell_north(path: &str, body: &Value) {
    let url = format!("{}/control/{path}", NORTH.get().unwrap());
    let web = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = web.post(url).header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
}

/// A functions' lookups are up to a minute old, where a platform is tested for a second time.
const SECONDS: u64 = 100;

#[tokio::test]
async fn a_request_for_enrollment_goes_to_the_dacs_of_the_derms_that_sends_it() {
    let _with_others = MESSAGES.read().await;
    let (platform, mark) = (Platform::here().await, unique());
    let request = |name: &str, drms: &str| {
        json!({
            "messageId": format!("{name}-{mark}"), "drmsInstanceId": drms,
            "programInfo": {"programCode": "SUMMER-T", "startDateTimeISO": "2026-07-01T00:00:00-05:00"},
            "locationInfo": {"timeZone": "America/Chicago"},
            "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [
                {"assetType": "THERMOSTAT", "nicId": format!("nic-{mark}"), "headEndSystem": "ACME-HES"},
            ]},
        })
    };
    let list = json!([request("N1", DERMS), request("N2", "DRMS-1")]);
    let (status, answer) = platform.post_as("derms", "/v1/derms/enrollment-request", &list).await;
    assert!([200, 202].contains(&status), "{answer}");
    let (first, second) = (format!("N1-{mark}"), format!("N2-{mark}"));
    eventually("both are enrolled", SECONDS, async || {
        let here = platform.books("dacs").await["enrollments"]["requests"].clone();
        let there = north("dacs").await["enrollments"]["requests"].clone();
        assert!(here[&first].is_null() && there[&second].is_null(), "{here} {there}");
        (there[&first]["effects"] == 1 && here[&second]["effects"] == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_enrollment_goes_to_the_derms_of_its_division_and_its_late_acknowledgement_to_the_dacs_beside_that() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let mut sent = Sent::of("valid-enroll-two-devices.json");
    sent.body["sendDetails"]["locationInfo"]["division"] = json!(DIVISION);
    tell_north("dacs/sync-requests", &json!({"ids": [sent.id]})).await;
    tell_north("derms/answers", &json!({"answer": "later", "dacsMessageId": sent.id, "count": 1})).await;
    assert_eq!(platform.post_as("dacs", SYNC, &sent.body).await.0, 202);
    eventually("the second DERMS has it", SECONDS, async || north("derms").await["messages"].get(&sent.id).map(|_| ()))
        .await;
    assert!(platform.books("derms").await["messages"].get(&sent.id).is_none());
    let ack = json!({"dacsMessageId": sent.id, "responseCode": "SUCCESS"});
    assert_eq!(platform.post_as("derms", ACK, &ack).await.0, 202);
    eventually("its sync request is Synchronized at the second DACS", SECONDS, async || {
        (north("dacs").await["syncRequests"][&sent.id]["state"] == "Synchronized").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stage_lives_in_the_dacs_of_its_derms_which_alone_hears_what_became_of_it() {
    let _with_others = MESSAGES.read().await;
    let (platform, mark) = (Platform::here().await, unique());
    let (message, stage) = (format!("M-{mark}"), format!("S-{mark}"));
    let body = json!({"messageId": message, "drmsInstanceId": DERMS, "eventId": format!("E-{mark}"),
        "eventType": "RELIABILITY", "stages": [{"stageId": stage, "programCode": "SUMMER-T", "status": "SCHEDULED",
            "startDateTime": "2026-07-01T14:00:00-05:00", "endDateTime": "2026-07-01T16:00:00-05:00"}]});
    assert_eq!(platform.post_as("derms", "/v1/derms/event-status", &body).await.0, 202);
    eventually("the second DERMS is told", SECONDS, async || north("derms").await["acks"].get(&message).map(|_| ()))
        .await;
    assert_eq!(north("dacs").await["programEvents"][&stage]["state"], "Scheduled");
    assert!(platform.books("dacs").await["programEvents"][&stage].is_null());
    assert!(platform.books("derms").await["acks"].get(&message).is_none());
}
