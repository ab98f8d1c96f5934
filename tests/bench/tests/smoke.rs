//! Every measurement runs on small files against functions built for debugging: the stubs answer what the functions
//! ask, the books balance after three kills. Figures of such builds mean nothing and are not looked at, but for the
//! numbers of calls, which are the same in any build.

mod small;

use bench::measure::{cold, files, kills, messages, rate};
use bench::report::{Figure, Verdict};
use small::setup;

fn missed<'f>(figures: &'f [Figure], about: &str) -> Vec<&'f Figure> {
    let about = figures.iter().filter(|figure| figure.what.contains(about));
    about.filter(|figure| figure.verdict == Verdict::Missed).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_measurements_run_and_the_books_balance_after_three_kills() {
    let setup = setup().unwrap();
    let killed = kills::run(&setup).await.unwrap();
    // How much memory they take is a figure of what is shipped.
    let (_, books): (Vec<_>, Vec<_>) = killed.into_iter().partition(|figure| figure.what.contains("VmHWM"));
    assert_eq!(missed(&books, "killed"), Vec::<&Figure>::new());
    files::run(&setup).await.unwrap();
    cold::run(&setup).await.unwrap();
    rate::run(&setup).await.unwrap();
    let messages = messages::run(&setup).await.unwrap();
    assert_eq!(missed(&messages, "door: AWS calls of a message"), Vec::<&Figure>::new());
}
