//! Identifiers, each its own type, so that no two of them can be swapped without a compile error.
//!
//! The lengths are those of contracts.md §4 and §5. **Interpretation:** where the contract gives an identifier no
//! length, 120 characters hold, the longest the vendor documents for one (`externalIdentifier`, `transactionId`).
//! An identifier never begins or ends with white space: two systems would take `"A1"` and `"A1 "` for different
//! devices without anybody seeing why.

use std::fmt;

/// Why a text is not an identifier of its kind. Its `Display` reads after the name of the field:
/// `has 15 characters, at most 14 are allowed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    /// There is no text at all.
    #[error("is empty")]
    Empty,
    /// More characters than the contract allows.
    #[error("has {found} characters, at most {max} are allowed")]
    TooLong {
        /// Characters found.
        found: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A line break, a tab or another control character.
    #[error("contains a control character")]
    Control,
    /// White space at the beginning or the end.
    #[error("begins or ends with white space")]
    Space,
}

/// Checks that `text` is an identifier of at most `max` characters.
///
/// # Errors
///
/// The first rule it breaks.
fn check(text: &str, max: usize) -> Result<(), IdFault> {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return Err(IdFault::Empty);
    };
    // Nearly every identifier is short and printable ASCII: one pass settles it.
    let plain = bytes.len() <= max && bytes.iter().fold(true, |plain, b| plain & matches!(b, b' '..=b'~'));
    if plain && *first != b' ' && *last != b' ' {
        return Ok(());
    }
    if text.chars().any(char::is_control) {
        return Err(IdFault::Control);
    }
    if text.trim() != text {
        return Err(IdFault::Space);
    }
    let found = text.chars().count();
    if found > max {
        return Err(IdFault::TooLong { found, max });
    }
    Ok(())
}

/// Declares the identifiers: `Name(longest) "field name" "what it identifies"`.
macro_rules! ids {
    ($($name:ident($max:literal) $field:literal $doc:literal)*) => {$(
        #[doc = $doc]
        #[doc = ""]
        #[doc = concat!("`", $field, "`, at most ", stringify!($max), " characters, never empty.")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The longest one allowed, in characters.
            pub const MAX: usize = $max;
            /// The name of the field that carries it.
            pub const FIELD: &'static str = $field;

            /// Checks a text without keeping it, for rows that are read borrowed.
            ///
            /// # Errors
            ///
            /// The first rule of identifiers that `text` breaks.
            pub fn check(text: &str) -> Result<(), IdFault> {
                check(text, Self::MAX)
            }

            /// The identifier as it travels.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdFault;

            fn from_str(text: &str) -> Result<Self, IdFault> {
                Self::check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl crate::json::Text for $name {
            const GRAMMAR: crate::json::Grammar =
                crate::json::Grammar::Id { name: stringify!($name), max: $max, about: $doc };
        }

        impl TryFrom<String> for $name {
            type Error = IdFault;

            fn try_from(text: String) -> Result<Self, IdFault> {
                Self::check(&text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::try_from(text)
                    .map_err(|fault| serde::de::Error::custom(format_args!(concat!($field, " {}"), fault)))
            }
        }
    )*};
}

ids! {
    SyncRequestId(14) "syncRequestId" "A sync request of the program system: its outbound message awaiting acknowledgement. DERMS knows it as `dacsMessageId`."
    MessageId(120) "messageId" "One message of a sender: what makes two messages the same."
    EventId(120) "eventId" "A demand response event of the DERMS (`eventExternalIdentifier` in the program system)."
    StageId(120) "stageId" "A stage of an event: a time slot for one program (`externalIdentifier` of a program event)."
    ProgramId(120) "programId" "A program, by the program system's own id."
    ProgramCode(120) "programCode" "A program, by its short code."
    ProgramExternalId(120) "programExternalIdentifier" "A program, by the third of its names."
    SubscriptionId(120) "subscriptionId" "The subscription that an enrollment activates."
    DeviceId(12) "deviceId" "A device, by the program system's own id."
    HeadEndSystem(50) "headEndSystem" "The server of a device maker or aggregator."
    NicId(100) "nicId" "A device's communication id at its head-end."
    ServicePointId(120) "servicePointId" "The program system's metered service point (`SPId` in measurement files)."
    CisServicePointId(120) "cisServicePointId" "The billing system's service point; never interchanged with [`ServicePointId`]."
    CisPremiseId(120) "cisPremiseId" "The billing system's premise."
    CisPersonId(30) "cisPersonId" "The billing system's person."
    CisAccountId(30) "cisAccountId" "The billing system's account."
    ContactId(120) "contactId" "The contact of an enrollment."
    DeviceLocationId(120) "deviceLocationId" "Where at a service point a device is."
    Division(120) "division" "The part of the utility that a location belongs to."
    RecordId(120) "recordId" "One record of a file, by its sender's number."
    TransformerId(120) "transformerId" "A transformer of the network model."
    FeederId(120) "feederId" "A feeder of the network model."
    SubstationId(120) "substationId" "A substation of the network model."
    RuleId(120) "ruleId" "A rule of a program."
    AggregatorId(120) "aggregatorId" "An aggregator: who reaches many devices for the utility."
    CommunicationId(30) "communicationId" "A communication of the program system about one device (`transactionID` in its own calls)."
    UnavailabilityId(120) "unavailabilityId" "A time in which a device is not to be reserved."
    DrmsInstanceId(120) "drmsInstanceId" "One DERMS installation of several."
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sync_request_id_of_fourteen_characters_is_accepted_and_one_of_fifteen_is_not() {
        assert!("12345678901234".parse::<SyncRequestId>().is_ok());
        assert_eq!("123456789012345".parse::<SyncRequestId>(), Err(IdFault::TooLong { found: 15, max: 14 }));
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!("é".repeat(12).parse::<DeviceId>().is_ok());
        assert_eq!("é".repeat(13).parse::<DeviceId>(), Err(IdFault::TooLong { found: 13, max: 12 }));
    }

    #[test]
    fn an_identifier_is_never_empty_padded_or_broken_over_lines() {
        assert_eq!(NicId::check(""), Err(IdFault::Empty));
        assert_eq!(NicId::check("  "), Err(IdFault::Space));
        assert_eq!(NicId::check("nic-1 "), Err(IdFault::Space));
        assert_eq!(NicId::check("\u{a0}nic-1"), Err(IdFault::Space));
        assert_eq!(NicId::check("nic\n1"), Err(IdFault::Control));
        assert_eq!(NicId::check("nic\u{85}1"), Err(IdFault::Control));
        assert_eq!(NicId::check("nic 1"), Ok(()));
    }

    #[test]
    fn json_names_the_field_whose_identifier_is_wrong() {
        let fault = serde_json::from_str::<DeviceId>("\"1234567890123\"").unwrap_err();
        assert_eq!(fault.to_string(), "deviceId has 13 characters, at most 12 are allowed");
        let id: DeviceId = serde_json::from_str("\"T-1\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"T-1\"");
    }

    proptest! {
        #[test]
        fn an_accepted_identifier_prints_as_it_was_read(text in "\\PC{0,60}") {
            if let Ok(id) = text.parse::<HeadEndSystem>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
