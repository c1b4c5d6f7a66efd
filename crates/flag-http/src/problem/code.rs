//! The stable names of failures, and the table that documents them held against it.

use actix_web::http::StatusCode;

/// Makes one row of each failure the whole of what is said of it, so that none can lack a part.
macro_rules! codes {
    ($($name:ident: $text:literal, $status:ident, $title:literal;)*) => {
        /// The stable names of failures. A client may depend on a code; the texts beside it are for people.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Code {
            $($name,)*
        }

        impl Code {
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it is sent, its status and its title.
            const fn row(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Self::$name => ($text, StatusCode::$status, $title),)*
                }
            }
        }
    };
}

codes! {
    MalformedJson: "malformed_json", BAD_REQUEST, "The body is not JSON";
    InvalidInput: "invalid_input", BAD_REQUEST, "The input is invalid";
    BadRequest: "bad_request", BAD_REQUEST, "The request cannot be understood";
    Unauthorized: "unauthorized", UNAUTHORIZED, "An access token is needed";
    HostNotAllowed: "host_not_allowed", FORBIDDEN, "This host name is not served";
    RouteNotFound: "route_not_found", NOT_FOUND, "There is no such route";
    EnvironmentNotFound: "environment_not_found", NOT_FOUND, "There is no such environment";
    FlagNotFound: "flag_not_found", NOT_FOUND, "There is no such flag";
    OverrideNotFound: "override_not_found", NOT_FOUND, "There is no such override";
    MethodNotAllowed: "method_not_allowed", METHOD_NOT_ALLOWED, "The route does not know this method";
    RequestTimeout: "request_timeout", REQUEST_TIMEOUT, "The body took too long";
    FlagExists: "flag_exists", CONFLICT, "The flag exists already";
    PreconditionFailed: "precondition_failed", PRECONDITION_FAILED, "The flag has changed meanwhile";
    BodyTooLarge: "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    UnsupportedMediaType: "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    Internal: "internal", INTERNAL_SERVER_ERROR, "Something went wrong here";
    NotReady: "not_ready", SERVICE_UNAVAILABLE, "The node is not ready";
    Behind: "behind", SERVICE_UNAVAILABLE, "The node is behind";
    StoreUnavailable: "store_unavailable", SERVICE_UNAVAILABLE, "The store cannot be reached";
    FlagUnreadable: "flag_unreadable", SERVICE_UNAVAILABLE, "The flag cannot be read";
    IdempotencyKeyReused: "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The key belongs to another request";
    IdempotencyKeysExhausted: "idempotency_keys_exhausted", SERVICE_UNAVAILABLE, "No more idempotency keys can be kept";
    OutcomeUnknown: "outcome_unknown", SERVICE_UNAVAILABLE, "The outcome of the write is unknown";
    Overloaded: "overloaded", SERVICE_UNAVAILABLE, "Too many requests at once";
}

impl Code {
    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }

    pub(crate) const fn status(self) -> StatusCode {
        self.row().1
    }

    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/errors.md");

    #[test]
    fn the_page_of_errors_tells_every_code_with_its_status_and_no_other() {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut told: Vec<(&str, String)> = rows
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                assert!(cells.len() == 6 && cells[..5].iter().all(|cell| !cell.is_empty()), "{row}");
                (cells[0].trim_end_matches('`'), cells[1].to_owned())
            })
            .collect();
        let due = Code::ALL.iter().map(|code| (code.name(), code.status().as_u16().to_string()));
        let mut due: Vec<(&str, String)> = due.collect();
        told.sort_unstable();
        due.sort_unstable();
        assert_eq!(told, due);
    }
}
