//! A message that is a list of objects at its root.

use super::{Faults, Json, Need, Object, Place, Problem, as_object, ended, wrong_type};
use crate::json::outline::{Shape, Told};

impl<'t> Object<'t, '_> {
    /// Reads this object as a message of its own: what is wrong with it is its own fault, with pointers that begin here, and
    /// none of the message that it stands in.
    ///
    /// # Errors
    /// 400 with every fault that `read` reported.
    pub fn apart<T>(&self, read: impl FnOnce(&Object<'t, '_>) -> Option<T>) -> Result<T, Problem> {
        if self.faults.told.is_some() {
            drop(read(&self.nothing_at(self.place)));
            return Err(Problem::unreadable("is no message"));
        }
        let faults = Faults::default();
        let value = read(&Object { members: self.members, place: Place::Root, faults: &faults });
        ended(value, faults)
    }
}

/// Reads each item with `read`, all of them whatever their faults.
pub(in crate::json) fn read_list<T>(
    root: &Json<'_>,
    most: usize,
    read: impl Fn(&Object<'_, '_>) -> Option<T>,
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
    ended((values.len() == items.len()).then_some(values), faults)
}

/// What `read` asks for of each item.
pub(in crate::json) fn outline_list<T>(read: impl Fn(&Object<'_, '_>) -> Option<T>) -> Vec<Told> {
    let faults = Faults { told: Some(Default::default()), ..Faults::default() };
    faults.tell(&Place::Root, Need::Required, Shape::List);
    drop(read(&Object { members: &[], place: Place::Item(&Place::Root, 0), faults: &faults }));
    faults.told.map(std::cell::RefCell::into_inner).unwrap_or_default()
}
