//! `infra/template.yaml` as data. CloudFormation's short forms become their long ones: `!Ref X` is `{"Ref": "X"}`,
//! `!GetAtt X.Arn` is `{"Fn::GetAtt": "X.Arn"}`.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::repo;

/// The template.
#[derive(Debug, Clone)]
pub struct Template {
    /// As it is written, for comments.
    pub text: String,
    /// All of it.
    pub document: Value,
}

/// One resource.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// Its logical name.
    pub name: &'a str,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: &'a str,
    /// All of it.
    pub whole: &'a Value,
}

impl<'a> Resource<'a> {
    /// A value by its path below `Properties`; null when it is not there.
    #[must_use]
    pub fn property(&self, path: &str) -> &'a Value {
        self.whole.pointer(&format!("/Properties/{path}")).unwrap_or(&Value::Null)
    }

    /// A text by its path below `Properties`, an intrinsic function's argument included: `!Sub a` is `a`.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&'a str> {
        plain(self.property(path))
    }
}

impl Template {
    /// Reads it.
    ///
    /// # Panics
    /// When it is not YAML.
    #[must_use]
    pub fn read() -> Self {
        let text = repo::text("infra/template.yaml");
        let documents = Yaml::load_from_str(&text).unwrap_or_else(|fault| panic!("infra/template.yaml: {fault}"));
        let document = documents.first().map(value).unwrap_or_default();
        Self { text, document }
    }

    /// Every resource, in order of names.
    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        let resources = self.document.pointer("/Resources").and_then(Value::as_object);
        resources.into_iter().flatten().map(|(name, whole)| Resource {
            name,
            kind: whole.pointer("/Type").and_then(Value::as_str).unwrap_or_default(),
            whole,
        })
    }

    /// The resources of one type.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Resource<'a>> {
        self.resources().filter(move |resource| resource.kind == kind)
    }

    /// The resource of a logical name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<Resource<'_>> {
        self.resources().find(|resource| resource.name == name)
    }

    /// The resource of `kind` whose `property` is this text.
    #[must_use]
    pub fn find(&self, kind: &str, property: &str, text: &str) -> Option<Resource<'_>> {
        self.resources().find(|resource| resource.kind == kind && resource.text(property) == Some(text))
    }
}

/// The logical name that `!Ref X`, `!GetAtt X.Arn` or `!Sub ${X.Arn}/…` points to.
#[must_use]
pub fn target(value: &Value) -> Option<&str> {
    if let Some(name) = value.get("Ref") {
        return name.as_str();
    }
    if let Some(attribute) = value.get("Fn::GetAtt") {
        return attribute.as_str()?.split('.').next();
    }
    let (_, rest) = value.get("Fn::Sub")?.as_str()?.split_once("${")?;
    rest.split(['.', '}']).next()
}

/// The text of a scalar, or of the only argument of an intrinsic function.
#[must_use]
pub fn plain(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(function) if function.len() == 1 => function.values().next().and_then(Value::as_str),
        _ => None,
    }
}

/// One value or a list of them, as a list: IAM lets both stand.
pub fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Value::Array(list) => (list.as_slice(), None),
        Value::Null => (&[][..], None),
        one => (&[][..], Some(one)),
    };
    list.iter().chain(one)
}

fn value(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(scalar) => scalar_value(scalar),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(pairs) => {
            pairs.iter().map(|(key, node)| (key_text(key), value(node))).collect::<Map<_, _>>().into()
        }
        Yaml::Tagged(tag, node) => {
            let name = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ name: value(node) })
        }
        other => panic!("infra/template.yaml has something unexpected: {other:?}"),
    }
}

fn scalar_value(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(truth) => json!(truth),
        Scalar::Integer(number) => json!(number),
        Scalar::FloatingPoint(number) => json!(number.to_string()),
        Scalar::String(text) => json!(text),
    }
}

fn key_text(key: &Yaml<'_>) -> String {
    match value(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
