//! DERMS's device scores as contracts.md §5 and §6 have them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{named, start, start_with};
use sandbox::digest::Digest;
use serde_json::json;

const HEADER: &str = "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime\n";

fn row(device: &str, score: &str, time: &str) -> String {
    format!("{device},HEAD-A,N-{device},SUMMER,{score},Y,{time}\n")
}

fn part(rows: &[String]) -> String {
    format!("{HEADER}{}", rows.concat())
}

const MORNING: &str = "2026-07-01T06:00:00-05:00";
const NOON: &str = "2026-07-01T12:00:00-05:00";

#[tokio::test]
async fn a_set_counts_when_its_last_part_and_all_before_are_there() {
    let it = start().await;
    let parts = [part(&[row("D-1", "1.5", MORNING), row("D-2", "2", MORNING)]), part(&[row("D-3", "-3", MORNING)])];
    assert_eq!(it.scores("F-1", 1, false, parts[0].clone()).await.0, 200);
    let books = it.books("derms/scores").await;
    assert_eq!((&books["landed"], &books["keys"]), (&json!([]), &json!(0)));
    let (status, answer) = it.scores("F-1", 2, true, parts[1].clone()).await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({"scoreFileId": "F-1", "part": 2, "rows": 1}));
    let books = it.books("derms/scores").await;
    assert_eq!((&books["landed"], &books["keys"]), (&json!(["F-1"]), &json!(3)));
    assert_eq!(books["sets"]["F-1"]["lastCameEarly"], false);
    assert_eq!(
        books["latest"][2],
        json!({"deviceId": "D-3", "headEndSystem": "HEAD-A", "nicId": "N-D-3", "programCode": "SUMMER",
            "score": "-3", "available": "Y", "scoreDateTime": MORNING, "scoreFileId": "F-1"})
    );
}

#[tokio::test]
async fn a_last_part_that_comes_before_the_others_is_noticed() {
    let it = start().await;
    let csv = part(&[row("D-1", "1", MORNING)]);
    it.scores("F-1", 2, true, csv.clone()).await;
    assert_eq!(it.books("derms/scores").await["landed"], json!([]));
    it.scores("F-1", 1, false, csv).await;
    let books = it.books("derms/scores").await;
    assert_eq!(books["landed"], json!(["F-1"]));
    assert_eq!(books["sets"]["F-1"]["lastCameEarly"], true);
}

#[tokio::test]
async fn the_same_part_again_takes_no_effect() {
    let it = start().await;
    let csv = part(&[row("D-1", "1", MORNING)]);
    for _ in 0..3 {
        assert_eq!(it.scores("F-1", 1, true, csv.clone()).await.0, 200);
    }
    let books = it.books("derms/scores").await;
    assert_eq!(books["effects"], 1);
    assert_eq!(books["sets"]["F-1"]["parts"]["1"]["calls"], 3);
    assert_eq!(books["sets"]["F-1"]["digest"]["rows"], 1);
}

#[tokio::test]
async fn the_newest_score_of_a_device_and_program_stays() {
    let it = start().await;
    let files = [("F-1", "1", NOON), ("F-2", "2", MORNING), ("F-3", "3", NOON)];
    for (file, score, time) in files {
        it.scores(file, 1, true, part(&[row("D-1", score, time)])).await;
        let books = it.books("derms/scores").await;
        let expected = if file == "F-3" { "3" } else { "1" };
        assert_eq!(books["latest"][0]["score"], expected, "{file}");
    }
    let landed = &it.books("derms/scores").await["landed"];
    assert_eq!(landed, &json!(["F-1", "F-2", "F-3"]));
}

#[tokio::test]
async fn a_set_that_begins_before_another_is_done_is_noticed() {
    let it = start().await;
    let csv = part(&[row("D-1", "1", MORNING)]);
    it.scores("F-1", 1, false, csv.clone()).await;
    it.scores("F-2", 1, true, csv.clone()).await;
    it.scores("F-1", 2, true, csv.clone()).await;
    it.scores("F-3", 1, true, csv).await;
    let sets = it.books("derms/scores").await["sets"].clone();
    assert_eq!(sets["F-2"]["openedWhileOpen"], json!(["F-1"]));
    assert_eq!(sets["F-3"]["openedWhileOpen"], json!([]));
}

#[tokio::test]
async fn only_the_close_of_a_set_may_be_without_rows() {
    let it = start().await;
    let (status, problem) = it.scores("F-1", 1, true, HEADER.to_owned()).await;
    assert_eq!((status, named(&problem)), (400, vec!["text/csv"]));
    let csv = part(&[row("D-1", "1", MORNING)]);
    it.scores("F-1", 1, false, csv).await;
    let (status, _) = it.scores("F-1", 2, false, HEADER.to_owned()).await;
    assert_eq!(status, 400);
    let (status, _) = it.scores("F-1", 2, true, HEADER.to_owned()).await;
    assert_eq!(status, 200);
    assert_eq!(it.books("derms/scores").await["landed"], json!(["F-1"]));
}

#[tokio::test]
async fn parts_beyond_the_last_one_are_refused() {
    let it = start().await;
    let csv = part(&[row("D-1", "1", MORNING)]);
    it.scores("F-1", 1, true, csv.clone()).await;
    for (number, last, field) in [(2, false, "part"), (2, true, "part"), (1, false, "last")] {
        let (status, problem) = it.scores("F-1", number, last, csv.clone()).await;
        assert_eq!((status, named(&problem)), (400, vec![field]));
    }
    it.scores("F-2", 3, false, csv.clone()).await;
    let (status, problem) = it.scores("F-2", 2, true, csv).await;
    assert_eq!((status, named(&problem)), (400, vec!["last"]));
}

#[tokio::test]
async fn a_part_with_one_bad_row_is_refused_whole() {
    let it = start().await;
    let csv = part(&[row("D-1", "1", MORNING), row("D-2", "many", MORNING)]);
    let (status, problem) = it.scores("F-1", 1, true, csv).await;
    assert_eq!((status, named(&problem)), (400, vec!["line 3, column score"]));
    assert_eq!(it.books("derms/scores").await["sets"], json!({}));
}

#[tokio::test]
async fn a_part_over_the_limit_is_refused() {
    let it = start_with(sandbox::Config { score_part_limit: 1000, ..neighbours::config() }).await;
    let rows: Vec<String> = (0..100).map(|number| row(&format!("D-{number}"), "1", MORNING)).collect();
    let (status, _) = it.scores("F-1", 1, true, part(&rows)).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn taken_may_also_be_said_with_202() {
    let it = start().await;
    it.set("derms/scores", &json!({"status": 202})).await;
    let csv = part(&[row("D-1", "1", MORNING)]);
    assert_eq!(it.scores("F-1", 1, true, csv).await.0, 202);
}

#[tokio::test]
async fn a_digest_balances_the_books_of_a_file_whose_rows_are_not_kept() {
    let it = start_with(sandbox::Config { digest: true, ..neighbours::config() }).await;
    let mut expected = Digest::default();
    for number in 1..=3_u64 {
        let device = format!("D-{number}");
        let csv = part(&[row(&device, "1", MORNING)]);
        it.scores("F-1", number, number == 3, csv).await;
        let nic = format!("N-{device}");
        let fields = [&device, "HEAD-A", &nic, "SUMMER", "1", "Y", MORNING];
        expected.add(fields.into_iter().chain([""; 5]));
    }
    let set = &it.books("derms/scores").await["sets"]["F-1"];
    assert_eq!(set["digest"], expected.state());
    assert_eq!(set["digest"]["rows"], 3);
}
