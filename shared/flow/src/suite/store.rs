//! What every [`Store`] does.

use super::{Broken, Kept, contract, holds, same};
use crate::ports::{CommitError, Item, Key, Store, Write};

/// The store under test, and a partition that nothing else uses.
#[derive(Clone)]
pub struct Ledger<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The beginning of the partitions that are written.
    pub space: String,
}

impl Ledger<'_> {
    fn within(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.space = format!("{}#{name}", self.space);
        inner
    }

    fn key(&self, sort: &str) -> Key {
        Key { partition: self.space.clone(), sort: sort.to_owned() }
    }

    fn put(&self, sort: &str, body: &str, seen: Option<u64>) -> Write {
        Write::Put { key: self.key(sort), body: body.to_owned(), seen, expires: None }
    }

    fn item(&self, sort: &str, rev: u64, body: &str) -> Item {
        Item { key: self.key(sort), rev, body: body.to_owned() }
    }

    async fn read(&self, sort: &str) -> Result<Option<Item>, Broken> {
        let mut items = self.store.get(&[self.key(sort)]).await?;
        same(&items.len(), &1)?;
        Ok(items.pop().flatten())
    }

    async fn refuses(&self, writes: &[Write]) -> Kept {
        match self.store.commit(writes).await {
            Err(CommitError::Conflict) => Ok(()),
            Err(CommitError::Transient(fault)) => Err(fault.into()),
            Ok(()) => Err(Broken::new("the commit was made")),
        }
    }
}

/// # Errors
/// When something else comes back.
pub async fn an_item_is_read_as_it_was_written(ledger: &Ledger<'_>) -> Kept {
    let body = r#"{"text":"ü \"quoted\" \u0001","big":123456789012345678901234567890.10}"#;
    ledger.store.commit(&[ledger.put("a", body, None)]).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 1, body)))
}

/// # Errors
/// When something is there.
pub async fn what_was_never_written_is_not_there(ledger: &Ledger<'_>) -> Kept {
    same(&ledger.read("a").await?, &None)
}

/// # Errors
/// When an answer is missing, or stands in the wrong place.
pub async fn reads_are_answered_one_by_one_in_the_order_asked(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[ledger.put("a", "1", None), ledger.put("b", "2", None)]).await?;
    let keys = ["b", "nothing", "a", "b"].map(|sort| ledger.key(sort));
    let expected =
        vec![Some(ledger.item("b", 1, "2")), None, Some(ledger.item("a", 1, "1")), Some(ledger.item("b", 1, "2"))];
    same(&ledger.store.get(&keys).await?, &expected)?;
    same(&ledger.store.get(&[]).await?, &Vec::new())
}

/// DynamoDB reads at most 100 items in one call, and writes 25 here (`Store::commit`).
///
/// # Errors
/// When one is missing.
pub async fn a_hundred_and_more_items_are_read_at_once(ledger: &Ledger<'_>) -> Kept {
    let sorts: Vec<String> = (0..125).map(|number| format!("{number:03}")).collect();
    for some in sorts.chunks(25) {
        let writes: Vec<Write> = some.iter().map(|sort| ledger.put(sort, sort, None)).collect();
        ledger.store.commit(&writes).await?;
    }
    let keys: Vec<Key> = sorts.iter().map(|sort| ledger.key(sort)).collect();
    let expected: Vec<Option<Item>> = sorts.iter().map(|sort| Some(ledger.item(sort, 1, sort))).collect();
    same(&ledger.store.get(&keys).await?, &expected)
}

/// # Errors
/// When it is created twice.
pub async fn what_exists_is_not_created_again(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[ledger.put("a", "first", None)]).await?;
    ledger.refuses(&[ledger.put("a", "second", None)]).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 1, "first")))
}

/// # Errors
/// When a revision is skipped or used twice.
pub async fn every_write_adds_one_to_the_revision(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[ledger.put("a", "1", None)]).await?;
    ledger.store.commit(&[ledger.put("a", "2", Some(1))]).await?;
    ledger.store.commit(&[ledger.put("a", "3", Some(2))]).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 3, "3")))
}

/// # Errors
/// When it is taken.
pub async fn a_write_with_a_stale_revision_is_refused(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[ledger.put("a", "1", None)]).await?;
    ledger.store.commit(&[ledger.put("a", "2", Some(1))]).await?;
    ledger.refuses(&[ledger.put("a", "late", Some(1))]).await?;
    ledger.refuses(&[ledger.put("a", "early", Some(3))]).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 2, "2")))
}

/// # Errors
/// When it is taken.
pub async fn a_write_over_what_is_gone_is_refused(ledger: &Ledger<'_>) -> Kept {
    ledger.refuses(&[ledger.put("a", "2", Some(1))]).await?;
    same(&ledger.read("a").await?, &None)
}

/// # Errors
/// When it is removed, or stays although it may go.
pub async fn only_the_revision_seen_is_removed(ledger: &Ledger<'_>) -> Kept {
    let delete = |seen| Write::Delete { key: ledger.key("a"), seen };
    ledger.store.commit(&[ledger.put("a", "1", None)]).await?;
    ledger.store.commit(&[ledger.put("a", "2", Some(1))]).await?;
    ledger.refuses(&[delete(1)]).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 2, "2")))?;
    ledger.store.commit(&[delete(2)]).await?;
    same(&ledger.read("a").await?, &None)?;
    ledger.refuses(&[delete(2)]).await
}

