use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use flow::Transient;
use flow::trigger::{HttpReply, Reply};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

/// A reply as Lambda takes it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Wire {
    Http(Box<ApiGatewayV2httpResponse>),
    Batch(SqsBatchResponse),
}

/// Every answer to a request carries its correlation id.
pub(super) fn wire(reply: Reply, correlation: &str) -> Result<Wire, Transient> {
    match reply {
        Reply::Http(reply) => Ok(Wire::Http(Box::new(http(reply, correlation)?))),
        Reply::Batch { failed } => {
            let mut response = SqsBatchResponse::default();
            response.batch_item_failures = failed.into_iter().map(failure).collect();
            Ok(Wire::Batch(response))
        }
    }
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}

fn http(reply: HttpReply, correlation: &str) -> Result<ApiGatewayV2httpResponse, Transient> {
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|fault| Transient::because("writing a header of an answer", fault))
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(HeaderName::from_static("x-correlation-id"), value(correlation)?);
    for (name, text) in &reply.headers {
        headers.insert(HeaderName::from_static(name), value(text)?);
    }
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(reply.status);
    response.headers = headers;
    response.body = Some(Body::Text(reply.body));
    Ok(response)
}
