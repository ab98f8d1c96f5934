//! Customers enroll with their devices: DACS takes the requests, the DERMS learns the devices, OUAI the service points.

use std::collections::BTreeSet;

use flow::ledger::run::RunState;
use serde_json::{Value, json};

use super::rows_of;
use crate::messages::{ACK, SYNC, becomes, resend_corrected, sync_request};
use crate::support::{MESSAGES, Platform, eventually, sync_request_id, unique};

const REQUEST: &str = "/v1/derms/enrollment-request";
const EXTRACT: &str = "dacs-ouai-enrollment-sync";
const ACK_FILE: &str = "ouai-dacs-enrollment-ack";
const EXTRACT_HEADER: &str = "syncRequestId,syncFlag,action,subscriptionId,subscriptionType,status,programId,programCode,\
                              cisPersonId,cisAccountId,cisPremiseId,cisServicePointId,servicePointId,startDateTime,\
                              endDateTime,changeDateTime\n";
const START: &str = "2026-06-01T00:00:00-05:00";

/// An enrollment in DACS's books, once it is complete: a subscription with its one device.
struct Subscription {
    id: String,
    service_point: String,
    /// Device id, and NIC id at its head-end.
    device: (String, String),
    status: &'static str,
    /// What was sent of it to OUAI last.
    sync_request: String,
}

/// Three customers enroll; for one the DERMS answers at once, for one later, device by device, and for one it refuses until
/// DACS has corrected it. OUAI takes two of them and the third when it is sent again. Then one device is replaced and put
/// into another group, which only the DERMS hears of, and one customer leaves. In the end all three agree on who is in.
#[tokio::test]
async fn customers_enroll_and_leave_and_the_three_systems_agree_on_who_is_in_with_which_devices() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    let mut all = enroll(&platform, &id).await;
    answered_at_once(&platform, &all[0]).await;
    answered_later(&platform, &all[1]).await;
    refused_and_corrected(&platform, &all[2]).await;
    acknowledged_by_analytics(&platform, &id, &mut all).await;

    replaced(&platform, &mut all[0]).await;
    left(&platform, &id, &mut all[1]).await;
    agree(&platform, &id, &all).await;
}

/// Two customers sign up with their device's maker, which reaches us through the DERMS; for a third an outside system calls
/// DACS past us. What DACS takes is complete at once in this story.
async fn enroll(platform: &Platform, id: &str) -> Vec<Subscription> {
    let requests: Vec<_> = [1, 2].map(|number| request(number, id)).into();
    let (status, answer) = platform.post_as("derms", REQUEST, &json!(requests)).await;
    assert_eq!((status, &answer["MsgAck"]["ackType"]), (200, &json!("SUCCESS")), "{answer}");
    let direct = json!({
        "transactionId": format!("T3-{id}"), "enrollmentSource": "X1CC",
        "customerInfo": {"cisPersonId": format!("P3-{id}")},
        "programInfo": {"programCode": "SUMMER-T", "startDate": "2026-06-01"},
        "locationInfo": {"timeZone": "America/Chicago", "cisServicePointId": format!("SP3-{id}")},
        "assetInfo": {"installationMethod": "X1SI", "assetOwnership": "W1CO", "assetList": [asset(3, id)]},
    });
    let told = call_dacs(platform, "programEnrollments/enroll", &direct).await;
    assert_eq!(told["status"], "PENDING", "{told}");

    let requests = platform.books("dacs").await["enrollments"]["requests"].clone();
    let own = requests.as_object().unwrap().iter().filter(|(key, _)| key.ends_with(&format!("-{id}")));
    let all: Vec<_> = own.map(|(_, request)| Subscription::of(request)).collect();
    let told: Vec<_> = answer["MsgAck"]["responses"]["response"].as_array().unwrap()[1..].iter().collect();
    for (response, subscription) in told.iter().zip(&all) {
        assert_eq!(response["value"], json!(subscription.id), "the DERMS knows the enrollment by DACS's id");
    }
    all
}

/// A request of the DERMS for one customer with one device.
fn request(number: u8, id: &str) -> Value {
    json!({
        "messageId": format!("T{number}-{id}"), "drmsInstanceId": "DERMS-1",
        "customerInfo": {"cisPersonId": format!("P{number}-{id}")},
        "programInfo": {"programCode": "SUMMER-T", "startDateTimeISO": "2026-06-01T05:00:00Z"},
        "locationInfo": {"timeZone": "America/Chicago", "cisServicePointId": format!("SP{number}-{id}")},
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [asset(number, id)]},
    })
}