/// # Errors
/// When it cannot be created, or remembers the revisions of the one before.
pub async fn what_was_removed_begins_again_at_one(ledger: &Ledger<'_>) -> Kept {
    let delete = Write::Delete { key: ledger.key("a"), seen: 1 };
    ledger.store.commit(&[ledger.put("a", "1", None)]).await?;
    ledger.store.commit(&[delete]).await?;
    ledger.store.commit(&[ledger.put("a", "again", None)]).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 1, "again")))
}

/// # Errors
/// When a part of a refused commit is seen.
pub async fn a_commit_is_all_or_nothing(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[ledger.put("a", "1", None), ledger.put("b", "1", None)]).await?;
    let delete = Write::Delete { key: ledger.key("b"), seen: 1 };
    let writes = [ledger.put("a", "2", Some(1)), delete, ledger.put("c", "new", None)];
    let stale = ledger.put("d", "stale", Some(7));
    let mut refused = writes.to_vec();
    refused.push(stale);
    ledger.refuses(&refused).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 1, "1")))?;
    same(&ledger.read("b").await?, &Some(ledger.item("b", 1, "1")))?;
    same(&ledger.read("c").await?, &None)?;

    ledger.store.commit(&writes).await?;
    same(&ledger.read("a").await?, &Some(ledger.item("a", 2, "2")))?;
    same(&ledger.read("b").await?, &None)?;
    same(&ledger.read("c").await?, &Some(ledger.item("c", 1, "new")))
}

/// # Errors
/// When it fails.
pub async fn a_commit_of_nothing_is_made(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[]).await?;
    Ok(())
}

/// # Errors
/// When both win, or none.
pub async fn of_two_writers_of_one_revision_one_wins(ledger: &Ledger<'_>) -> Kept {
    ledger.store.commit(&[ledger.put("a", "1", None)]).await?;
    let (left, right) = ([ledger.put("a", "left", Some(1))], [ledger.put("a", "right", Some(1))]);
    let (left, right) = futures_util::join!(ledger.store.commit(&left), ledger.store.commit(&right));
    let winner = match (left, right) {
        (Ok(()), Err(CommitError::Conflict)) => "left",
        (Err(CommitError::Conflict), Ok(())) => "right",
        (left, right) => return Err(Broken::new(format!("{left:?} and {right:?}"))),
    };
    same(&ledger.read("a").await?, &Some(ledger.item("a", 2, winner)))
}

/// # Errors
/// When an item is missing, foreign or out of order.
pub async fn a_partition_is_listed_in_order(ledger: &Ledger<'_>) -> Kept {
    let neighbour = ledger.within("neighbour");
    let writes = [
        ledger.put("b", "2", None),
        ledger.put("ä", "4", None),
        ledger.put("a", "1", None),
        ledger.put("b#1", "3", None),
        neighbour.put("a", "not ours", None),
    ];
    ledger.store.commit(&writes).await?;
    let expected =
        vec![ledger.item("a", 1, "1"), ledger.item("b", 1, "2"), ledger.item("b#1", 1, "3"), ledger.item("ä", 1, "4")];
    same(&ledger.store.list(&ledger.space, None, 100).await?, &expected)
}

/// # Errors
/// When an item is skipped or comes twice.
pub async fn a_list_goes_on_after_a_place(ledger: &Ledger<'_>) -> Kept {
    let writes = ["a", "b", "c"].map(|sort| ledger.put(sort, sort, None));
    ledger.store.commit(&writes).await?;
    let first = ledger.store.list(&ledger.space, None, 2).await?;
    same(&first, &vec![ledger.item("a", 1, "a"), ledger.item("b", 1, "b")])?;
    let second = ledger.store.list(&ledger.space, Some("b"), 2).await?;
    same(&second, &vec![ledger.item("c", 1, "c")])?;
    let between = ledger.store.list(&ledger.space, Some("aa"), 1).await?;
    same(&between, &vec![ledger.item("b", 1, "b")])?;
    let end = ledger.store.list(&ledger.space, Some("c"), 2).await?;
    holds(end.is_empty(), "something comes after the last")
}

/// DynamoDB answers a query in pages of 1 MiB.
///
/// # Errors
/// When the list ends with the first page.
pub async fn a_list_is_not_cut_by_the_size_of_its_items(ledger: &Ledger<'_>) -> Kept {
    let large = "x".repeat(300 * 1024);
    for sort in ["a", "b", "c", "d", "e"] {
        ledger.store.commit(&[ledger.put(sort, &large, None)]).await?;
    }
    let listed = ledger.store.list(&ledger.space, None, 5).await?;
    same(&listed.len(), &5)
}

contract! {
    Ledger over super::tests::Memory::default();
    an_item_is_read_as_it_was_written,
    what_was_never_written_is_not_there,
    reads_are_answered_one_by_one_in_the_order_asked,
    a_hundred_and_more_items_are_read_at_once,
    what_exists_is_not_created_again,
    every_write_adds_one_to_the_revision,
    a_write_with_a_stale_revision_is_refused,
    a_write_over_what_is_gone_is_refused,
    only_the_revision_seen_is_removed,
    what_was_removed_begins_again_at_one,
    a_commit_is_all_or_nothing,
    a_commit_of_nothing_is_made,
    of_two_writers_of_one_revision_one_wins,
    a_partition_is_listed_in_order,
    a_list_goes_on_after_a_place,
    a_list_is_not_cut_by_the_size_of_its_items,
}

#[cfg(test)]
mod tests {
    use super::Ledger;
    use crate::memory::Table;

    #[derive(Default)]
    pub(super) struct Memory(Table);

    impl Memory {
        pub(super) fn ports(&self, space: &str) -> Ledger<'_> {
            Ledger { store: &self.0, space: space.to_owned() }
        }
    }
}
