use super::*;
use crate::file::tests::harness::Bench;
use crate::memory::CONFIG;
use crate::ports::ObjectRef;

const FLOW: &str = "ouai-derms-load-reduction-forecast";
const MINUTE: Duration = Duration::from_secs(60);

/// A file is due every day at 12:00 in Berlin (10:00Z), 30 minutes of grace, with two rows; it is 2026-07-01T10:00:00Z.
async fn bench() -> Bench {
    let bench = Bench::of(FLOW);
    expect(&bench, "0 12 * * *,Europe/Berlin,PT30M,2").await;
    bench.world.clock.advance(23 * HOUR);
    bench
}

async fn expect(bench: &Bench, row: &str) {
    let lookup = format!("flow,cron,timeZone,grace,minimumRows\n{FLOW},{row}\n");
    bench.world.objects.put(CONFIG, "lookups/ExpectedFiles.csv", lookup);
    watch(&bench.world).await;
}

/// A file arrives now and is delivered.
async fn arrives(bench: &Bench, name: &str, rows: usize) -> ObjectRef {
    let rows: String = (0..rows).map(|n| format!("k{n},{n}\n")).collect();
    let object = bench.drop_file(name, format!("key,value\n{rows}"));
    bench.publish(&object).await;
    object
}

fn texts(bench: &Bench) -> Vec<String> {
    told(&bench.world, "expected file").into_iter().map(|notice| notice.text).collect()
}

