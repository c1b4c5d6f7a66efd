//! Bytes as a line of the log: what is read survives being written and read again, and is applied or rejected.

use flag_core::{Applied, Epoch, Snapshot, Version};
use flag_engine::document::EntryDocument;

/// Reads, writes, reads again, and applies.
pub fn check(bytes: &[u8]) {
    let read = |bytes| serde_json::from_slice::<EntryDocument>(bytes).ok()?.into_entry().ok();
    let Some(entry) = read(bytes) else { return };
    let written = serde_json::to_vec(&EntryDocument::new(&entry).unwrap()).unwrap();
    assert_eq!(read(&written), Some(entry.clone()));

    // Wherever an environment stands, a line of its log either follows or is rejected.
    for revision in [0, entry.revision.wrapping_sub(1), entry.revision, u64::MAX] {
        let snapshot = Snapshot::new(Version { epoch: Epoch(1), revision }, []);
        match snapshot.apply(&entry) {
            Ok(Applied::Changed(after)) => {
                assert_eq!(after.version().revision, entry.revision);
                assert_eq!(revision.checked_add(1), Some(entry.revision));
            }
            Ok(Applied::Unchanged) => assert_eq!(revision.checked_add(1), Some(entry.revision)),
            Err(rejection) => assert!(!rejection.to_string().is_empty()),
        }
    }
}
