//! An HTTP/1.1 answer, as far as a client has to read it to tell its end, its status and its body.

use anyhow::{Context, Result};

/// A whole answer.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// The answer that `received` holds, as soon as it is whole.
pub fn parse(received: &[u8]) -> Result<Option<Answer<'_>>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = received.split_at(end + 4);
    let head = std::str::from_utf8(head).context("a head is text")?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).context("a head has a status")?;
    // Servers that are measured here write names of headers in lower case.
    let length = head.find("content-length: ").map_or(Some(0), |at| {
        let digits = head[at + "content-length: ".len()..].split('\r').next()?;
        digits.parse().ok()
    });
    let length = length.context("a length is a number")?;
    Ok(rest.get(..length).map(|body| Answer { status, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole_and_not_before() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nflag-revision: 7\r\n\r\n{}";
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).unwrap().is_none(), "{cut}");
        }
        let answer = parse(whole).unwrap().unwrap();
        assert_eq!((answer.status, answer.body), (200, &b"{}"[..]));
        let empty = parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.status, empty.body), (204, &b""[..]));
    }
}
