//! Files that are whole, and files that are not.

use std::io::Cursor;

use flag_core::{Change, Level, SubjectId, Variant};
use flag_testkit::planned::Planned;

use super::*;

fn store() -> StoreId {
    StoreId::named("db:5432/flags")
}

/// A flag with so many pinned users.
fn pinned(users: usize) -> Snapshot {
    let created = Change::flag_created("f".parse().unwrap(), Variant::ON);
    let pins = (0..users).map(|number| Change::OverrideSet {
        key: "f".parse().unwrap(),
        level: Level::User,
        subject: SubjectId::parse(&format!("user-{number}")).unwrap(),
        variant: Variant::from(number % 3 == 0),
    });
    let start = Snapshot::new(Version { epoch: Epoch(7), revision: 0 }, []);
    Planned::new(&start, std::iter::once(created).chain(pins)).after
}

fn written(snapshot: &Snapshot) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    write(&mut file, store(), snapshot).unwrap();
    file.into_inner()
}

/// A file with any document, whose header tells of it as it is.
fn sealed(version: Version, document: &[u8]) -> Vec<u8> {
    let checksum = Sha256::digest(document).into();
    [header(store(), version, document.len() as u64, checksum), document.to_vec()].concat()
}

#[track_caller]
fn refused(bytes: &[u8]) -> Refused {
    read(Cursor::new(bytes), store()).expect_err("it is damaged")
}

#[test]
fn what_was_written_is_read_again() {
    for snapshot in [Snapshot::default(), pinned(0), pinned(3), pinned(20_000)] {
        let bytes = written(&snapshot);
        assert!(read(Cursor::new(&*bytes), store()).unwrap() == snapshot, "{snapshot:?}");
        let document = serde_json::to_vec(&SnapshotDocument(&snapshot)).unwrap();
        assert!(bytes == sealed(snapshot.version(), &document), "the layout is the one that is described");
    }
}

#[test]
fn a_file_that_was_cut_short_is_refused_wherever_that_was() {
    let short = written(&pinned(9));
    for length in 0..short.len() {
        refused(&short[..length]);
    }
    let long = written(&pinned(20_000));
    assert!(long.len() > 200_000);
    for length in (0..long.len()).step_by(512) {
        refused(&long[..length]);
    }
}

#[test]
fn a_file_with_one_bit_that_is_not_what_it_was_is_refused() {
    let good = written(&pinned(9));
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes);
    }
    let good = written(&pinned(5_000));
    for place in (HEADER..good.len()).step_by(good.len() / 300) {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        refused(&bytes);
    }
}

#[test]
fn the_reason_of_a_refusal_is_named() {
    let snapshot = pinned(3);
    let version = snapshot.version();
    let document = serde_json::to_vec(&SnapshotDocument(&snapshot)).unwrap();
    let good = sealed(version, &document);
    let later = Version { revision: version.revision + 1, ..version };
    let elsewhere = Version { epoch: Epoch(8), ..version };
    let with = |place: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let rows: [(&str, Vec<u8>, &str); 12] = [
        ("nothing at all", vec![], "cannot be read"),
        ("half a header", good[..50].to_vec(), "cannot be read"),
        ("a database", b"SQLite format 3\0".repeat(20), "no file of a snapshot"),
        ("a later format", with(8, &2_u32.to_le_bytes()), "format is 2"),
        ("another store", with(12, &[0; 32]), "another store"),
        ("a later revision", sealed(later, &document), "another version"),
        ("another epoch", sealed(elsewhere, &document), "another version"),
        ("another length", with(68, &1_u64.to_le_bytes()), "has not the 1 bytes"),
        ("an endless document", with(68, &u64::MAX.to_le_bytes()), "18446744073709551615 bytes"),
        ("a blank that is not counted", [&*good, b" "].concat(), "bytes that its header"),
        ("another checksum", with(76, &[0; 32]), "checksum"),
        ("no document", sealed(version, b"{}"), "cannot be read"),
    ];
    for (name, bytes, reason) in rows {
        let error = refused(&bytes).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
}

#[test]
fn a_target_that_takes_no_more_fails_the_write() {
    let mut room = [0; 300];
    assert!(write(&mut Cursor::new(&mut room[..]), store(), &pinned(100)).is_err());
    refused(&room);
}
