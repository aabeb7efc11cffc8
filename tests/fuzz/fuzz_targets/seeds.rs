//! Writes the valid inputs of a target into a folder: `seeds sip FOLDER`.

#[path = "../../hostile/checks.rs"]
#[allow(dead_code, reason = "the others are for the tests")]
mod checks;

fn main() {
    let mut args = std::env::args().skip(1);
    let (target, folder) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (_, _, seeds) in checks::checks().iter().filter(|(name, ..)| *name == target) {
        for (n, seed) in seeds().iter().chain(&checks::corpus(&root, &target)).enumerate() {
            std::fs::write(format!("{folder}/seed-{n}"), seed).expect("the folder can be written");
        }
    }
}
