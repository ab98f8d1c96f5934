//! S3, path style: reading with ranges and versions, writing in one call or in parts.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::objects::{Object, Objects, Stored};
use super::{Aws, form, locked, plain, xml};

type Fields = BTreeMap<String, String>;

struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
}

pub(super) fn serve(aws: &Aws, request: &Parts, body: Bytes) -> (String, Response) {
    let path = percent_encoding::percent_decode_str(request.uri.path()).decode_utf8_lossy();
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let place = Place { bucket, key };
    let query = form::read(request.uri.query().unwrap_or_default());
    let mut objects = locked(&aws.objects);
    let upload = query.get("uploadId").map(String::as_str);
    let (operation, response) = match (&request.method, upload) {
        (&Method::HEAD, _) => ("HeadObject", head(&objects, &place, &query)),
        (&Method::GET, None) => ("GetObject", get(&objects, &place, &query, &request.headers)),
        (&Method::GET, Some(id)) => ("ListParts", list_parts(&objects, id)),
        (&Method::PUT, None) => {
            let stored = objects.kept(bucket, body);
            let version = objects.put(bucket, key, stored, metadata(&request.headers));
            ("PutObject", with(plain(StatusCode::OK, ""), &[("etag", "\"1\""), ("x-amz-version-id", &version)]))
        }
        (&Method::PUT, Some(id)) => put_part(&mut objects, &place, id, (&query, &request.headers), body),
        (&Method::POST, None) => ("CreateMultipartUpload", begin(&mut objects, &request.headers)),
        (&Method::POST, Some(id)) => ("CompleteMultipartUpload", complete(&mut objects, &place, id)),
        _ => ("Unknown", fault(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
    };
    (format!("S3.{operation}"), response)
}

fn head(objects: &Objects, place: &Place<'_>, query: &Fields) -> Response {
    let version = query.get("versionId").map(String::as_str);
    match objects.get(place.bucket, place.key, version) {
        Some((version, object)) => described(Body::empty(), object, &version, object.stored.size()),
        None => plain(StatusCode::NOT_FOUND, ""),
    }
}

fn get(objects: &Objects, place: &Place<'_>, query: &Fields, headers: &HeaderMap) -> Response {
    let version = query.get("versionId").map(String::as_str);
    let Some((version, object)) = objects.get(place.bucket, place.key, version) else {
        return fault(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    let size = object.stored.size();
    let range = headers.get("range").and_then(|range| range.to_str().ok());
    let (from, to) = range.map_or((0, size), |range| span(range, size));
    if from >= size && range.is_some() {
        return fault(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
    }
    let body = match &object.stored {
        Stored::Made(content) => {
            let (mut at, furthest) = (from, Arc::clone(&objects.furthest));
            locked(&objects.starts).push(from);
            let pieces = Arc::clone(content).range(from, to).inspect(move |piece| {
                at += u64::try_from(piece.len()).unwrap_or(0);
                furthest.fetch_max(at, Ordering::Relaxed);
            });
            Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))
        }
        other => match other.bytes() {
            Some(bytes) => Body::from(Bytes::from(bytes).slice(index(from)..index(to))),
            None => return fault(StatusCode::NOT_IMPLEMENTED, "NotKept"),
        },
    };
    let mut response = described(body, object, &version, to - from);
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response = with(response, &[("content-range", &format!("bytes {from}-{}/{size}", to.saturating_sub(1)))]);
    }
    response
}

/// `bytes=from-` or `bytes=from-last`, as from and end.
fn span(range: &str, size: u64) -> (u64, u64) {
    let (from, last) = range.trim_start_matches("bytes=").split_once('-').unwrap_or_default();
    let end = last.parse::<u64>().map_or(size, |last| size.min(last.saturating_add(1)));
    (from.parse().unwrap_or(0), end)
}

fn begin(objects: &mut Objects, headers: &HeaderMap) -> Response {
    let id = objects.begin(metadata(headers));
    let body = format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
    xml(StatusCode::OK, body)
}

fn put_part(
    objects: &mut Objects,
    place: &Place<'_>,
    id: &str,
    (query, headers): (&Fields, &HeaderMap),
    body: Bytes,
) -> (&'static str, Response) {
    let number: u32 = query.get("partNumber").and_then(|number| number.parse().ok()).unwrap_or(0);
    let source = headers.get("x-amz-copy-source").and_then(|source| source.to_str().ok());
    let (operation, stored) = match source {
        None => ("UploadPart", Ok(objects.kept(place.bucket, body))),
        Some(source) => ("UploadPartCopy", copied(objects, source, headers)),
    };
    let response = match (stored, objects.uploads.get_mut(id)) {
        (Err((status, code)), _) => fault(status, code),
        (Ok(_), None) => fault(StatusCode::NOT_FOUND, "NoSuchUpload"),
        (Ok(stored), Some(upload)) => {
            upload.parts.insert(number, stored);
            let copy = format!("<CopyPartResult><ETag>\"{number}\"</ETag></CopyPartResult>");
            let body = if source.is_some() { copy } else { String::new() };
            with(xml(StatusCode::OK, body), &[("etag", &format!("\"{number}\""))])
        }
    };
    (operation, response)
}

fn copied(objects: &Objects, source: &str, headers: &HeaderMap) -> Result<Stored, (StatusCode, &'static str)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (path, query) = source.split_once('?').unwrap_or((source, ""));
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let query = form::read(query);
    let version = query.get("versionId").map(String::as_str);
    let Some((_, object)) = objects.get(bucket, key, version) else {
        return Err((StatusCode::NOT_FOUND, "NoSuchKey"));
    };
    if object.etag != header("x-amz-copy-source-if-match") {
        return Err((StatusCode::PRECONDITION_FAILED, "PreconditionFailed"));
    }
    let (from, to) = span(header("x-amz-copy-source-range"), object.stored.size());
    Ok(Stored::Copied { etag: object.etag.clone(), from, len: to.saturating_sub(from) })
}

fn list_parts(objects: &Objects, id: &str) -> Response {
    let Some(upload) = objects.uploads.get(id) else {
        return fault(StatusCode::NOT_FOUND, "NoSuchUpload");
    };
    let part = |number: &u32| format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{number}\"</ETag></Part>");
    let parts: String = upload.parts.keys().map(part).collect();
    let body = format!("<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>");
    xml(StatusCode::OK, body)
}

fn complete(objects: &mut Objects, place: &Place<'_>, id: &str) -> Response {
    let Some(upload) = objects.uploads.remove(id) else {
        return fault(StatusCode::NOT_FOUND, "NoSuchUpload");
    };
    let parts = upload.parts.into_values().collect();
    objects.put(place.bucket, place.key, Stored::Joined(parts), upload.metadata);
    let body = "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>";
    xml(StatusCode::OK, body)
}

fn described(body: Body, object: &Object, version: &str, length: u64) -> Response {
    let written = DateTimePrinter::new().timestamp_to_rfc9110_string(&object.written).unwrap_or_default();
    let mut response = plain(StatusCode::OK, body);
    response = with(
        response,
        &[
            ("etag", &object.etag),
            ("x-amz-version-id", version),
            ("last-modified", &written),
            ("content-length", &length.to_string()),
        ],
    );
    for (name, value) in &object.metadata {
        response = with(response, &[(&format!("x-amz-meta-{name}"), value)]);
    }
    response
}

fn metadata(headers: &HeaderMap) -> Fields {
    headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-amz-meta-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

fn with(mut response: Response, headers: &[(&str, &str)]) -> Response {
    for (name, value) in headers {
        let name = axum::http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn fault(status: StatusCode, code: &str) -> Response {
    xml(status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
