//! The file of one snapshot: a header that says what follows, and the snapshot's document. The document is written and read as
//! a stream, and is never held whole as text. It is read twice: nothing is made of it before its checksum is known to be right.
//!
//! The header has 108 bytes, its numbers in little-endian order: the eight bytes `flagsnap`, the format (u32), the SHA-256 of
//! the store's name, epoch (u128), revision (u64), the length of the document in bytes (u64), and its SHA-256.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use flag_core::{Epoch, Snapshot, Version};
use flag_engine::document::{SnapshotDocument, Unreadable, read_snapshot};
use sha2::{Digest, Sha256};

/// The number of this layout. A reader refuses any other.
pub const FORMAT: u32 = 1;
/// How many bytes stand before the document.
pub const HEADER: usize = 8 + 4 + 32 + 16 + 8 + 8 + 32;
/// How many bytes a document may have: four times what nodes share through Redis.
pub const LONGEST: u64 = 2 * 1024 * 1024 * 1024;

/// How many bytes go to the disk at once.
const PORTION: usize = 64 * 1024;
const MAGIC: [u8; 8] = *b"flagsnap";

/// Which store a snapshot is of, so that a node does not start with the flags of another database that its disk still has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreId([u8; 32]);

impl StoreId {
    /// The store that goes by `name`, whatever that is, as long as it stays.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Sha256::digest(name.as_bytes()).into())
    }
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The disk does not give it, or it ends within its header.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// Something else lies under its name.
    #[error("it is no file of a snapshot")]
    Foreign,
    /// Another release wrote it.
    #[error("its format is {0}, and {FORMAT} is the one that is understood")]
    Format(u32),
    /// It is whole, but the node is of another store now.
    #[error("it holds the flags of another store")]
    OtherStore,
    /// It was cut short, or more was written than the header tells of.
    #[error("its document has not the {0} bytes that its header tells of")]
    Length(u64),
    /// A bit of the document is not what it was.
    #[error("its document does not match its checksum")]
    Checksum,
    /// The document is damaged, or of a shape that this release does not know.
    #[error("its document cannot be read")]
    Document(#[from] Unreadable),
    /// The header and the document disagree.
    #[error("its document stands at another version than its header says")]
    Version,
}

/// Writes `snapshot` as that of `store` to the beginning of `target`, which is empty.
///
/// # Errors
/// Whatever the target fails with, and [`io::ErrorKind::FileTooLarge`] beyond [`LONGEST`] bytes.
pub fn write<T: Write + Seek>(target: &mut T, store: StoreId, snapshot: &Snapshot) -> io::Result<()> {
    // What is not known yet comes last: until then the file says nothing that anybody would believe.
    target.write_all(&[0; HEADER])?;
    let mut body = Sealing { inner: &mut *target, digest: Sha256::new(), length: 0 };
    // Documents are written in portions of a few bytes.
    let mut portions = BufWriter::with_capacity(PORTION, &mut body);
    serde_json::to_writer(&mut portions, &SnapshotDocument(snapshot))?;
    portions.flush()?;
    drop(portions);
    let Sealing { digest, length, .. } = body;
    target.seek(SeekFrom::Start(0))?;
    target.write_all(&header(store, snapshot.version(), length, digest.finalize().into()))
}

fn header(store: StoreId, version: Version, length: u64, checksum: [u8; 32]) -> Vec<u8> {
    let Version { epoch, revision } = version;
    let parts: [&[u8]; 7] = [
        &MAGIC,
        &FORMAT.to_le_bytes(),
        &store.0,
        &epoch.0.to_le_bytes(),
        &revision.to_le_bytes(),
        &length.to_le_bytes(),
        &checksum,
    ];
    parts.concat()
}

/// Reads a file that holds a snapshot of `store`. Whatever the bytes are, the snapshot is one that was written whole.
///
/// # Errors
/// [`Refused`] says what is wrong with it.
pub fn read<T: Read + Seek>(mut source: T, store: StoreId) -> Result<Snapshot, Refused> {
    if take::<8>(&mut source)? != MAGIC {
        return Err(Refused::Foreign);
    }
    let format = u32::from_le_bytes(take(&mut source)?);
    if format != FORMAT {
        return Err(Refused::Format(format));
    }
    if take(&mut source)? != store.0 {
        return Err(Refused::OtherStore);
    }
    let epoch = Epoch(u128::from_le_bytes(take(&mut source)?));
    let revision = u64::from_le_bytes(take(&mut source)?);
    let length = u64::from_le_bytes(take(&mut source)?);
    let checksum: [u8; 32] = take(&mut source)?;
    if length > LONGEST {
        return Err(Refused::Length(length));
    }
    let mut sealed = Sealing { inner: io::sink(), digest: Sha256::new(), length: 0 };
    let found = io::copy(&mut source.by_ref().take(length), &mut sealed)?;
    if found != length || source.read(&mut [0])? != 0 {
        return Err(Refused::Length(length));
    }
    if <[u8; 32]>::from(sealed.digest.finalize()) != checksum {
        return Err(Refused::Checksum);
    }
    source.seek(SeekFrom::Start(HEADER as u64))?;
    let snapshot = read_snapshot(source.take(length))?;
    if snapshot.version() != (Version { epoch, revision }) {
        return Err(Refused::Version);
    }
    Ok(snapshot)
}

fn take<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Counts what goes through it, and takes its checksum.
struct Sealing<T> {
    inner: T,
    digest: Sha256,
    length: u64,
}

impl<T> Sealing<T> {
    fn note(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<T: Write> Write for Sealing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length + bytes.len() as u64 > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.inner.write(bytes)?;
        self.note(bytes.get(..count).unwrap_or(bytes));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
