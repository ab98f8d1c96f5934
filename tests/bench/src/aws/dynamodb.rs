//! The ledger's table: items by `pk` and `sk`, and the two conditions that the flows use.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::json as answer;

type Key = (String, String);

/// All items; there is one table.
#[derive(Debug, Default)]
pub(super) struct Table {
    items: BTreeMap<Key, Value>,
    /// What was charged since it was taken last.
    pub(super) charged: Units,
}

/// What a request is charged for.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Units {
    pub(super) read: u64,
    pub(super) write: u64,
    /// Writes of a target's rate: how many there are depends on how fast the machine is.
    pub(super) slots: u64,
}

pub(super) fn serve(table: &mut Table, operation: &str, body: &[u8]) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return refused("SerializationException", Value::Null);
    };
    match operation {
        "GetItem" => ok(&table.get(&request)),
        "BatchGetItem" => ok(&table.get_several(&request)),
        "PutItem" | "DeleteItem" => match table.check(&request) {
            true => {
                table.apply(&request, 1);
                ok(&json!({}))
            }
            false => refused("ConditionalCheckFailedException", Value::Null),
        },
        "TransactWriteItems" => table.transact(&request),
        "Query" => ok(&table.query(&request)),
        _ => refused("UnknownOperationException", Value::Null),
    }
}

impl Table {
    /// The bodies of all items with this sort key.
    pub(super) fn bodies(&self, sort: &str) -> Vec<Value> {
        let items = self.items.iter().filter(|((_, sk), _)| sk == sort).map(|(_, item)| text(field(item, "body")));
        items.filter_map(|body| serde_json::from_str(&body).ok()).collect()
    }

    fn get(&mut self, request: &Value) -> Value {
        let item = self.items.get(&key(field(request, "Key")));
        self.charged.read += item.map_or(1, read_units);
        match item {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        }
    }

    fn get_several(&mut self, request: &Value) -> Value {
        let tables = field(request, "RequestItems").as_object();
        let (items, mut charged) = (&self.items, 0);
        let mut found = |wanted: &Value| -> Vec<Value> {
            let keys = field(wanted, "Keys").as_array().map(Vec::as_slice).unwrap_or_default();
            let items: Vec<Option<&Value>> = keys.iter().map(|wanted| items.get(&key(wanted))).collect();
            charged += items.iter().map(|item| item.map_or(1, read_units)).sum::<u64>();
            items.into_iter().flatten().cloned().collect()
        };
        let responses: Map<String, Value> =
            tables.into_iter().flatten().map(|(name, wanted)| (name.clone(), found(wanted).into())).collect();
        self.charged.read += charged;
        json!({ "Responses": responses, "UnprocessedKeys": {} })
    }

    /// Whether the condition of a put or a delete holds.
    fn check(&self, write: &Value) -> bool {
        let item = self.items.get(&written(write));
        match field(write, "ConditionExpression").as_str() {
            Some("attribute_not_exists(pk)") => item.is_none(),
            Some("rev = :seen") => {
                let seen = field(field(write, "ExpressionAttributeValues"), ":seen");
                item.is_some_and(|item| field(item, "rev") == seen)
            }
            _ => false,
        }
    }

    /// Writes; a transaction is charged twice over.
    fn apply(&mut self, write: &Value, times: u64) {
        let key = written(write);
        let item = write.get("Item").or_else(|| self.items.get(&key));
        let units = times * item.map_or(1, |item| size(item).div_ceil(1024));
        let is_slot = key.0.starts_with("target#");
        *(if is_slot { &mut self.charged.slots } else { &mut self.charged.write }) += units;
        match write.get("Item") {
            Some(item) => self.items.insert(key, item.clone()),
            None => self.items.remove(&key),
        };
    }

    fn transact(&mut self, request: &Value) -> Response {
        let writes: Vec<&Value> = field(request, "TransactItems")
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .filter_map(|write| write.get("Put").or_else(|| write.get("Delete")))
            .collect();
        let reasons: Vec<Value> = writes
            .iter()
            .map(|write| json!({ "Code": if self.check(write) { "None" } else { "ConditionalCheckFailed" } }))
            .collect();
        if reasons.iter().any(|reason| field(reason, "Code") != "None") {
            return refused("TransactionCanceledException", reasons.into());
        }
        for write in writes {
            self.apply(write, 2);
        }
        ok(&json!({}))
    }

