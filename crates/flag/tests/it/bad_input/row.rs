//! One row of the table: a request, and how it has to be refused.

use crate::wire::Request;

/// A bad request and its answer.
#[derive(Clone, Debug)]
pub struct Row {
    pub request: Request,
    pub status: u16,
    pub code: &'static str,
    /// Every fault, as `place field`, in any order.
    pub faults: Vec<String>,
    /// The methods that the answer allows, in alphabetical order.
    pub allow: &'static str,
}

impl Request {
    /// The row in which it is refused with this status and code, and no word about a field.
    pub fn gets(self, status: u16, code: &'static str) -> Row {
        Row { request: self, status, code, faults: Vec::new(), allow: "" }
    }

    /// The row in which it is refused because the body is no JSON.
    pub fn malformed(self) -> Row {
        self.gets(400, "malformed_json")
    }

    /// The row in which it is refused because of exactly these faults, each written as `place field`.
    pub fn invalid(self, faults: &[&str]) -> Row {
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        Row { faults, ..self.gets(400, "invalid_input") }
    }

    /// The row in which it is refused because the route knows only these methods.
    pub fn not_allowed(self, allow: &'static str) -> Row {
        Row { allow, ..self.gets(405, "method_not_allowed") }
    }
}

pub fn get(path: impl Into<String>) -> Request {
    Request::new("GET", path)
}

pub fn delete(path: impl Into<String>) -> Request {
    Request::new("DELETE", path)
}

pub fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", path).json(body)
}

pub fn patch(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Request {
    Request::new("PATCH", path).json(body)
}
