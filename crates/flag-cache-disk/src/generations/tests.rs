//! Generations in real directories: how they follow one another, and what is left of them after damage and after kills.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use flag_core::{Change, Epoch, Level, Revision, SubjectId, Variant};
use flag_testkit::planned::Planned;
use tempfile::TempDir;

use super::*;

/// Where a child saves.
const DIRECTORY: &str = "CHILD_DIRECTORY";
/// How many children are killed, and how many in a long run.
const ROUNDS: u64 = 60;
const LONG_ROUNDS: u64 = 600;

/// Something that is put in the place of a file.
type Damage = Box<dyn Fn(&Path)>;

fn store() -> StoreId {
    StoreId::named("db:5432/flags")
}

fn generations(directory: &Path) -> Generations {
    let environment = EnvironmentName::parse("default").unwrap();
    Generations::new(directory.to_owned(), environment, store())
}

/// Generations of which each has settled at once.
fn hasty(directory: &Path) -> Generations {
    generations(directory).settling_for(Duration::ZERO)
}

/// A snapshot at this revision, which can be told from every other.
fn at(revision: Revision) -> Snapshot {
    let start = Snapshot::new(Version { epoch: Epoch(1), revision: revision - 2 }, []);
    let key = || "f".parse().unwrap();
    let subject = SubjectId::parse(&format!("user-{revision}")).unwrap();
    let pin = Change::OverrideSet { key: key(), level: Level::User, subject, variant: Variant::ON };
    Planned::new(&start, [Change::flag_created(key(), Variant::OFF), pin]).after
}

fn read(directory: &Path) -> (Option<Snapshot>, usize) {
    let (snapshot, passed_over) = generations(directory).read();
    (snapshot, passed_over.len())
}

/// A directory with the revisions 11, 12 and 13, the newest last.
fn three() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut saving = hasty(directory.path());
    for revision in [11, 12, 13] {
        saving.save(&at(revision)).unwrap();
    }
    directory
}

#[test]
fn the_older_generation_is_kept_until_the_one_after_it_has_settled() {
    for (settles, expected) in [(Duration::ZERO, [5, 4, 3]), (Duration::from_secs(60), [5, 2, 0])] {
        let directory = tempfile::tempdir().unwrap();
        let mut saving = generations(directory.path()).settling_for(settles);
        assert!(!saving.any());
        for revision in 2..=5 {
            saving.save(&at(revision)).unwrap();
            assert_eq!(saving.kept(), Some(at(revision).version()));
        }
        assert!(saving.any());
        for (ending, revision) in [NEWEST, SETTLING, OLDER].into_iter().zip(expected) {
            let found = saving.read_file(&saving.path(ending)).unwrap();
            assert_eq!(found, (revision > 0).then(|| at(revision)), "{ending} after {settles:?}");
        }
        assert_eq!(read(directory.path()), (Some(at(5)), 0));
    }
}

#[test]
fn files_are_for_the_eyes_of_their_owner() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    fs::create_dir(parent.path().join("a")).unwrap();
    hasty(&directory).save(&at(2)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        assert_eq!(mode(&name), 0o600, "{name:?}");
    }
}

