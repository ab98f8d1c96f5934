//! From what a reader asks for to a JSON Schema, by the rules that all readers share (`domain::json`): members that are
//! not known are ignored; `null` is the absent member, and so is optional text that is blank.

use std::collections::BTreeMap;

use domain::json::{Grammar, Shape, Told};
use serde_json::Value;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

/// Text that is not blank; its white space is ASCII's, as the readers trim it.
const NOT_BLANK: &str = "[^ \\t\\n\\f\\r]";
/// Neither begins nor ends with white space, holds no control character (`domain::ids`).
const ID: &str =
    "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]([^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f])?$";
/// The name of the schema of what counts as an absent text.
const ABSENT: &str = "Absent";

/// A schema, and the named ones that it refers to.
pub(crate) type Named = BTreeMap<String, RefOr<Schema>>;

/// What is told of a place, and of the places below it.
#[derive(Default)]
struct Place<'t> {
    told: Option<&'t Told>,
    below: BTreeMap<&'t str, Place<'t>>,
}

/// The schema of a message whose reader asks for this; `notes` say more of a place, by its pointer.
pub(crate) fn of(told: &[Told], notes: &[(&str, &str)], named: &mut Named) -> RefOr<Schema> {
    let mut root = Place::default();
    for one in told {
        let mut place = &mut root;
        // The root of a message that is a list is told too, by the empty pointer.
        for name in one.pointer.split('/').skip(1) {
            place = place.below.entry(name).or_default();
        }
        place.told = Some(one);
    }
    let mut making = Making { notes, named };
    match root.told {
        Some(told) => making.member(told, &root),
        None => making.object(&root, "", true).build().into(),
    }
}

struct Making<'m> {
    notes: &'m [(&'m str, &'m str)],
    named: &'m mut Named,
}

impl Making<'_> {
    fn object(&mut self, place: &Place<'_>, pointer: &str, required: bool) -> ObjectBuilder {
        let mut object =
            ObjectBuilder::new().schema_type(or_null(Type::Object, required)).description(self.note(pointer));
        for (name, below) in &place.below {
            let Some(told) = below.told else { continue };
            if told.required {
                object = object.required(*name);
            }
            object = object.property(*name, self.member(told, below));
        }
        object
    }

    fn member(&mut self, told: &Told, place: &Place<'_>) -> RefOr<Schema> {
        match told.shape {
            Shape::Object => self.object(place, &told.pointer, told.required).build().into(),
            Shape::List => {
                let items = place.below.get("0").map_or_else(RefOr::default, |item| self.item(item, &told.pointer));
                let list = ArrayBuilder::new().schema_type(or_null(Type::Array, told.required));
                list.description(self.note(&told.pointer)).items(items).build().into()
            }
            Shape::Integer => self.number(told, None),
            Shape::Count { max } => self.number(told, Some(max)),
            Shape::Text { max } => self.optional(text(max), told),
            Shape::Grammar { grammar, .. } => {
                let schema = self.grammar(grammar);
                self.optional(schema, told)
            }
        }
    }

    fn item(&mut self, item: &Place<'_>, list: &str) -> RefOr<Schema> {
        match item.told {
            Some(told) => self.member(told, item),
            None => self.object(item, &format!("{list}/0"), true).build().into(),
        }
    }

    fn number(&self, told: &Told, max: Option<u64>) -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(or_null(Type::Integer, told.required));
        let number = number.description(self.note(&told.pointer));
        let number = match max {
            // More than 32 bits only say that it fits into 64.
            Some(max) => number.minimum(Some(0_u64)).maximum(Some(max)),
            None => number,
        };
        number.build().into()
    }

    /// Text that may be absent may also be `null` or blank.
    fn optional(&mut self, schema: RefOr<Schema>, told: &Told) -> RefOr<Schema> {
        let note = self.note(&told.pointer);
        if told.required {
            return match (schema, note) {
                (RefOr::Ref(mut reference), Some(note)) => {
                    reference.description = note;
                    reference.into()
                }
                (RefOr::T(Schema::Object(mut text)), note @ Some(_)) => {
                    text.description = note;
                    text.into()
                }
                (schema, _) => schema,
            };
        }
        self.named.entry(ABSENT.to_owned()).or_insert_with(absent);
        let either = AnyOfBuilder::new().schema_type(SchemaType::AnyValue).description(note);
        either.item(schema).item(Ref::from_schema_name(ABSENT)).into()
    }

    fn grammar(&mut self, grammar: Grammar) -> RefOr<Schema> {
        let (name, schema) = match grammar {
            Grammar::Codes(codes) => {
                return ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(codes.iter().copied()))
                    .build()
                    .into();
            }
            Grammar::Id { name, max, about } => {
                let id = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
                (name, id.min_length(Some(1)).max_length(Some(max)).pattern(Some(ID)))
            }
            Grammar::Like { name, pattern, about } => {
                (name, ObjectBuilder::new().schema_type(Type::String).description(Some(about)).pattern(Some(pattern)))
            }
        };
        self.named.entry(name.to_owned()).or_insert_with(|| schema.build().into());
        Ref::from_schema_name(name).into()
    }

    fn note(&self, pointer: &str) -> Option<String> {
        self.notes.iter().find(|(at, _)| *at == pointer).map(|(_, note)| (*note).to_owned())
    }
}

fn or_null(kind: Type, required: bool) -> SchemaType {
    if required { kind.into() } else { SchemaType::from_iter([kind, Type::Null]) }
}

fn text(max: Option<usize>) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(max);
    text.pattern(Some(NOT_BLANK)).build().into()
}

fn absent() -> RefOr<Schema> {
    let blank = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[ \\t\\n\\f\\r]*$"));
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let either = AnyOfBuilder::new().schema_type(SchemaType::AnyValue);
    either.description(Some("What counts as an absent text")).item(null).item(blank).into()
}

/// The same schema, its references leading to `#/$defs/`, as a document of its own has them.
pub(crate) fn standing_alone(schema: Value) -> Value {
    match schema {
        Value::String(text) => text.replacen("#/components/schemas/", "#/$defs/", 1).into(),
        Value::Array(items) => items.into_iter().map(standing_alone).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, standing_alone(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}
