//! Bytes that are no request at all.

use std::io::ErrorKind;

use crate::wire::exchange;

/// Each is answered with a status of the client's fault, or by closing the connection.
pub fn check(node: &str) {
    let large = format!("GET /features HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(1_000_000));
    let many = format!("GET /features HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let long = format!("GET /features/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(1_000_000));
    let patch = |rest: &str| {
        format!(
            "PATCH /features/f/global HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{rest}"
        )
    };
    let requests: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /features\r\n\r\n".to_vec(),
        b"GET /features HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /features HTTP/9.9\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET /features HTTQ/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET /fea tures HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET /fea\0tures HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET features HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"G\xffT /features HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET /features HTTP/1.1\r\nho st: localhost\r\n\r\n".to_vec(),
        b"GET /features HTTP/1.1\r\nhost: local\0host\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        large.into_bytes(),
        many.into_bytes(),
        long.into_bytes(),
        patch("content-length: -1\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("content-length: +16\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("content-length: 0x10\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("content-length: 99999999999999999999999\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("content-length: 16\r\ncontent-length: 2\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("content-length: 16\r\ntransfer-encoding: chunked\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("transfer-encoding: gzip\r\n\r\n{\"enabled\":true}").into_bytes(),
        patch("transfer-encoding: chunked\r\n\r\nzz\r\n{\"enabled\":true}\r\n0\r\n\r\n").into_bytes(),
        patch("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{\"enabled\":true}").into_bytes(),
    ];
    for request in requests {
        let shown = String::from_utf8_lossy(&request[..request.len().min(120)]).escape_debug().to_string();
        match exchange(node, &request) {
            Ok(answer) => assert!((400..500).contains(&answer.status), "{shown}: {answer:?}"),
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
                "{shown}: {error}"
            ),
        }
    }
}