#[test]
fn what_is_damaged_is_passed_over_in_favour_of_what_is_older() {
    let good = |directory: &TempDir, name: &str| fs::read(directory.path().join(name)).unwrap();
    let sample = three();
    let length = good(&sample, "default.snapshot").len();
    let mut damages: Vec<(String, Damage)> = vec![
        ("a directory".to_owned(), Box::new(|path| fs::create_dir(path).unwrap())),
        ("a link to itself".to_owned(), Box::new(|path| std::os::unix::fs::symlink(path, path).unwrap())),
        (
            "a pipe".to_owned(),
            Box::new(|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ),
    ];
    for cut in (0..length).step_by(64) {
        let bytes = good(&sample, "default.snapshot")[..cut].to_vec();
        damages.push((format!("cut at {cut}"), Box::new(move |path| fs::write(path, &bytes).unwrap())));
    }
    for place in (0..length).step_by(7) {
        let mut bytes = good(&sample, "default.snapshot");
        bytes[place] ^= 0x10;
        damages.push((format!("a bit at {place}"), Box::new(move |path| fs::write(path, &bytes).unwrap())));
    }
    for (name, damage) in damages {
        let directory = three();
        let files = ["default.snapshot", "default.snapshot.settling", "default.snapshot.older"];
        let left = [Some(at(12)), Some(at(11)), None];
        for (number, (file, left)) in files.into_iter().zip(left).enumerate() {
            let path = directory.path().join(file);
            fs::remove_file(&path).unwrap();
            damage(&path);
            assert_eq!(read(directory.path()), (left, number + 1), "{name} in {file}");
        }
    }
}

#[test]
fn generations_that_changed_places_are_read_all_the_same() {
    let directory = three();
    let path = |name: &str| directory.path().join(name);
    fs::rename(path("default.snapshot"), path("aside")).unwrap();
    fs::rename(path("default.snapshot.older"), path("default.snapshot")).unwrap();
    fs::rename(path("aside"), path("default.snapshot.older")).unwrap();
    assert_eq!(read(directory.path()), (Some(at(11)), 0));
}

#[test]
fn what_was_kept_for_another_store_is_passed_over() {
    let directory = three();
    let environment = EnvironmentName::parse("default").unwrap();
    let other = StoreId::named("db:5432/others");
    let (found, passed_over) = Generations::new(directory.path().to_owned(), environment, other).read();
    assert_eq!((found, passed_over.len()), (None, 3));
    assert!(passed_over.iter().all(|passed| matches!(passed.why, Refused::OtherStore)));
}

#[test]
fn what_is_damaged_never_takes_the_place_of_what_is_good() {
    let directory = three();
    let path = |name: &str| directory.path().join(name);
    for name in ["default.snapshot", "default.snapshot.settling"] {
        fs::write(path(name), "damaged").unwrap();
    }
    let mut saving = hasty(directory.path());
    assert_eq!(saving.read().0, Some(at(11)));
    for (revision, older) in [(14, 11), (15, 11), (16, 14)] {
        saving.save(&at(revision)).unwrap();
        assert_eq!(saving.read_file(&saving.path(OLDER)).unwrap(), Some(at(older)), "after {revision}");
    }
}

#[test]
fn a_process_that_ends_again_and_again_does_not_wear_the_older_generation_out() {
    let directory = three();
    for revision in 14..20 {
        let mut saving = generations(directory.path());
        saving.read();
        saving.save(&at(revision)).unwrap();
        assert_eq!(saving.read_file(&saving.path(OLDER)).unwrap(), Some(at(11)));
    }
}

#[test]
fn files_that_somebody_took_away_are_written_anew() {
    let directory = three();
    let mut saving = hasty(directory.path());
    saving.read();
    for revision in 14..18 {
        for entry in fs::read_dir(directory.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        saving.save(&at(revision)).unwrap();
        assert_eq!(read(directory.path()), (Some(at(revision)), 0));
    }
    // With the directory it takes one attempt to notice.
    fs::remove_dir_all(directory.path()).unwrap();
    assert!(saving.save(&at(18)).is_err());
    saving.save(&at(18)).unwrap();
    assert_eq!(read(directory.path()), (Some(at(18)), 0));
}

#[test]
fn of_two_who_keep_in_one_directory_the_first_writes_and_both_read() {
    let directory = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (hasty(directory.path()), hasty(directory.path()));
    first.save(&at(5)).unwrap();
    assert!(matches!(second.save(&at(9)), Err(SaveError::InUse)));
    assert_eq!(second.read().0, Some(at(5)));
    first.save(&at(6)).unwrap();
    drop(first);
    second.save(&at(9)).unwrap();
    assert_eq!(read(directory.path()), (Some(at(9)), 0));
}

#[test]
fn a_place_that_takes_nothing_is_an_error_and_leaves_no_litter() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    for directory in [&*file, Path::new("/proc/none")] {
        assert!(matches!(hasty(directory).save(&at(2)), Err(SaveError::Io(_))), "{directory:?}");
    }
    // What cannot be moved to its place is not left lying beside it.
    let directory = parent.path().join("directory");
    fs::create_dir_all(directory.join("default.snapshot")).unwrap();
    let mut saving = hasty(&directory);
    assert!(saving.save(&at(2)).is_err());
    assert!(!directory.join("default.snapshot.unfinished").exists());
    fs::remove_dir(directory.join("default.snapshot")).unwrap();
    saving.save(&at(2)).unwrap();
}

#[test]
#[ignore = "another test of this file starts it as a process that may write only short files"]
fn as_a_child_on_a_full_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut saving = generations(Path::new(&directory));
    let saved = saving.save(&wide(20_000));
    assert!(
        matches!(&saved, Err(SaveError::Io(error)) if error.kind() == io::ErrorKind::FileTooLarge),
        "{saved:?}"
    );
    println!("\nthe disk took no more");
}

