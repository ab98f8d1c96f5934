//! What requests, and things that are there, cost: AWS's list prices of us-east-1, on demand, as its pricing pages of each
//! service said them in January 2026, without any free tier. S3, DynamoDB, SQS, SNS, Secrets Manager, API Gateway (HTTP
//! APIs), Lambda (arm64), CloudWatch, KMS, Cognito (machine to machine): aws.amazon.com/<service>/pricing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::decimals;

/// A millionth of a millionth of a dollar.
pub type Pico = u128;

/// A dollar.
pub const DOLLAR: Pico = 1_000_000_000_000;

/// A resource of the template, for a month in which nothing comes to it. What it is asked for is another matter.
const A_MONTH: [(&str, Pico); 26] = [
    ("AWS::CloudWatch::Alarm", DOLLAR / 10),
    ("AWS::CloudWatch::Dashboard", 3 * DOLLAR),
    ("AWS::KMS::Key", DOLLAR),
    // For each client that gets its tokens by its own credentials.
    ("AWS::Cognito::UserPoolClient", 6 * DOLLAR),
    ("AWS::ApiGatewayV2::Api", 0),
    ("AWS::ApiGatewayV2::Authorizer", 0),
    ("AWS::ApiGatewayV2::Integration", 0),
    ("AWS::ApiGatewayV2::Route", 0),
    ("AWS::ApiGatewayV2::Stage", 0),
    ("AWS::Cognito::UserPool", 0),
    ("AWS::Cognito::UserPoolDomain", 0),
    ("AWS::Cognito::UserPoolResourceServer", 0),
    ("AWS::DynamoDB::Table", 0),
    ("AWS::IAM::Role", 0),
    ("AWS::Lambda::EventSourceMapping", 0),
    ("AWS::Lambda::Permission", 0),
    ("AWS::Logs::LogGroup", 0),
    ("AWS::S3::Bucket", 0),
    ("AWS::S3::BucketPolicy", 0),
    ("AWS::SNS::Subscription", 0),
    ("AWS::SNS::Topic", 0),
    ("AWS::SNS::TopicPolicy", 0),
    ("AWS::SQS::Queue", 0),
    ("AWS::SQS::QueuePolicy", 0),
    ("AWS::Serverless::Function", 0),
    ("AWS::Events::Rule", 0),
];

/// What a resource of this type costs in a month in which nothing comes to it, if that is known.
#[must_use]
pub fn a_month(kind: &str) -> Option<Pico> {
    A_MONTH.iter().find(|(name, _)| *name == kind).map(|(_, price)| *price)
}

/// By the beginning of the operation's name; the first that fits counts.
const PRICES: [(&str, Pico); 14] = [
    ("S3.GetObject", 400_000),
    ("S3.HeadObject", 400_000),
    ("S3.", 5_000_000),
    ("DynamoDB write units", 625_000),
    ("DynamoDB read units", 125_000),
    // Its requests cost what they read and write.
    ("DynamoDB.", 0),
    // A poll of a standard queue, by Lambda.
    ("AmazonSQS.ReceiveMessage, standard", 400_000),
    // FIFO; a standard queue costs a fifth less.
    ("AmazonSQS.", 500_000),
    ("SNS.", 500_000),
    ("secretsmanager.", 5_000_000),
    ("HTTP API request", 1_000_000),
    ("Lambda request", 200_000),
    // Of 256 MB, arm64.
    ("Lambda millisecond", 3_333),
    ("", 0),
];

/// The price of these requests.
#[must_use]
pub fn of(counts: &BTreeMap<String, u64>) -> Pico {
    counts.iter().map(|(operation, count)| price(operation) * u128::from(*count)).sum()
}

fn price(operation: &str) -> Pico {
    PRICES.iter().find(|(name, _)| operation.starts_with(name)).map_or(0, |(_, price)| *price)
}

/// Adds what Lambda takes for being there: one request, and so much time of 256 MB.
pub fn add_lambda(counts: &mut BTreeMap<String, u64>, requests: u64, time: Duration) {
    counts.insert("Lambda request".to_owned(), requests);
    counts.insert("Lambda millisecond".to_owned(), u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
}

/// `$0.12`, for a million of `units`.
#[must_use]
pub fn per_million(price: Pico, units: u64) -> (Pico, String) {
    let micro = price / u128::from(units.max(1));
    (micro, format!("${}", if micro < 10_000 { six_digits(micro) } else { decimals(micro, 1_000_000) }))
}

/// `$12.34`.
#[must_use]
pub fn dollars(price: Pico) -> String {
    format!("${}", decimals(price, DOLLAR))
}

fn six_digits(micro: Pico) -> String {
    format!("0.{micro:06}")
}

/// What each operation that costs anything was asked for, for one of `units`, and costs for a million.
#[must_use]
pub fn itemised(counts: &BTreeMap<String, u64>, units: u64) -> String {
    let items: Vec<String> = counts
        .iter()
        .filter(|(operation, count)| price(operation) * u128::from(**count) >= u128::from(units))
        .map(|(operation, count)| {
            let each = decimals(u128::from(*count), units.max(1).into());
            let (_, cost) = per_million(price(operation) * u128::from(*count), units);
            format!("{operation} {each} ({cost})")
        })
        .collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_messages_cost_a_million_times_one() {
        let counts = BTreeMap::from([("AmazonSQS.SendMessage".to_owned(), 1), ("DynamoDB write units".to_owned(), 2)]);
        assert_eq!(of(&counts), 1_750_000);
        assert_eq!(per_million(of(&counts), 1).1, "$1.75");
        assert_eq!(per_million(of(&counts), 1_000).1, "$0.001750");
    }
}
