//! Writes the valid inputs of a target into a folder: `seeds sip FOLDER`.

use firstline::wire::hostile::CHECKS;

fn main() {
    let mut args = std::env::args().skip(1);
    let (target, folder) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    for (_, _, seeds) in CHECKS.iter().filter(|(name, ..)| *name == target) {
        for (n, seed) in seeds().iter().enumerate() {
            std::fs::write(format!("{folder}/seed-{n}"), seed).expect("the folder can be written");
        }
    }
}
