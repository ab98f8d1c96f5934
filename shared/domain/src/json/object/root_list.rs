//! A message that is a list of objects at its root.

use std::borrow::Cow;

use super::{Faults, Json, Need, Object, Place, Problem, as_object, wrong_type};
use crate::json::outline::{Shape, Told};

/// The items of a list, for rules across them.
pub struct Items<'p> {
    faults: &'p Faults,
}

impl Items<'_> {
    /// Notes a fault of member `name` of item `index`.
    pub fn fault(&self, index: usize, name: &'static str, reason: impl Into<Cow<'static, str>>) {
        self.faults.add(&Place::Member(&Place::Item(&Place::Root, index), name), reason);
    }
}

/// Reads each item with `read`, all of them whatever their faults; then, if each could be read, `check` looks for what is
/// wrong between them.
pub(in crate::json) fn read_list<T>(
    root: &Json<'_>,
    most: usize,
    read: impl Fn(&Object<'_, '_>) -> Option<T>,
    check: impl FnOnce(&Items<'_>, &[T]),
) -> Result<Vec<T>, Problem> {
    let Json::List(items) = root else {
        return Err(Problem::unreadable(wrong_type(root, "a list")));
    };
    if items.is_empty() {
        return Err(Problem::unreadable("is an empty list"));
    }
    if items.len() > most {
        return Err(Problem::unreadable(format!("has {} items, at most {most} are allowed", items.len())));
    }
    let faults = Faults::default();
    let mut values = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        values.extend(as_object(item, Place::Item(&Place::Root, i), &faults).and_then(|item| read(&item)));
    }
    if values.len() == items.len() {
        check(&Items { faults: &faults }, &values);
    }
    match faults.found.into_inner() {
        (0, _) if values.len() == items.len() => Ok(values),
        (0, _) => Err(Problem::unreadable("is incomplete")),
        (total, listed) => Err(Problem::with_total(total, listed)),
    }
}

/// What `read` asks for of each item.
pub(in crate::json) fn outline_list<T>(read: impl Fn(&Object<'_, '_>) -> Option<T>) -> Vec<Told> {
    let faults = Faults { told: Some(Default::default()), ..Faults::default() };
    faults.tell(&Place::Root, Need::Required, Shape::List);
    drop(read(&Object { members: &[], place: Place::Item(&Place::Root, 0), faults: &faults }));
    faults.told.map(std::cell::RefCell::into_inner).unwrap_or_default()
}
