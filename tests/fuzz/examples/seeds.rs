//! Writes the seeds of every target into a folder of its own below the one that is named.

use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = env::args().nth(1).expect("a folder");
    for target in mcp_authz_fuzz::TARGETS {
        let below = Path::new(&folder).join(target.name);
        fs::create_dir_all(&below).unwrap();
        for (index, seed) in (target.seeds)().iter().enumerate() {
            fs::write(below.join(format!("seed-{index}")), seed).unwrap();
        }
    }
}
