//! What the emulator never does: answers as DynamoDB gives them under load.

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};

use super::*;
use crate::neighbour::{Neighbour, answer};

fn table(neighbour: &Neighbour) -> DynamoTable {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(&neighbour.url)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build();
    DynamoTable { client: Client::from_conf(config), table: "ledger".to_owned() }
}

fn key(sort: &str) -> Key {
    Key { partition: "flow#1".to_owned(), sort: sort.to_owned() }
}

fn put(sort: &str) -> Write {
    Write::Put { key: key(sort), body: "{}".to_owned(), seen: None, expires: None }
}

/// An item as DynamoDB writes it.
fn stored(sort: &str) -> String {
    format!(r#"{{"pk":{{"S":"flow#1"}},"sk":{{"S":"{sort}"}},"rev":{{"N":"4"}},"body":{{"S":"{{}}"}}}}"#)
}

fn unread(sort: &str) -> String {
    format!(r#"{{"ledger":{{"ConsistentRead":true,"Keys":[{{"pk":{{"S":"flow#1"}},"sk":{{"S":"{sort}"}}}}]}}}}"#)
}

#[tokio::test]
async fn keys_that_were_left_unread_are_asked_for_again() {
    let neighbour = Neighbour::answering(|_, number| {
        let (sort, rest) = if number == 1 { ("a", unread("b")) } else { ("b", "{}".to_owned()) };
        let body = format!(r#"{{"Responses":{{"ledger":[{}]}},"UnprocessedKeys":{rest}}}"#, stored(sort));
        answer(200, "", &body)
    })
    .await;
    let items = table(&neighbour).get(&[key("a"), key("b"), key("a")]).await.unwrap();
    let item = |sort| Some(Item { key: key(sort), rev: 4, body: "{}".to_owned() });
    assert_eq!(items, [item("a"), item("b"), item("a")]);
    let asked: Vec<usize> =
        neighbour.seen.lock().unwrap().iter().map(|seen| seen.text.matches(r#""sk""#).count()).collect();
    assert_eq!(asked, [2, 1]);
}

#[tokio::test]
async fn keys_that_stay_unread_are_transient() {
    let neighbour = Neighbour::answering(|_, _| {
        answer(200, "", &format!(r#"{{"Responses":{{}},"UnprocessedKeys":{}}}"#, unread("a")))
    })
    .await;
    let fault = table(&neighbour).get(&[key("a"), key("b")]).await.unwrap_err();
    assert_eq!(fault.chain(), "reading several items of the ledger: 1 were left unread");
    assert_eq!(neighbour.lines().len(), BATCH_WAITS.len());
}

async fn canceled(reasons: [&str; 2]) -> CommitError {
    let [first, second] = reasons;
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons":[{{"Code":"{first}"}},{{"Code":"{second}"}}],"Message":"canceled"}}"#
    );
    let neighbour = Neighbour::answering(move |_, _| answer(400, "", &body)).await;
    table(&neighbour).commit(&[put("a"), put("b")]).await.unwrap_err()
}

#[tokio::test]
async fn a_transaction_is_in_conflict_when_an_item_was_or_is_being_written() {
    for reasons in [["ConditionalCheckFailed", "None"], ["None", "TransactionConflict"]] {
        assert!(matches!(canceled(reasons).await, CommitError::Conflict), "{reasons:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_was_throttled_is_transient() {
    for reasons in [["ThrottlingError", "None"], ["None", "ProvisionedThroughputExceeded"]] {
        assert!(matches!(canceled(reasons).await, CommitError::Transient(_)), "{reasons:?}");
    }
}

#[tokio::test]
async fn a_single_write_beside_a_transaction_is_in_conflict() {
    for name in ["ConditionalCheckFailedException", "TransactionConflictException"] {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{name}","message":"no"}}"#);
        let neighbour = Neighbour::answering(move |_, _| answer(400, "", &body)).await;
        let refused = table(&neighbour).commit(&[put("a")]).await.unwrap_err();
        assert!(matches!(refused, CommitError::Conflict), "{name}");
    }
}
