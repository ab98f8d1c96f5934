//! A fingerprint of a set of rows that does not depend on how the rows were grouped or ordered, so
//! that the books of a very large file can be balanced with the file without keeping its rows.

use serde_json::{Value, json};

/// Count, sum and exclusive-or of the rows' hashes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Digest {
    /// How many rows.
    pub rows: u64,
    /// Sum of their hashes, modulo 2^64.
    pub sum: u64,
    /// Exclusive-or of their hashes.
    pub xor: u64,
}

impl Digest {
    /// Adds one row, given by its fields in the order the books keep them.
    pub fn add<'a>(&mut self, fields: impl IntoIterator<Item = &'a str>) {
        let hash = row_hash(fields);
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash);
        self.xor ^= hash;
    }

    /// Adds all rows of another set.
    pub fn join(&mut self, other: Self) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.sum = self.sum.wrapping_add(other.sum);
        self.xor ^= other.xor;
    }

    /// As JSON: `rows` a number, `sum` and `xor` 16 hexadecimal digits each.
    pub fn state(self) -> Value {
        json!({
            "rows": self.rows,
            "sum": format!("{:016x}", self.sum),
            "xor": format!("{:016x}", self.xor),
        })
    }
}

/// FNV-1a (64 bits) over the fields' bytes, each field followed by the byte 0x1F, then the finaliser
/// of splitmix64.
pub fn row_hash<'a>(fields: impl IntoIterator<Item = &'a str>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let mut hash = 0xCBF2_9CE4_8422_2325;
    for field in fields {
        hash = field.bytes().fold(hash, step);
        hash = step(hash, 0x1F);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_set_does_not_depend_on_its_grouping() {
        let (mut whole, mut left, mut right) = (Digest::default(), Digest::default(), Digest::default());
        for row in [["a", "1"], ["b", "2"], ["c", "3"]] {
            whole.add(row);
        }
        right.add(["a", "1"]);
        left.add(["c", "3"]);
        left.add(["b", "2"]);
        left.join(right);
        assert_eq!(left, whole);
    }

    #[test]
    fn the_hash_is_the_one_that_the_readme_describes() {
        assert_eq!(row_hash(["a", "1"]), 0x0776_1BA7_F539_2705);
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(row_hash(["ab", "c"]), row_hash(["a", "bc"]));
    }
}
