use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{Column, HeaderFault, Layout, RowFault, Spelling, Unknown};
use domain::lookups::Lookups;
use jiff::Timestamp;

use crate::file::{Batch, DeliverBatch, FileFlow, FileKit, FileToFile, FileToRest, IdOf, Next, Rows, Sheet, handle};
use crate::ledger::run::{Counts, Run};
use crate::memory::{ManualClock, REJECTS, World};
use crate::ports::{Clock, ObjectRef};
use crate::trigger::{Delivery, Invocation};
use crate::{Failure, Transient};

pub const FLOW: &str = "test-flow";
pub const OUTBOX: &str = "outbox";
pub const INBOX: &str = "inbox";

/// A layout of two columns; a row is good when `value` is a number.
pub const LAYOUT: Layout = Layout {
    file: "test",
    columns: &[Column::required("key"), Column::required("value")],
    series: None,
    unknown: Unknown::PassThrough,
};

pub fn open_sheet(header: &Record<'_>, _: &Lookups) -> Result<Sheet, HeaderFault> {
    let columns = LAYOUT.resolve(header, &Spelling::default())?;
    let place = columns.place(1).unwrap();
    let own = columns.clone();
    Ok(Sheet {
        columns,
        check: Box::new(move |row| {
            own.check_width(row.len())?;
            own.text(row)?;
            number(row.get(place))
        }),
        id: None,
    })
}

/// The same, of a flow whose rows are answered by their key.
pub fn open_answered(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let sheet = open_sheet(header, lookups)?;
    let key = sheet.columns.place(0).unwrap();
    let id: IdOf = Box::new(move |row| std::str::from_utf8(row.get(key)?).ok().filter(|id| !id.is_empty()));
    Ok(Sheet { id: Some(id), ..sheet })
}

pub fn open_rows(header: &Record<'_>, _: &Lookups) -> Result<Rows, HeaderFault> {
    let columns = LAYOUT.resolve(header, &Spelling::default())?;
    let (key, value) = (columns.place(0).unwrap(), columns.place(1).unwrap());
    Ok(Rows {
        encode: Box::new(move |row, out, row_key| {
            columns.check_width(row.len())?;
            columns.text(row)?;
            number(row.get(value))?;
            out.extend_from_slice(row.get(key).unwrap());
            out.push(b'=');
            out.extend_from_slice(row.get(value).unwrap());
            out.push(b'\n');
            row_key.extend_from_slice(row.get(key).unwrap());
            Ok(())
        }),
    })
}

fn number(field: Option<&[u8]>) -> Result<(), RowFault> {
    let digits = field.is_some_and(|field| !field.is_empty() && field.iter().all(u8::is_ascii_digit));
    if digits { Ok(()) } else { Err(RowFault::at("value", "not a number")) }
}

/// What a target was sent, and how it is to fail.
#[derive(Clone, Default)]
pub struct Taken {
    pub batches: Arc<Mutex<Vec<Batch>>>,
    /// The how-manieth calls (from 1) fail after the target has acted.
    pub lost_answers: Arc<Mutex<Vec<usize>>>,
}

#[async_trait]
impl DeliverBatch for Taken {
    async fn deliver(&self, _: &Run, batch: &Batch, _: &Invocation) -> Result<(), Failure> {
        let mut batches = self.batches.lock().unwrap();
        batches.push(batch.clone());
        let lost = self.lost_answers.lock().unwrap().contains(&batches.len());
        if lost { Err(Transient::new("the answer was lost").into()) } else { Ok(()) }
    }
}

impl Taken {
    /// The target's books: parts by number, the last one sent counts.
    pub fn parts(&self) -> std::collections::BTreeMap<u32, (String, bool)> {
        let batches = self.batches.lock().unwrap();
        let text = |batch: &Batch| String::from_utf8(batch.bytes.to_vec()).unwrap();
        batches.iter().map(|batch| (batch.part, (text(batch), batch.last))).collect()
    }

    /// All rows of the books in order.
    pub fn rows(&self) -> String {
        self.parts().into_values().map(|(rows, _)| rows).collect()
    }
}

/// A clock that moves on by so much whenever somebody looks at it.
pub struct Ticking(pub ManualClock, pub Duration);

#[async_trait]
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.advance(self.1);
        self.0.now()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

/// A world with one flow of each kind.
pub struct Bench {
    pub world: World,
    pub kit: FileKit,
    pub to_file: FileToFile,
    pub to_rest: FileToRest,
    pub taken: Taken,
    invocations: std::cell::Cell<u32>,
}

impl Bench {
    pub fn new() -> Self {
        Self::of(FLOW)
    }

    /// A bench whose flow has another name.
    pub fn of(flow: &'static str) -> Self {
        Self::over(World::new("2026-07-01T10:00:00Z".parse::<Timestamp>().unwrap()), flow)
    }

    /// A bench whose flow shares a world with others.
    pub fn over(world: World, flow: &'static str) -> Self {
        let taken = Taken::default();
        Self {
            kit: world.file_kit(flow, &[]),
            to_file: FileToFile {
                open: open_sheet,
                inbox: Arc::new(world.objects.outlet(INBOX)),
                inbox_bucket: INBOX.into(),
                tell: None,
            },
            to_rest: FileToRest { open: open_rows, prefix: b"", part_size: 30, target: Arc::new(taken.clone()) },
            taken,
            world,
            invocations: 0.into(),
        }
    }

    pub fn drop_file(&self, key: &str, bytes: impl Into<bytes::Bytes>) -> ObjectRef {
        self.world.objects.put(OUTBOX, key, bytes)
    }

    pub fn invocation(&self) -> Invocation {
        self.invocations.set(self.invocations.get() + 1);
        self.world.invocation(&format!("invocation-{}", self.invocations.get()))
    }

    pub async fn publish(&self, object: &ObjectRef) -> Next {
        self.publish_delivery(&self.world.notification(object)).await
    }

    pub async fn send(&self, object: &ObjectRef) -> Next {
        self.send_delivery(&self.world.notification(object)).await
    }

    pub async fn publish_delivery(&self, delivery: &Delivery) -> Next {
        handle(&self.kit, &FileFlow::ToFile(&self.to_file), delivery, &self.invocation()).await
    }

    pub async fn send_delivery(&self, delivery: &Delivery) -> Next {
        handle(&self.kit, &FileFlow::ToRest(&self.to_rest), delivery, &self.invocation()).await
    }

    pub fn run(&self, object: &ObjectRef) -> Run {
        self.world.run(self.kit.flow, object).unwrap()
    }

    pub fn counts(&self, object: &ObjectRef) -> Counts {
        self.run(object).counts
    }

    pub fn delivered(&self, key: &str) -> Option<String> {
        self.world.objects.bytes(INBOX, key).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The two reject files of a run: rows and reasons.
    pub fn rejects(&self, object: &ObjectRef) -> (Option<String>, Option<String>) {
        let run = self.run(object);
        let name = |kind: &str| format!("{FLOW}/{}.{}.{kind}.csv", run.file_name(), run.id);
        let read = |kind: &str| self.world.objects.bytes(REJECTS, &name(kind));
        let text = |bytes: bytes::Bytes| String::from_utf8_lossy(&bytes).into_owned();
        (read("rows").map(text), read("reasons").map(text))
    }
}
