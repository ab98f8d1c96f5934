//! Taking the members of an object one by one, each fault noted with its pointer, reading on after each.

mod lists;
mod root_list;

use std::borrow::Cow;
use std::cell::RefCell;

pub(super) use root_list::{outline_list, read_list};

use super::outline::{Shape, Text, Told, grammar_of};
use super::tree::{Json, Member};
use super::{FAULT_LIMIT, FieldFault, Problem};

/// An object of the message, at its place.
///
/// Every reading method returns `None` both for an absent optional member and after a fault was noted: gather all members
/// first, then build the value with `?`, and nothing that is wrong stays unsaid.
///
/// **Interpretation:** `null` is the absent member, and so is an optional text that is empty or blank: senders built on
/// XML tooling write absent elements this way, and no field of the contract means anything by being empty.
pub struct Object<'t, 'p> {
    members: &'t [Member<'t>],
    place: Place<'p>,
    faults: &'p Faults,
}

/// The way from the root to a value; only printed when something is wrong there.
#[derive(Clone, Copy)]
enum Place<'p> {
    Root,
    Member(&'p Place<'p>, &'static str),
    Item(&'p Place<'p>, usize),
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.print(&mut pointer);
        pointer
    }

    fn print(&self, out: &mut String) {
        match self {
            Place::Root => {}
            // The names are the contract's own: none has a `/` or `~` to escape.
            Place::Member(parent, name) => {
                parent.print(out);
                out.push('/');
                out.push_str(name);
            }
            Place::Item(parent, index) => {
                parent.print(out);
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
    }
}

/// What was found wrong so far, and, where that is wanted, what was asked for.
#[derive(Default)]
struct Faults {
    found: RefCell<(usize, Vec<FieldFault>)>,
    told: Option<RefCell<Vec<Told>>>,
}

impl Faults {
    fn tell(&self, place: &Place<'_>, need: Need, shape: Shape) {
        if let Some(told) = &self.told {
            told.borrow_mut().push(Told { pointer: place.pointer(), required: need == Need::Required, shape });
        }
    }

    fn add(&self, place: &Place<'_>, reason: impl Into<Cow<'static, str>>) {
        self.add_at(|| place.pointer(), reason.into());
    }

    fn add_at(&self, pointer: impl FnOnce() -> String, reason: Cow<'static, str>) {
        let (total, listed) = &mut *self.found.borrow_mut();
        *total += 1;
        if listed.len() < FAULT_LIMIT {
            listed.push(FieldFault { pointer: pointer(), reason });
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Need {
    Required,
    Optional,
}

pub(super) fn read_root<T>(root: &Json<'_>, read: impl FnOnce(&Object<'_, '_>) -> Option<T>) -> Result<T, Problem> {
    let faults = Faults::default();
    let value = as_object(root, Place::Root, &faults).and_then(|object| read(&object));
    ended(value, faults)
}

/// The value, if nothing was found wrong.
fn ended<T>(value: Option<T>, faults: Faults) -> Result<T, Problem> {
    let (total, listed) = faults.found.into_inner();
    match value {
        Some(value) if total == 0 => Ok(value),
        _ if total == 0 => Err(Problem::unreadable("is incomplete")),
        _ => Err(Problem::with_total(total, listed)),
    }
}

/// What `read` asks for, noted while it reads nothing.
pub(super) fn outline_root<T>(read: impl FnOnce(&Object<'_, '_>) -> Option<T>) -> Vec<Told> {
    let faults = Faults { told: Some(RefCell::default()), ..Faults::default() };
    // Required members are missing: whatever comes of it is no message.
    drop(read(&Object { members: &[], place: Place::Root, faults: &faults }));
    faults.told.map(RefCell::into_inner).unwrap_or_default()
}

fn as_object<'t, 'p>(value: &'t Json<'_>, place: Place<'p>, faults: &'p Faults) -> Option<Object<'t, 'p>> {
    match value {
        Json::Object(members) => Some(Object { members, place, faults }),
        other => {
            faults.add(&place, wrong_type(other, "an object"));
            None
        }
    }
}

fn wrong_type(found: &Json<'_>, expected: &str) -> String {
    let found = match found {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::Text(_) => "text",
        Json::List(_) => "a list",
        Json::Object(_) => "an object",
    };
    format!("is {found} where {expected} is expected")
}

impl<'t> Object<'t, '_> {
    /// Notes a fault of member `name`, for rules across members.
    pub fn fault(&self, name: &'static str, reason: impl Into<Cow<'static, str>>) {
        self.faults.add(&Place::Member(&self.place, name), reason);
    }

    /// Whether the member is there with a value, right or wrong.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self.members.get(self.first(name)) {
            Some((member, value)) if member == name => !is_absent(value),
            _ => false,
        }
    }

    /// A text of 1 to `max` characters that must be there.
    #[must_use]
    pub fn required_text(&self, name: &'static str, max: usize) -> Option<&'t str> {
        self.bounded(name, Need::Required, max)
    }

    /// A text of 1 to `max` characters that may be absent.
    #[must_use]
    pub fn text(&self, name: &'static str, max: usize) -> Option<&'t str> {
        self.bounded(name, Need::Optional, max)
    }

    /// A text with a grammar of its own (an id, a code, an instant) that must be there. Its error is the reason, so it must
    /// not repeat the text.
    #[must_use]
    pub fn required<T: Text>(&self, name: &'static str) -> Option<T> {
        self.parsed(name, Need::Required)
    }

    /// The same, when it may be absent.
    #[must_use]
    pub fn optional<T: Text>(&self, name: &'static str) -> Option<T> {
        self.parsed(name, Need::Optional)
    }

    /// A whole number that may be absent.
    #[must_use]
    pub fn integer(&self, name: &'static str) -> Option<i64> {
        self.tell(name, Need::Optional, Shape::Integer);
        match self.value(name, Need::Optional)? {
            Json::Number(number) if number.is_i64() => number.as_i64(),
            Json::Number(_) => {
                self.fault(name, "is not a whole number of at most 64 bits");
                None
            }
            other => {
                self.fault(name, wrong_type(other, "a number"));
                None
            }
        }
    }

    /// A number of things that may be absent.
    #[must_use]
    pub fn count(&self, name: &'static str) -> Option<u32> {
        let count = self.counted(name, FEW);
        self.tell(name, Need::Optional, Shape::Count { max: u32::MAX.into() });
        let few = u32::try_from(count?).ok();
        if few.is_none() {
            self.fault(name, FEW);
        }
        few
    }

    /// A number that may be absent and is not negative, or `reason` is its fault.
    #[must_use]
    pub fn counted(&self, name: &'static str, reason: &'static str) -> Option<u64> {
        let number = self.integer(name);
        self.tell(name, Need::Optional, Shape::Count { max: i64::MAX.unsigned_abs() });
        let count = u64::try_from(number?).ok();
        if count.is_none() {
            self.fault(name, reason);
        }
        count
    }

    /// An object that must be there, read with `read`.
    pub fn required_object<T>(&self, name: &'static str, read: impl FnOnce(&Object<'t, '_>) -> Option<T>) -> Option<T> {
        self.nested(name, Need::Required, read)
    }

    /// The same, when it may be absent.
    pub fn object<T>(&self, name: &'static str, read: impl FnOnce(&Object<'t, '_>) -> Option<T>) -> Option<T> {
        self.nested(name, Need::Optional, read)
    }

    /// Notes `reason` at every member, here and below, that has a value and a name that `refused` refuses.
    ///
    /// The only place where a pointer names a member that the contract does not have: `refused` must take such names only
    /// as say nothing about anybody.
    pub fn refuse(&self, refused: fn(&str) -> bool, reason: &'static str) {
        let here = self.place.pointer();
        members_below(self.members, &here, &mut |name, value, pointer| {
            if !is_absent(value) && refused(name) {
                self.faults.add_at(|| pointer.to_owned(), reason.into());
            }
        });
    }

    fn nested<T>(&self, name: &'static str, need: Need, read: impl FnOnce(&Object<'t, '_>) -> Option<T>) -> Option<T> {
        self.tell(name, need, Shape::Object);
        let place = Place::Member(&self.place, name);
        if self.faults.told.is_some() {
            return read(&self.nothing_at(place));
        }
        let value = self.value(name, need)?;
        read(&as_object(value, place, self.faults)?)
    }

    /// An object without members, whose reading is noted.
    fn nothing_at<'s>(&'s self, place: Place<'s>) -> Object<'t, 's> {
        Object { members: &[], place, faults: self.faults }
    }

    fn tell(&self, name: &'static str, need: Need, shape: Shape) {
        self.faults.tell(&Place::Member(&self.place, name), need, shape);
    }

    fn parsed<T: Text>(&self, name: &'static str, need: Need) -> Option<T> {
        self.tell(name, need, grammar_of::<T>());
        match self.nonblank(name, need)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    fn bounded(&self, name: &'static str, need: Need, max: usize) -> Option<&'t str> {
        self.tell(name, need, text_up_to(max));
        let text = self.nonblank(name, need)?;
        // Bytes first: a text short in bytes is short in characters, and most are.
        if text.len() > max && text.chars().count() > max {
            self.fault(name, format!("is longer than {max} characters"));
            return None;
        }
        Some(text)
    }

    fn nonblank(&self, name: &'static str, need: Need) -> Option<&'t str> {
        match self.value(name, need)? {
            Json::Text(text) if text.trim_ascii().is_empty() => {
                if need == Need::Required {
                    self.fault(name, "is empty");
                }
                None
            }
            Json::Text(text) => Some(text),
            other => {
                self.fault(name, wrong_type(other, "text"));
                None
            }
        }
    }

    /// The member's value; that it is missing though needed, or there twice, is noted.
    fn value(&self, name: &'static str, need: Need) -> Option<&'t Json<'t>> {
        match self.found(name) {
            Found::Value(value) => Some(value),
            Found::Absent if need == Need::Required => {
                self.fault(name, "is required");
                None
            }
            Found::Absent | Found::Twice => None,
        }
    }

    /// Where members of this name stand, or would stand: they are sorted.
    fn first(&self, name: &str) -> usize {
        self.members.partition_point(|(member, _)| member.as_ref() < name)
    }

    fn found(&self, name: &'static str) -> Found<'t> {
        let mut found = self.members.iter().skip(self.first(name)).take_while(|(member, _)| member == name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                self.fault(name, "occurs more than once");
                Found::Twice
            }
            (Some((_, value)), None) if !matches!(value, Json::Null) => Found::Value(value),
            _ => Found::Absent,
        }
    }
}

/// What is wrong with a number that counts things.
const FEW: &str = "is not between 0 and 4294967295";

fn text_up_to(max: usize) -> Shape {
    Shape::Text { max: (max < usize::MAX).then_some(max) }
}

/// Shows every member, here and below, with its pointer.
fn members_below(members: &[Member<'_>], above: &str, see: &mut dyn FnMut(&str, &Json<'_>, &str)) {
    for (name, value) in members {
        let pointer = format!("{above}/{}", name.replace('~', "~0").replace('/', "~1"));
        see(name, value, &pointer);
        below(value, &pointer, see);
    }
}

fn below(value: &Json<'_>, pointer: &str, see: &mut dyn FnMut(&str, &Json<'_>, &str)) {
    match value {
        Json::Object(members) => members_below(members, pointer, see),
        Json::List(items) => {
            for (i, item) in items.iter().enumerate() {
                below(item, &format!("{pointer}/{i}"), see);
            }
        }
        _ => {}
    }
}

/// `null` and blank text.
fn is_absent(value: &Json<'_>) -> bool {
    match value {
        Json::Null => true,
        Json::Text(text) => text.trim_ascii().is_empty(),
        _ => false,
    }
}

enum Found<'t> {
    Value(&'t Json<'t>),
    /// Not there, or `null`.
    Absent,
    Twice,
}
