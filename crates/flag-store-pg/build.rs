//! Makes a new migration be embedded: the macro that embeds them is not run again for a file that it has not seen.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/postgres");
}
