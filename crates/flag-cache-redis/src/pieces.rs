//! Snapshots in pieces. A document may have a hundred megabytes; it is written and read piece by piece, so that neither a
//! node nor Redis ever holds it in one buffer, and nobody waits behind it for long.

use std::io::{self, Read, Write};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How large a piece is, in bytes; the last one may be shorter.
pub(crate) const PIECE: usize = 1024 * 1024;
/// How many pieces may lie between the thread that reads or writes the document and the connection.
const BETWEEN: usize = 2;

/// A document on its way from a thread that writes it to whoever takes the pieces.
pub(crate) fn writing() -> (PieceWriter, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel(BETWEEN);
    (PieceWriter { piece: Vec::new(), sender }, receiver)
}

/// A document on its way from whoever gets the pieces to a thread that reads it.
pub(crate) fn reading() -> (Sender<Vec<u8>>, PieceReader) {
    let (sender, receiver) = channel(BETWEEN);
    (sender, PieceReader { piece: io::Cursor::default(), receiver })
}

/// Collects bytes into pieces. Blocks while the pieces before have not been taken. Must be flushed at the end.
pub(crate) struct PieceWriter {
    piece: Vec<u8>,
    sender: Sender<Vec<u8>>,
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        let (now, _) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
        self.piece.extend_from_slice(now);
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.sender.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Gives the bytes of pieces. Blocks until the next piece is there; ends when there will be none.
pub(crate) struct PieceReader {
    piece: io::Cursor<Vec<u8>>,
    receiver: Receiver<Vec<u8>>,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(buffer)? {
                0 if !buffer.is_empty() => match self.receiver.blocking_recv() {
                    None => return Ok(0),
                    Some(piece) => self.piece = io::Cursor::new(piece),
                },
                count => return Ok(count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_any_portions_is_read_back_whole() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let document: Vec<u8> = (0..=250).cycle().take(size).collect();
            let ((mut writer, mut written), (to_reader, mut reader)) = (writing(), reading());
            let expected = document.clone();
            let write = std::thread::spawn(move || {
                for portion in document.chunks(70_001) {
                    writer.write_all(portion).unwrap();
                }
                writer.flush().unwrap();
            });
            let carry = std::thread::spawn(move || {
                let mut lengths = Vec::new();
                while let Some(piece) = written.blocking_recv() {
                    lengths.push(piece.len());
                    to_reader.blocking_send(piece).unwrap();
                }
                lengths
            });
            let mut found = Vec::new();
            reader.read_to_end(&mut found).unwrap();
            write.join().unwrap();
            assert!(found == expected, "{size} bytes");
            assert!(carry.join().unwrap().iter().rev().skip(1).all(|length| *length == PIECE));
        }
    }

    #[test]
    fn a_writer_whose_pieces_nobody_takes_stops() {
        let (mut writer, written) = writing();
        drop(written);
        assert!(writer.write_all(&vec![0; 2 * PIECE]).and_then(|()| writer.flush()).is_err());
    }
}
