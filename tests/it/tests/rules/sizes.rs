//! How much a flow may say where (style.md §2 and §3).

use it::repo;

#[test]
fn main_is_wiring_of_at_most_30_lines_without_an_if() {
    for flow in repo::entries("functions") {
        let main = repo::text(format!("functions/{flow}/src/main.rs"));
        assert!(main.lines().count() <= 30, "functions/{flow}/src/main.rs has {} lines", main.lines().count());
        for branch in ["if ", "match ", "#[cfg(test)]"] {
            assert!(!main.contains(branch), "functions/{flow}/src/main.rs has something to test: `{branch}`");
        }
    }
}

#[test]
fn lib_is_the_story_in_at_most_150_lines() {
    for flow in repo::entries("functions") {
        let lib = repo::text(format!("functions/{flow}/src/lib.rs"));
        assert!(lib.lines().count() <= 150, "functions/{flow}/src/lib.rs has {} lines", lib.lines().count());
        assert!(lib.starts_with("//! "), "functions/{flow}/src/lib.rs does not say what it is");
        // A flow that is a layout and a mapping takes its pipeline from the kit as it is.
        let is_kits = lib.contains("pub type Flow = ") && repo::flows().contains(&flow);
        let is_own = lib.contains("pub struct ") && lib.contains("pub async fn handle(");
        assert!(is_kits || is_own, "functions/{flow}/src/lib.rs has no struct with `pub async fn handle`");
    }
}