    fn query(&mut self, request: &Value) -> Value {
        let values = field(request, "ExpressionAttributeValues");
        let partition = text(field(values, ":pk"));
        let start = field(request, "ExclusiveStartKey");
        let after = values.get(":after").or_else(|| start.get("sk")).map(text);
        let limit = field(request, "Limit").as_u64().and_then(|limit| usize::try_from(limit).ok());
        let first = (partition.clone(), after.clone().unwrap_or_default());
        let mut items: Vec<&Value> = self
            .items
            .range(first..)
            .take_while(|((pk, _), _)| *pk == partition)
            .filter(|((_, sk), _)| after.as_ref() != Some(sk))
            .map(|(_, item)| item)
            .collect();
        let limit = limit.unwrap_or(usize::MAX);
        self.charged.read += items.iter().take(limit).map(|item| size(item)).sum::<u64>().div_ceil(4096).max(1);
        let more = items.len() > limit;
        items.truncate(limit);
        let mut answer = json!({ "Count": items.len(), "ScannedCount": items.len(), "Items": items });
        if let (true, Some(last), Some(fields)) = (more, items.last(), answer.as_object_mut()) {
            let key = json!({ "pk": field(last, "pk"), "sk": field(last, "sk") });
            fields.insert("LastEvaluatedKey".to_owned(), key);
        }
        answer
    }
}

/// The key that a put or a delete writes.
fn written(write: &Value) -> Key {
    key(write.get("Item").unwrap_or_else(|| field(write, "Key")))
}

fn key(attributes: &Value) -> Key {
    (text(field(attributes, "pk")), text(field(attributes, "sk")))
}

fn text(attribute: &Value) -> String {
    field(attribute, "S").as_str().unwrap_or_default().to_owned()
}

/// Bytes of an item: names and values.
fn size(item: &Value) -> u64 {
    let fields = item.as_object().into_iter().flatten();
    let value = |value: &Value| value.as_object().and_then(|typed| typed.values().next()?.as_str()).map_or(1, str::len);
    let bytes: usize = fields.map(|(name, typed)| name.len() + value(typed)).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
}

/// Read units of an item read with strong consistency.
fn read_units(item: &Value) -> u64 {
    size(item).div_ceil(4096)
}

fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn ok(body: &Value) -> Response {
    answer(StatusCode::OK, body.to_string())
}

fn refused(name: &str, reasons: Value) -> Response {
    let body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{name}"),
        "Message": name,
        "CancellationReasons": reasons,
    });
    answer(StatusCode::BAD_REQUEST, body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(rev: u64, seen: Option<u64>) -> Value {
        let item = json!({ "pk": {"S": "a"}, "sk": {"S": "b"}, "rev": {"N": rev.to_string()} });
        match seen {
            None => json!({ "Item": item, "ConditionExpression": "attribute_not_exists(pk)" }),
            Some(seen) => json!({
                "Item": item,
                "ConditionExpression": "rev = :seen",
                "ExpressionAttributeValues": { ":seen": {"N": seen.to_string()} },
            }),
        }
    }

    #[test]
    fn a_write_over_a_revision_that_is_gone_is_refused() {
        let mut table = Table::default();
        let mut write = |write: Value| serve(&mut table, "PutItem", write.to_string().as_bytes()).status();
        assert_eq!(write(put(1, None)), StatusCode::OK);
        assert_eq!(write(put(1, None)), StatusCode::BAD_REQUEST);
        assert_eq!(write(put(2, Some(1))), StatusCode::OK);
        assert_eq!(write(put(2, Some(1))), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_transaction_writes_all_or_nothing() {
        let mut table = Table::default();
        let other = json!({ "Item": {"pk": {"S": "c"}, "sk": {"S": "d"}}, "ConditionExpression": "rev = :seen" });
        let both = json!({ "TransactItems": [{ "Put": put(1, None) }, { "Put": other }] });
        assert_eq!(table.transact(&both).status(), StatusCode::BAD_REQUEST);
        assert!(table.items.is_empty());
    }

    #[test]
    fn a_query_goes_on_after_the_item_that_it_names() {
        let mut table = Table::default();
        for sort in ["1", "2", "3"] {
            table.items.insert(("p".to_owned(), sort.to_owned()), json!({ "pk": {"S": "p"}, "sk": {"S": sort} }));
        }
        let page = table.query(&json!({ "ExpressionAttributeValues": {":pk": {"S": "p"}}, "Limit": 2 }));
        assert_eq!(page["Count"], 2);
        let next = table.query(&json!({
            "ExpressionAttributeValues": {":pk": {"S": "p"}},
            "ExclusiveStartKey": page["LastEvaluatedKey"],
        }));
        assert_eq!(next["Items"], json!([{ "pk": {"S": "p"}, "sk": {"S": "3"} }]));
        assert_eq!(next.get("LastEvaluatedKey"), None);
    }
}