fn asset(number: u8, id: &str) -> Value {
    let nic = format!("nic{number}-{id}");
    json!({"sequence": 1, "assetType": "THERMOSTAT", "nicId": nic, "headEndSystem": "HES-NORTH"})
}

/// A call of DACS's digital assets service by someone else than the platform.
async fn call_dacs(platform: &Platform, path: &str, body: &Value) -> Value {
    let (dacs, web) = (platform.neighbour("dacs"), reqwest::Client::builder().no_proxy().build().unwrap());
    let secret = |name: &str| dacs["secret"][name].as_str().unwrap();
    let form = [("grant_type", "client_credentials"), ("scope", secret("scope"))];
    let token = web.post(secret("tokenUrl")).basic_auth(secret("clientId"), Some(secret("clientSecret"))).form(&form);
    let token: Value = serde_json::from_str(&token.send().await.unwrap().text().await.unwrap()).unwrap();
    let url = format!("{}/rest/apis/cross/digitalAssets/{path}", dacs["url"].as_str().unwrap());
    let call = web.post(url).bearer_auth(token["access_token"].as_str().unwrap());
    let call = call.header("content-type", "application/json").body(body.to_string());
    serde_json::from_str(&call.send().await.unwrap().text().await.unwrap()).unwrap()
}

impl Subscription {
    fn of(request: &Value) -> Self {
        let (id, body) = (request["enrollmentId"].as_str().unwrap(), &request["body"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            id: id.to_owned(),
            service_point: text(&body["locationInfo"]["cisServicePointId"]),
            device: (format!("D{}", unique()), text(&body["assetInfo"]["assetList"][0]["nicId"])),
            status: "ACTIVE",
            sync_request: String::new(),
        }
    }

    fn device(&self, status: &str) -> Value {
        json!({"deviceId": self.device.0, "deviceType": "THERMOSTAT", "specification": "ECO-T100",
            "headEndSystem": "HES-NORTH", "nicId": self.device.1, "serialNumber": format!("SN-{}", self.device.0),
            "status": status, "startDateTime": START})
    }

    /// A message about it with these devices, and the sync request that it belongs to.
    fn message(&self, devices: &[Value]) -> (String, Value) {
        let id = sync_request_id();
        let mut subscription = json!({"subscriptionId": self.id, "status": self.status, "programId": "90000001",
            "programCode": "SUMMER-T", "startDateTime": START});
        if self.status == "INACTIVE" {
            subscription["endDateTime"] = json!("2026-08-31T23:59:59-05:00");
        }
        let body = json!({"sendDetails": {"syncRequestId": id, "subscriptionInfo": subscription,
            "locationInfo": {"servicePointId": self.service_point, "controllableDevices": devices}}});
        (id, body)
    }

    /// A row of the extract, under a sync request of its own.
    async fn extract(&mut self, platform: &Platform) -> String {
        self.sync_request = sync_request_id();
        platform.set("dacs/sync-requests", &json!({"ids": [self.sync_request]})).await;
        let (action, end) = match self.status {
            "ACTIVE" => ("ENROLL", ""),
            _ => ("UNENROLL", "2026-08-31T23:59:59-05:00"),
        };
        format!(
            "{},F1IC,{action},{},DR,{},90000001,SUMMER-T,P1,A1,PR1,CSP1,{},{START},{end},2026-07-01T04:30:00-04:00\n",
            self.sync_request, self.id, self.status, self.service_point
        )
    }
}

/// DACS sends a message under a new sync request.
async fn send(platform: &Platform, id: &str, body: &Value) {
    platform.set("dacs/sync-requests", &json!({"ids": [id]})).await;
    let (status, answer) = platform.post_as("dacs", SYNC, body).await;
    assert_eq!(status, 202, "{answer}");
}

async fn answered_at_once(platform: &Platform, subscription: &Subscription) {
    let mut device = subscription.device("ACTIVE");
    device["deviceGroups"] = json!([{"category": "FEEDER", "name": "F-12", "startDateTime": START}]);
    let (id, body) = subscription.message(&[device]);
    send(platform, &id, &body).await;
    becomes(platform, &id, "Synchronized", 30).await;
}

/// The DERMS answers 202, and says later which device its head-end knows.
async fn answered_later(platform: &Platform, subscription: &Subscription) {
    let (id, body) = subscription.message(&[subscription.device("ACTIVE")]);
    platform.set("derms/answers", &json!({"answer": "later", "count": 1, "dacsMessageId": id})).await;
    send(platform, &id, &body).await;
    eventually("the DERMS has taken it to think about", 30, async || {
        (platform.books("derms").await["messages"][&id]["state"] == "awaiting").then_some(())
    })
    .await;
    assert_eq!(sync_request(platform, &id).await["state"], "sent");
    let devices = json!([{"deviceId": subscription.device.0, "registration": "REGISTERED"}]);
    let late = json!({"dacsMessageId": id, "answer": "positive", "devices": devices});
    let late = platform.set("derms/late-acks", &late).await;
    let ack = late.get("body").unwrap_or(&late).clone();
    assert_eq!(platform.post_as("derms", ACK, &ack).await.0, 202, "{ack}");
    becomes(platform, &id, "Synchronized", 30).await;
}

/// The service point is unknown to the DERMS: an Error in DACS, somebody's work. DACS names another one and sends it again.
async fn refused_and_corrected(platform: &Platform, subscription: &Subscription) {
    let (id, mut body) = subscription.message(&[subscription.device("ACTIVE")]);
    let text = format!("service point {} is unknown", subscription.service_point);
    platform.set("derms/answers", &json!({"answer": "error", "text": text, "count": 1, "dacsMessageId": id})).await;
    send(platform, &id, &body).await;
    let failed = becomes(platform, &id, "Error", 30).await;
    assert_eq!(failed["history"][1]["body"]["exceptionInfo"][0]["comments"], text);
    body["sendDetails"]["locationInfo"]["division"] = json!("SOUTH");
    resend_corrected(platform, &body).await;
    becomes(platform, &id, "Synchronized", 30).await;
}

/// DACS's extract reaches OUAI, which acknowledges what it finds in its inbox: all but the last row, and that when DACS
/// sends it in the next extract.
async fn acknowledged_by_analytics(platform: &Platform, id: &str, all: &mut [Subscription]) {
    let unknown = all[2].service_point.clone();
    let refused = extract_and_acknowledge(platform, &format!("ENROLL_SYNC_{id}"), all, Some(&unknown)).await;
    assert_eq!(refused, [all[2].sync_request.clone()]);
    let failed = becomes(platform, &all[2].sync_request, "Error", 60).await;
    let comments = &failed["history"][1]["body"]["exceptionInfo"][0]["comments"];
    assert_eq!(comments, &json!(format!("service point {unknown} is unknown")));
    for subscription in &all[..2] {
        becomes(platform, &subscription.sync_request, "Synchronized", 60).await;
    }
    let again = format!("ENROLL_SYNC_{id}_2");
    assert!(extract_and_acknowledge(platform, &again, &mut all[2..], None).await.is_empty());
    becomes(platform, &all[2].sync_request, "Synchronized", 60).await;
}

/// Sends these subscriptions to OUAI and its acknowledgements back; the sync requests that it refused.
async fn extract_and_acknowledge(
    platform: &Platform,
    name: &str,
    all: &mut [Subscription],
    unknown: Option<&str>,
) -> Vec<String> {
    let mut file = EXTRACT_HEADER.to_owned();
    for subscription in all {
        file.push_str(&subscription.extract(platform).await);
    }
    let sent = platform.drop_file(EXTRACT, &format!("{name}.csv"), file).await;
    let run = platform.settled(EXTRACT, &sent, 60).await;
    assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{:?}", run.reason);

    let arrived = platform.bytes(platform.output("OuaiInboxBucket"), &sent.key).await.unwrap();
    let (mut acks, mut refused) = ("syncRequestId,status,comments\n".to_owned(), Vec::new());
    for row in rows_of(&arrived) {
        let (id, place) = (row["syncRequestId"].clone(), &row["servicePointId"]);
        if unknown == Some(place.as_str()) {
            acks.push_str(&format!("{id},ERROR,service point {place} is unknown\n"));
            refused.push(id);
        } else {
            acks.push_str(&format!("{id},SUCCESS,\n"));
        }
    }
    let acks = platform.drop_file(ACK_FILE, &format!("ACK_{name}.csv"), acks).await;
    let run = platform.settled(ACK_FILE, &acks, 60).await;
    assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{:?}", run.reason);
    refused
}

/// A device breaks and is replaced; the new one belongs to another group. Analytics knows no devices and hears nothing.
async fn replaced(platform: &Platform, subscription: &mut Subscription) {
    let mut old = subscription.device("REMOVED");
    old["endDateTime"] = json!("2026-07-15T10:00:00-05:00");
    let before = std::mem::replace(&mut subscription.device.0, format!("D{}", unique()));
    subscription.device.1.push_str("-new");
    let mut new = subscription.device("ACTIVE");
    new["startDateTime"] = json!("2026-07-15T10:00:00-05:00");
    new["replacesDeviceId"] = json!(before);
    new["deviceGroups"] = json!([{"category": "FEEDER", "name": "F-31", "startDateTime": "2026-07-15T10:00:00-05:00"}]);
    let (id, body) = subscription.message(&[old, new]);
    send(platform, &id, &body).await;
    becomes(platform, &id, "Synchronized", 30).await;
    let book = platform.books("derms").await["subscriptions"][&subscription.id].clone();
    assert_eq!(book["action"], "REPLACE", "{book}");
    let groups = json!([{"category": "FEEDER", "name": "F-31", "startDateTimeISO": "2026-07-15T15:00:00.000Z"}]);
    let devices = &book["body"]["locationInfo"]["controllableDevices"];
    assert_eq!((&devices[0]["status"], &devices[1]["deviceGroups"]), (&json!("REMOVED"), &groups));
}

/// A customer leaves: the DERMS may not call the device any more, and OUAI measures until that day.
async fn left(platform: &Platform, id: &str, subscription: &mut Subscription) {
    subscription.status = "INACTIVE";
    let mut device = subscription.device("REMOVED");
    device["endDateTime"] = json!("2026-08-31T23:59:59-05:00");
    let (sync, body) = subscription.message(&[device]);
    send(platform, &sync, &body).await;
    becomes(platform, &sync, "Synchronized", 30).await;
    let name = format!("ENROLL_SYNC_{id}_3");
    assert!(extract_and_acknowledge(platform, &name, std::slice::from_mut(subscription), None).await.is_empty());
    becomes(platform, &subscription.sync_request, "Synchronized", 60).await;
}

/// DACS's subscriptions, the devices that the DERMS may call, and the last row that OUAI has of each subscription.
async fn agree(platform: &Platform, id: &str, all: &[Subscription]) {
    let active: BTreeSet<_> = all.iter().filter(|it| it.status == "ACTIVE").map(|it| it.id.clone()).collect();
    let devices = platform.books("derms").await["devices"].clone();
    let own = |device: &&Value| all.iter().any(|it| device["subscriptionId"] == it.id.as_str());
    let callable: Vec<_> = devices.as_array().unwrap().iter().filter(own).filter(|it| it["eligible"] == true).collect();
    let at_the_derms: BTreeSet<_> =
        callable.iter().map(|it| it["subscriptionId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(at_the_derms, active, "whose devices the DERMS may call: {devices}");
    for subscription in all.iter().filter(|it| it.status == "ACTIVE") {
        let device = callable.iter().find(|it| it["subscriptionId"] == subscription.id.as_str()).unwrap();
        assert_eq!(
            (&device["deviceId"], &device["nicId"]),
            (&json!(subscription.device.0), &json!(subscription.device.1))
        );
        assert_eq!(device["servicePointId"], json!(subscription.service_point));
    }
    assert_eq!(callable.len(), active.len(), "a replaced device, or one of a customer who left, can still be called");

    let mut last = std::collections::BTreeMap::new();
    for name in [format!("ENROLL_SYNC_{id}"), format!("ENROLL_SYNC_{id}_2"), format!("ENROLL_SYNC_{id}_3")] {
        let key = platform.place(EXTRACT, &format!("{name}.csv")).1;
        let file = platform.bytes(platform.output("OuaiInboxBucket"), &key).await.unwrap();
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(
            all.iter().all(|it| !text.contains(&it.device.0) && !text.contains("nic")),
            "a device reached OUAI: {text}"
        );
        for row in rows_of(&file) {
            last.insert(row["subscriptionId"].clone(), (row["status"].clone(), row["servicePointId"].clone()));
        }
    }
    let wanted = all.iter().map(|it| (it.id.clone(), (it.status.to_owned(), it.service_point.clone())));
    assert_eq!(last, wanted.collect(), "what OUAI has of each subscription");
    for subscription in all {
        assert_eq!(sync_request(platform, &subscription.sync_request).await["state"], "Synchronized");
    }
}
