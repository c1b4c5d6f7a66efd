//! Ids of requests: the one that the client gave, or a new one.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

/// The header that carries it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id that the client gave, if it is fit to be written into logs, or else a new one.
pub(crate) fn of(headers: &HeaderMap) -> HeaderValue {
    let given = headers
        .get(REQUEST_ID)
        .filter(|id| (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic));
    given.cloned().unwrap_or_else(|| {
        let mut text = Uuid::encode_buffer();
        let id = new().hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    })
}

thread_local! {
    /// What the next id of this thread holds besides the time. To ask the operating system for randomness at each request
    /// would cost as much as evaluating many flags.
    static NEXT: Cell<u128> = Cell::new(Uuid::new_v4().as_u128());
}

/// A UUID of version 7 whose random part is random for the first id of a thread, and one more for each that follows (RFC 9562,
/// section 6.2).
fn new() -> Uuid {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = NEXT.get();
    NEXT.set(number.wrapping_add(1));
    let [.., a, b, c, d, e, f, g, h, i, j] = number.to_be_bytes();
    // The fields of a UUID overwrite six of these bits, at places that stay clear of the lowest fifty.
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Builder::from_unix_timestamp_millis(milliseconds, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_new_ids_are_the_same_whatever_thread_makes_them() {
        let make = || (0..10_000).map(|_| new()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: Vec<Uuid> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn an_id_that_the_client_gave_is_kept_if_it_is_fit_to_be_logged() {
        let long = "x".repeat(129);
        for (given, kept) in [("abc-1", true), ("", false), ("a b", false), ("\u{fc}", false), (&long, false)]
        {
            let headers =
                HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(given.as_bytes()).unwrap())]);
            let id = of(&headers);
            assert_eq!(id.as_bytes() == given.as_bytes(), kept, "{given}");
            assert!(kept || id.len() == 36, "{given}");
        }
    }
}
