//! How much a flow may say where (style.md §2 and §3).

use it::repo;

#[test]
fn main_is_wiring_of_at_most_30_lines_without_an_if() {
    for flow in repo::flows() {
        let main = repo::text(format!("functions/{flow}/src/main.rs"));
        assert!(main.lines().count() <= 30, "functions/{flow}/src/main.rs has {} lines", main.lines().count());
        for branch in ["if ", "match ", "#[cfg(test)]"] {
            assert!(!main.contains(branch), "functions/{flow}/src/main.rs has something to test: `{branch}`");
        }
    }
}

#[test]
fn lib_is_the_story_in_at_most_150_lines() {
    for flow in repo::flows() {
        let lib = repo::text(format!("functions/{flow}/src/lib.rs"));
        assert!(lib.lines().count() <= 150, "functions/{flow}/src/lib.rs has {} lines", lib.lines().count());
        assert!(lib.starts_with("//! "), "functions/{flow}/src/lib.rs does not say what the flow is");
        assert!(lib.contains("pub struct Flow"), "functions/{flow}/src/lib.rs has no `pub struct Flow`");
        assert!(lib.contains("pub async fn handle("), "functions/{flow}/src/lib.rs has no `handle`");
    }
}
