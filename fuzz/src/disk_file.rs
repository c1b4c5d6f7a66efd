//! Bytes as a file that a node keeps on its disk, and as the document in such a file: only what was written whole is read.

use std::io::Cursor;

use flag_cache_disk::file::{self, HEADER, StoreId};
use flag_core::{Snapshot, Version};
use flag_engine::document::{SnapshotDocument, read_snapshot};
use sha2::{Digest, Sha256};

const STORE: &str = "db:5432/flags";

/// Reads the bytes as a file, and then as the document of a file that is sealed as it should be.
pub fn check(bytes: &[u8]) {
    if let Some(snapshot) = read(bytes) {
        let document = bytes.get(HEADER..).unwrap();
        assert_eq!(bytes, sealed(snapshot.version(), document));
        survives(&snapshot);
    }

    let document = read_snapshot(bytes).ok();
    let version = document.as_ref().map(Snapshot::version).unwrap_or_default();
    let mut sealed = sealed(version, bytes);
    assert_eq!(read(&sealed), document);
    let Some(snapshot) = document else { return };
    survives(&snapshot);
    // Any bit of the header or of the document, as the input has it.
    let sum: usize = bytes.iter().map(|byte| usize::from(*byte)).sum();
    let place = sum % sealed.len();
    *sealed.get_mut(place).unwrap() ^= 1 << (sum % 8);
    assert_eq!(read(&sealed), None, "bit {} of byte {place}", sum % 8);
}

fn read(bytes: &[u8]) -> Option<Snapshot> {
    file::read(Cursor::new(bytes), StoreId::named(STORE)).ok()
}

/// What can be read can be written and read again.
fn survives(snapshot: &Snapshot) {
    let mut written = Cursor::new(Vec::new());
    file::write(&mut written, StoreId::named(STORE), snapshot).unwrap();
    let written = written.into_inner();
    let document = serde_json::to_vec(&SnapshotDocument(snapshot)).unwrap();
    assert_eq!(written, sealed(snapshot.version(), &document));
    assert_eq!(read(&written).as_ref(), Some(snapshot));
}

/// The file of a document, as the layout is described.
fn sealed(version: Version, document: &[u8]) -> Vec<u8> {
    let mut bytes = b"flagsnap".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(Sha256::digest(STORE));
    bytes.extend(version.epoch.0.to_le_bytes());
    bytes.extend(version.revision.to_le_bytes());
    bytes.extend((document.len() as u64).to_le_bytes());
    bytes.extend(Sha256::digest(document));
    bytes.extend(document);
    bytes
}