#[test]
fn a_disk_that_is_full_keeps_what_it_has_and_no_part_of_anything_else() {
    let directory = three();
    // The system refuses what goes beyond a few thousand bytes, as a full disk does in the middle of a file.
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "generations::tests::as_a_child_on_a_full_disk", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("took no more"), "{child:?}");
    assert_eq!(read(directory.path()), (Some(at(13)), 0));
    assert!(!directory.path().join("default.snapshot.unfinished").exists());
}

#[test]
#[ignore = "another test of this file starts it as a process of its own"]
fn as_a_child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut saving = generations(Path::new(&directory)).settling_for(Duration::from_millis(5));
    let mut snapshot = saving.read().0.unwrap_or_else(|| wide(2_000));
    loop {
        let next = Change::GlobalSet {
            key: "f".parse().unwrap(),
            variant: Variant::from(snapshot.version().revision.is_multiple_of(2)),
        };
        snapshot = Planned::new(&snapshot, [next]).after;
        saving.save(&snapshot).unwrap();
        println!("\nsaved {}", snapshot.version().revision);
    }
}

/// A flag with so many pinned users that saving takes a while, at an odd revision.
fn wide(users: usize) -> Snapshot {
    let key = || "f".parse().unwrap();
    let pins = (0..users).map(|number| {
        let subject = SubjectId::parse(&format!("{number:0>40}")).unwrap();
        Change::OverrideSet { key: key(), level: Level::User, subject, variant: Variant::ON }
    });
    let start = Snapshot::new(Version { epoch: Epoch(1), revision: 0 }, []);
    Planned::new(&start, std::iter::once(Change::flag_created(key(), Variant::OFF)).chain(pins)).after
}

#[test]
fn what_was_saved_survives_every_kill() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("FLAG_TEST_SEED").map_or(now, |seed| seed.parse().expect("a number"));
    println!("FLAG_TEST_SEED={seed}");
    let rounds = if std::env::var_os("FLAG_TEST_LONG").is_some() { LONG_ROUNDS } else { ROUNDS };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (mut reached, mut interrupted) = (0, 0);
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "generations::tests::as_a_child", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut saved =
            output.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("saved ")?.parse().ok());
        // The first shows that it has begun.
        reached = saved.next().unwrap_or(reached);
        // As many moments as there are, spread by a step that has nothing in common with them.
        let moment = (seed.wrapping_add(round).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 20_000;
        std::thread::sleep(Duration::from_micros(moment));
        child.kill().unwrap();
        child.wait().unwrap();
        reached = saved.last().unwrap_or(reached);
        interrupted += u64::from(path("default.snapshot.unfinished").exists());

        let older = generations(directory.path()).read_file(&path("default.snapshot.older")).unwrap();
        let (found, passed_over) = read(directory.path());
        let found = found.expect("there is always a whole one").version().revision;
        assert_eq!(passed_over, 0, "round {round}: no file in its place is ever unfinished");
        assert!((reached..=reached + 1).contains(&found), "round {round}: {found} after {reached}");
        assert!(older.is_none_or(|older| older.version().revision <= found), "round {round}");
        reached = found;
    }
    println!("{rounds} kills, {interrupted} of them in the middle of a file; revision {reached}");
    assert!(interrupted * 5 > rounds, "kills hit the writing: {interrupted} of {rounds}");
}
