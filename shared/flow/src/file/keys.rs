//! The row keys of one call: found again by hash, compared by content. A file has tens of millions of rows, so nothing
//! is allocated per row, and a call leaves its memory to the next one.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::HashTable;

/// Where the row of a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its line in the file.
    pub line: u64,
    /// Its bytes in what is sent.
    pub bytes: Range<usize>,
}

struct Entry {
    hash: u64,
    key: Range<usize>,
    place: Place,
}

/// The keys of the rows that one call holds.
#[derive(Default)]
pub(super) struct RowKeys {
    /// Seeded anew in every process, so that no sender can choose keys that collide.
    hashes: DefaultHashBuilder,
    entries: HashTable<Entry>,
    /// All keys, one after the other.
    text: Vec<u8>,
}

impl RowKeys {
    /// Notes that the row of `key` is at `place`; if the key was there before, where its row is, and nothing changes.
    pub(super) fn note(&mut self, key: &[u8], place: Place) -> Result<(), Place> {
        let hash = self.hashes.hash_one(key);
        let (text, entries) = (&mut self.text, &mut self.entries);
        let same = |entry: &Entry| entry.hash == hash && text.get(entry.key.clone()) == Some(key);
        if let Some(known) = entries.find(hash, same) {
            return Err(known.place.clone());
        }
        let start = text.len();
        text.extend_from_slice(key);
        entries.insert_unique(hash, Entry { hash, key: start..text.len(), place }, |entry| entry.hash);
        Ok(())
    }

    /// Forgets all keys, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(line: u64) -> Place {
        Place { line, bytes: 0..1 }
    }

    #[test]
    fn a_key_is_known_until_the_next_call_begins() {
        let mut keys = RowKeys::default();
        assert_eq!(keys.note(b"a", place(2)), Ok(()));
        assert_eq!(keys.note(b"b", place(3)), Ok(()));
        assert_eq!(keys.note(b"a", place(4)), Err(place(2)));
        keys.clear();
        assert_eq!(keys.note(b"a", place(5)), Ok(()));
    }

    proptest! {
        #[test]
        fn the_first_row_of_a_key_is_the_one_that_a_map_would_keep(some in prop::collection::vec("[ab]{0,3}", 0..200)) {
            let mut keys = RowKeys::default();
            let mut map = std::collections::HashMap::new();
            for (line, key) in (1..).zip(&some) {
                let known = map.get(key).copied();
                prop_assert_eq!(keys.note(key.as_bytes(), place(line)).err(), known.map(place));
                map.entry(key).or_insert(line);
            }
        }
    }
}
