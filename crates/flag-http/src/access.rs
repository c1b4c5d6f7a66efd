//! Who may come in: with a token, whoever bears it; without one, whoever calls this machine by a name of its own.

use std::fmt;

use actix_web::http::Uri;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::{Code, Problem};

/// The rule by which requests are let in.
#[derive(Clone, Debug)]
pub enum Access {
    /// Requests must bear this token.
    Token(AdminToken),
    /// Anybody on this machine. Requests must name a loopback host, so that a web page whose name was pointed at this
    /// machine cannot drive the server through a visitor's browser.
    Loopback,
}

impl Access {
    pub(crate) fn check(&self, target: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Token(token) => {
                let bearer = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
                match bearer {
                    Some(found) if token.is(found) => Ok(()),
                    Some(_) => Err(Problem::new(Code::Unauthorized, "the access token is not the right one")),
                    None => Err(Problem::new(
                        Code::Unauthorized,
                        "send the access token as `Authorization: Bearer …`",
                    )),
                }
            }
            Self::Loopback => {
                let named = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
                // A target that names a host itself counts for more than the header (RFC 9112, section 3.2.2).
                let host = target.authority().map_or(named, |authority| authority.as_str());
                if is_loopback(host) {
                    return Ok(());
                }
                Err(Problem::new(
                    Code::HostNotAllowed,
                    "without an access token this server answers only to localhost and loopback addresses",
                ))
            }
        }
    }

    /// The author of a change by somebody who gave no name.
    pub(crate) fn nameless(&self) -> &'static str {
        match self {
            Self::Token(_) => "admin",
            Self::Loopback => "local",
        }
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Whether a `Host` header names this machine by a loopback name, whatever the port.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The token that operators and services bear: at least 32 visible ASCII characters. Only its digest is kept.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

/// The token is too short, or holds something else than visible ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an access token has at least {} visible ASCII characters", AdminToken::SHORTEST)
    }
}

impl std::error::Error for InvalidToken {}

impl AdminToken {
    /// The shortest token, in characters.
    pub const SHORTEST: usize = 32;

    /// Takes a token.
    ///
    /// # Errors
    /// [`InvalidToken`] if it is too short or holds blanks, control characters or non-ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        if text.len() < Self::SHORTEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidToken);
        }
        Ok(Self(Sha256::digest(text.as_bytes()).into()))
    }

    /// Compares digests in constant time, so that neither the length nor a common beginning shows.
    fn is(&self, candidate: &[u8]) -> bool {
        let candidate: [u8; 32] = Sha256::digest(candidate).into();
        self.0.ct_eq(&candidate).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_names_of_this_machine() {
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:3000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:3000",
            "127.0.0.1.nip.io",
            "192.168.1.4",
            "[::2]",
            ":80",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_long_and_visible() {
        let token = "x".repeat(32);
        assert!(AdminToken::parse(&token).unwrap().is(token.as_bytes()));
        assert!(!AdminToken::parse(&token).unwrap().is("x".repeat(33).as_bytes()));
        for bad in ["x".repeat(31), format!("{} ", "x".repeat(40)), "ü".repeat(40)] {
            assert_eq!(AdminToken::parse(&bad).unwrap_err(), InvalidToken);
        }
    }
}
