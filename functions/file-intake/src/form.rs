//! The form of a posted file: one part in JSON, the envelope, and one that is the file. They are told apart by media type,
//! or by the name `envelope`: clients that build forms by hand often name no type.

use bytes::Bytes;
use domain::json::{FieldFault, Problem};
use domain::posted_file::{PostedFile, Subject};
use flow::trigger::HttpRequest;
use futures_util::stream;
use multer::{Field, Multipart, parse_boundary};

use crate::FORM_LIMIT;

const ENVELOPE: &str = "/envelope";
const FILE: &str = "/file";

/// The parts found, the first of each kind.
#[derive(Default)]
struct Parts {
    envelope: Option<Bytes>,
    file: Option<Bytes>,
    faults: Vec<FieldFault>,
}

/// Reads a form: what its envelope says, and the file.
///
/// # Errors
/// 415 when it is no form, 400 with every fault of the form and of the envelope, 413 for an envelope that is too large.
pub(crate) async fn read(subject: Subject, request: &HttpRequest) -> Result<(PostedFile, Bytes), Problem> {
    let boundary = request.content_type.as_deref().and_then(|kind| parse_boundary(kind).ok()).ok_or_else(no_form)?;
    let body = stream::iter([Ok::<_, std::convert::Infallible>(request.body.clone())]);
    let mut form = Multipart::new(body, boundary);
    let Parts { envelope, file: content, mut faults } = parts(&mut form).await?;
    for (part, pointer) in [(&envelope, ENVELOPE), (&content, FILE)] {
        if part.is_none() {
            faults.push(fault(pointer, "is required"));
        }
    }
    let file = envelope.and_then(|envelope| match PostedFile::posted(subject, &envelope) {
        Ok(file) => Some(Ok(file)),
        Err(problem) if problem.status == 400 => {
            faults.extend(problem.errors.into_iter().map(within_envelope));
            None
        }
        Err(problem) => Some(Err(problem)),
    });
    match (file, content) {
        (Some(Ok(file)), Some(content)) if faults.is_empty() => Ok((file, content)),
        (Some(Err(problem)), _) => Err(problem),
        _ => Err(Problem::invalid(faults)),
    }
}

async fn parts(form: &mut Multipart<'_>) -> Result<Parts, Problem> {
    let mut parts = Parts::default();
    while let Some(field) = form.next_field().await.map_err(|_| broken())? {
        let (place, pointer) =
            if is_envelope(&field) { (&mut parts.envelope, ENVELOPE) } else { (&mut parts.file, FILE) };
        let known = place.is_some();
        let bytes = field.bytes().await.map_err(|_| broken())?;
        place.get_or_insert(bytes);
        if known {
            parts.faults.push(fault(pointer, "occurs more than once"));
        }
    }
    Ok(parts)
}

fn is_envelope(field: &Field<'_>) -> bool {
    let json = field.content_type().is_some_and(|kind| kind.essence_str() == "application/json");
    json || field.name() == Some("envelope")
}

fn within_envelope(fault: FieldFault) -> FieldFault {
    FieldFault { pointer: format!("{ENVELOPE}{}", fault.pointer), ..fault }
}

fn fault(pointer: &str, reason: &'static str) -> FieldFault {
    FieldFault { pointer: pointer.to_owned(), reason: reason.into() }
}

/// The parser's own words may hold what the sender wrote.
fn broken() -> Problem {
    Problem::invalid(vec![fault("", "is no form, or breaks off in the middle")])
}

fn no_form() -> Problem {
    Problem {
        kind: "urn:problem:not-a-form",
        title: "The request is no form",
        status: 415,
        detail:
            "Its Content-Type must be multipart/form-data with a boundary: one part in JSON, the envelope, and one \
                 that is the file."
                .into(),
        errors: Vec::new(),
    }
}

/// 413, and how to bring a larger file.
pub(crate) fn too_large(subject: Subject) -> Problem {
    let subject = subject.as_str();
    Problem {
        kind: "urn:problem:message-too-large",
        title: "The form is too large",
        status: 413,
        detail: format!(
            "A form may have {FORM_LIMIT} bytes; nothing of it was taken. Files up to 5 GB are uploaded: post the \
             envelope alone, as JSON with a messageId, to /v1/derms/{subject}/uploads, then PUT the file to the url of \
             the answer with exactly the headers of the answer, before it expires."
        )
        .into(),
        errors: Vec::new(),
    }
}
