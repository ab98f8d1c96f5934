//! What a reader asks for, without a message: the published contract and the schemas in `events/` are made of it, so that
//! they say what the doors read and cannot say anything else.
//!
//! ```text
//! outline(|document| Message::from_document(document)) ─▶ /sendDetails               object, required
//!                                                         /sendDetails/syncRequestId id of at most 14, required
//!                                                         /sendDetails/devices/0/…   of each item
//! ```
//!
//! A reader is run over a message that has nothing. It takes its members first and builds its value then, as
//! [`Object`](super::Object) asks of it, so it asks for all of them. What it decides *between* members is not seen.

use std::fmt::Display;
use std::str::FromStr;

use super::{Document, Problem};

/// A text with a grammar of its own: how it is read, and how a schema says so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how a schema describes it",
    note = "add `impl Text for {Self} {{ const GRAMMAR: Grammar = Grammar::Codes(&[…]); }}` beside its `FromStr`"
)]
pub trait Text: FromStr<Err: Display> {
    /// What a schema says of it.
    const GRAMMAR: Grammar;
}

/// What a schema says of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// An identifier, by the rules of [`crate::ids`].
    Id {
        /// The type's name.
        name: &'static str,
        /// Its longest, in characters.
        max: usize,
        /// What it identifies.
        about: &'static str,
    },
    /// One of these.
    Codes(&'static [&'static str]),
    /// Anything else.
    Like {
        /// The type's name.
        name: &'static str,
        /// A regular expression of ECMA 262 that every good one matches.
        pattern: &'static str,
        /// What it is.
        about: &'static str,
    },
}

/// What a member holds.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Text that is not blank, of so many characters at most.
    Text {
        /// No limit but the message's own if nothing.
        max: Option<usize>,
    },
    /// Text with a grammar.
    Grammar {
        /// How a schema says it.
        grammar: Grammar,
        /// How it is read: nothing when it is good, else why not.
        fault: fn(&str) -> Option<String>,
    },
    /// A whole number of 64 bits.
    Integer,
    /// A number of things: a whole number that is not negative.
    Count {
        /// At most so many.
        max: u64,
    },
    /// An object; its members follow.
    Object,
    /// A list; what each item holds follows as its item 0.
    List,
}

/// One thing that was asked for.
#[derive(Debug, Clone)]
pub struct Told {
    /// Where: an RFC 6901 pointer, in which every item of a list is item 0. What is told last of a place holds.
    pub pointer: String,
    /// Whether it must be there. If not, `null` is the absent member, and so is blank text.
    pub required: bool,
    /// What it holds.
    pub shape: Shape,
}

/// What `read` asks for, in its order.
pub fn outline<T>(read: impl FnOnce(&Document<'_>) -> Result<T, Problem>) -> Vec<Told> {
    let document = Document::nothing();
    drop(read(&document));
    document.told()
}

/// How `T` is described and read.
pub(super) fn grammar_of<T: Text>() -> Shape {
    Shape::Grammar { grammar: T::GRAMMAR, fault: |text| text.parse::<T>().err().map(|fault| fault.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derms_message::DermsMessage;
    use crate::enrollment_sync::EnrollmentSync;
    use crate::ids::{DeviceId, SyncRequestId};
    use crate::json::Object;
    use crate::msg_ack::ResponseCode;

    fn read(object: &Object<'_, '_>) -> Option<u32> {
        let id = object.required::<SyncRequestId>("id");
        let devices = object.objects("devices", |device| {
            let id = device.optional::<DeviceId>("deviceId");
            let code = device.required_object("state", |state| state.required::<ResponseCode>("code"));
            Some((id, code?))
        });
        let names = object.texts("names", 20);
        let count = object.count("count");
        id.zip(devices?.first().map(|_| names.map_or(0, |_| count.unwrap_or(0)))).map(|(_, count)| count)
    }

    fn line(told: &Told) -> String {
        let need = if told.required { " required" } else { "" };
        let shape = match told.shape {
            Shape::Text { max } => format!("text {max:?}"),
            Shape::Grammar { grammar: Grammar::Id { name, .. } | Grammar::Like { name, .. }, .. } => name.to_owned(),
            Shape::Grammar { grammar: Grammar::Codes(codes), .. } => codes.join("|"),
            other => format!("{other:?}"),
        };
        format!("{} {shape}{need}", told.pointer)
    }

    #[test]
    fn every_member_that_is_asked_for_is_told_also_within_objects_and_lists() {
        let lines: Vec<_> = outline(|document| document.read(read)).iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "/id SyncRequestId required",
                "/devices List",
                "/devices/0/deviceId DeviceId",
                "/devices/0/state Object required",
                "/devices/0/state/code SUCCESS|ERROR|FAILURE required",
                "/names List",
                "/names/0 text Some(20) required",
                "/count Integer",
                "/count Count { max: 9223372036854775807 }",
                "/count Count { max: 4294967295 }",
            ]
        );
    }

    #[test]
    fn a_message_is_told_by_its_own_reader() {
        let told = outline(EnrollmentSync::from_document);
        let found = |pointer: &str| told.iter().find(|told| told.pointer == pointer).map(line).unwrap_or_default();
        assert_eq!(found("/sendDetails/action"), "/sendDetails/action ENROLL|UNENROLL|REPLACE");
        let group = "/sendDetails/locationInfo/controllableDevices/0/deviceGroups/0/category";
        assert_eq!(found(group), format!("{group} text Some(254) required"));
    }

    #[test]
    fn a_grammar_knows_how_its_text_is_read() {
        let told = outline(|document| document.read(|object| object.required::<ResponseCode>("code")));
        let Shape::Grammar { fault, .. } = told[0].shape else { panic!("{told:?}") };
        assert_eq!(fault("ERROR"), None);
        assert_eq!(fault("MAYBE").as_deref(), Some("is not one of SUCCESS, ERROR, FAILURE"));
    }
}
