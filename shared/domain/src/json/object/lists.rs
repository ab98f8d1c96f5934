//! Taking lists.

use std::borrow::Cow;

use super::super::outline::{Shape, Text, grammar_of};
use super::{Found, Json, Need, Object, Place, as_object, text_up_to, wrong_type};

impl<'t> Object<'t, '_> {
    /// A list of objects, each read with `read`; absent is empty. `None` when one of them has a fault, after all were read.
    pub fn objects<T>(&self, name: &'static str, read: impl Fn(&Object<'t, '_>) -> Option<T>) -> Option<Vec<T>> {
        let place = Place::Member(&self.place, name);
        self.tell(name, Need::Optional, Shape::List);
        if self.faults.told.is_some() {
            read(&self.nothing_at(Place::Item(&place, 0)));
        }
        let items = self.list(name)?;
        let mut values = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            values.extend(as_object(item, Place::Item(&place, i), self.faults).and_then(|item| read(&item)));
        }
        (values.len() == items.len()).then_some(values)
    }

    /// A list of texts of 1 to `max` characters; absent is empty. `None` when one of them has a fault, after all were read.
    pub fn texts(&self, name: &'static str, max: usize) -> Option<Vec<&'t str>> {
        self.items(name, text_up_to(max), |item| text_of(item, max))
    }

    /// A list of texts with a grammar of their own, as [`Object::required`] reads one; absent is empty.
    pub fn all<T: Text>(&self, name: &'static str) -> Option<Vec<T>> {
        let parse = |item| text_of(item, usize::MAX)?.parse().map_err(|fault: T::Err| fault.to_string());
        self.items(name, grammar_of::<T>(), parse)
    }

    fn items<T>(
        &self,
        name: &'static str,
        shape: Shape,
        read: impl Fn(&'t Json<'t>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let list = Place::Member(&self.place, name);
        self.tell(name, Need::Optional, Shape::List);
        self.faults.tell(&Place::Item(&list, 0), Need::Required, shape);
        let items = self.list(name)?;
        let mut values = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            match read(item) {
                Ok(value) => values.push(value),
                Err(reason) => self.faults.add(&Place::Item(&list, i), reason),
            }
        }
        (values.len() == items.len()).then_some(values)
    }

    /// The items of a list; absent is empty, and what is no list is noted.
    fn list(&self, name: &'static str) -> Option<&'t [Json<'t>]> {
        match self.found(name) {
            Found::Value(Json::List(items)) => Some(items),
            Found::Value(other) => {
                self.fault(name, wrong_type(other, "a list"));
                None
            }
            Found::Absent => Some(&[]),
            Found::Twice => None,
        }
    }

    /// Notes a fault of member `name` of item `index` of the list `list`, for rules across items.
    pub fn fault_in(&self, list: &'static str, index: usize, name: &'static str, reason: impl Into<Cow<'static, str>>) {
        let list = Place::Member(&self.place, list);
        self.faults.add(&Place::Member(&Place::Item(&list, index), name), reason);
    }
}

/// A text of 1 to `max` characters, or what is wrong with it.
fn text_of<'t>(item: &'t Json<'_>, max: usize) -> Result<&'t str, String> {
    match item {
        Json::Text(text) if text.trim_ascii().is_empty() => Err("is empty".to_owned()),
        Json::Text(text) if text.len() > max && text.chars().count() > max => {
            Err(format!("is longer than {max} characters"))
        }
        Json::Text(text) => Ok(text),
        other => Err(wrong_type(other, "text")),
    }
}