#[tokio::test]
async fn a_file_in_time_and_long_enough_is_nothing_to_tell() {
    let bench = bench().await;
    bench.world.clock.advance(80 * MINUTE);
    arrives(&bench, "1.csv", 2).await;
    watch_for(&bench.world, 20 * HOUR).await;
    assert_eq!(texts(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_does_not_come_is_told_once_when_its_grace_is_over() {
    let bench = bench().await;
    watch_for(&bench.world, 90 * MINUTE).await;
    assert_eq!(texts(&bench), Vec::<String>::new(), "it may be on its way from the outbox");
    watch_for(&bench.world, 20 * HOUR).await;
    let told = told(&bench.world, "an expected file is missing");
    assert_eq!((told.len(), told[0].audience), (1, Audience::Business));
    let line = "2026-07-02 12:00 +02:00: no file had come by 2026-07-02 12:30 +02:00";
    assert!(told[0].text.contains(line), "{}", told[0].text);
    assert_eq!(bench.world.reports.tallied(FLOW, "ExpectedFilesMissing"), 1);
}

#[tokio::test]
async fn a_file_that_came_after_its_grace_was_late_and_is_not_the_next_days() {
    let bench = bench().await;
    bench.world.clock.advance(120 * MINUTE);
    arrives(&bench, "1.csv", 2).await;
    watch_for(&bench.world, 30 * HOUR).await;
    let texts = texts(&bench);
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("2026-07-02 12:00 +02:00: it came at 2026-07-02 13:00 +02:00"), "{texts:?}");
    assert!(texts[1].contains("2026-07-03 12:00 +02:00: no file had come"), "{texts:?}");
    assert_eq!(bench.world.reports.tallied(FLOW, "ExpectedFilesLate"), 1);
}

#[tokio::test]
async fn a_file_that_came_hours_early_is_the_one_that_was_expected() {
    let bench = bench().await;
    arrives(&bench, "1.csv", 2).await;
    watch_for(&bench.world, 20 * HOUR).await;
    assert_eq!(texts(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn files_of_one_due_time_are_counted_together_and_too_few_rows_are_told() {
    let bench = bench().await;
    arrives(&bench, "1.csv", 1).await;
    arrives(&bench, "2.csv", 1).await;
    bench.world.clock.advance(24 * HOUR);
    arrives(&bench, "3.csv", 1).await;
    watch_for(&bench.world, 10 * HOUR).await;
    let texts = texts(&bench);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("2026-07-03 12:00 +02:00: 1 rows had come by"), "{texts:?}");
    assert_eq!(bench.world.reports.tallied(FLOW, "ExpectedFilesShort"), 1);
}

#[tokio::test]
async fn a_file_that_is_still_worked_on_is_judged_when_it_is_done() {
    let bench = bench().await;
    bench.taken.lost_answers.lock().unwrap().push(1);
    let object = bench.drop_file("1.csv", "key,value\na,1\n");
    bench.send(&object).await;
    watch_for(&bench.world, 10 * HOUR).await;
    assert_eq!(texts(&bench), Vec::<String>::new());
    bench.send(&object).await;
    watch_for(&bench.world, 2 * HOUR).await;
    assert_eq!(texts(&bench).len(), 1);
}

#[tokio::test]
async fn corrected_rejects_are_not_the_file_that_was_expected() {
    let bench = bench().await;
    let first = bench.drop_file("1.csv", "key,value\na,1\nb,2\nc,x\n");
    bench.publish(&first).await;
    bench.world.clock.advance(24 * HOUR);
    let corrected = format!("1.csv.{}.rows.csv", bench.run(&first).id);
    arrives(&bench, &corrected, 3).await;
    watch_for(&bench.world, 10 * HOUR).await;
    let texts = texts(&bench);
    assert!(texts.len() == 1 && texts[0].contains("2026-07-03 12:00 +02:00: no file had come"), "{texts:?}");
}

#[tokio::test]
async fn after_a_while_without_watch_every_due_time_is_told_in_one_notice_and_none_again() {
    let bench = bench().await;
    bench.world.clock.advance(60 * HOUR);
    watch(&bench.world).await;
    let notices = texts(&bench);
    assert_eq!(notices.len(), 1, "{notices:?}");
    for day in ["2026-07-02", "2026-07-03", "2026-07-04"] {
        assert!(notices[0].contains(&format!("{day} 12:00 +02:00: no file")), "{notices:?}");
    }
    bench.world.clock.advance(HOUR);
    watch(&bench.world).await;
    assert_eq!(texts(&bench).len(), 1);
}

#[tokio::test]
async fn two_that_watch_at_once_tell_once() {
    let bench = bench().await;
    bench.world.clock.advance(10 * HOUR);
    let (kit, invocation) = (bench.world.watch_kit(), bench.world.invocation("one"));
    let (one, two) =
        futures_util::join!(check_expected_files(&kit, &invocation), check_expected_files(&kit, &invocation));
    one.and(two).unwrap();
    assert_eq!(texts(&bench).len(), 1);
}

#[tokio::test]
async fn what_was_decided_and_not_told_is_told_the_next_time() {
    let bench = bench().await;
    bench.world.clock.advance(10 * HOUR);
    let deaf = crate::watch::WatchKit { notifier: std::sync::Arc::new(Deaf), ..bench.world.watch_kit() };
    check_expected_files(&deaf, &bench.world.invocation("one")).await.unwrap_err();
    watch(&bench.world).await;
    assert_eq!(texts(&bench).len(), 1);
}

struct Deaf;

#[async_trait::async_trait]
impl crate::ports::Notifier for Deaf {
    async fn notify(&self, _: &Notice) -> Result<(), crate::Transient> {
        Err(crate::Transient::new("nobody hears"))
    }
}

#[tokio::test]
async fn a_row_that_is_new_says_nothing_of_times_before_it_and_a_changed_grace_is_the_same_row() {
    let bench = bench().await;
    bench.world.clock.advance(3 * HOUR);
    expect(&bench, "0 10 * * *,Europe/Berlin,PT30M,2").await;
    watch_for(&bench.world, 2 * HOUR).await;
    assert_eq!(texts(&bench), Vec::<String>::new(), "it is 17:00 in Berlin; the row of 10:00 is new");
    expect(&bench, "0 10 * * *,Europe/Berlin,PT45M,1").await;
    watch_for(&bench.world, 20 * HOUR).await;
    assert_eq!(texts(&bench).len(), 1);
}

#[tokio::test]
async fn a_file_of_every_hour_within_a_long_grace_belongs_to_its_own_hour() {
    let bench = Bench::of(FLOW);
    expect(&bench, "0 * * * *,UTC,PT45M,0").await;
    for hour in 1..4 {
        // 40 minutes after it was due: nearer to the next hour.
        bench.world.clock.advance(if hour == 1 { 100 * MINUTE } else { 60 * MINUTE });
        arrives(&bench, &format!("{hour}.csv"), 1).await;
        watch(&bench.world).await;
    }
    assert_eq!(texts(&bench), Vec::<String>::new());
}
