//! What each source takes, as data. `docs/gateways.md` says where the numbers come from.

use std::time::Duration;

use axum::http::{Uri, request::Parts};

use super::Source;

/// What one source takes, and how long it waits.
pub(super) struct Limits {
    /// Which parts of a request's head count as one sum.
    counted: Counted,
    /// The largest sum of them.
    head: usize,
    /// The longest single line of the head.
    line: usize,
    /// The largest body.
    pub(super) body: usize,
    /// The largest event, as JSON.
    pub(super) event: usize,
    /// The largest answer of the function, as JSON.
    pub(super) answer: usize,
    /// How long the function may take.
    pub(super) patience: Duration,
}

#[derive(Clone, Copy)]
enum Counted {
    Values,
    RequestLineAndValues,
    Everything,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What Lambda takes in one synchronous invocation.
const LAMBDA_EVENT: usize = 6 * MIB;
/// What Lambda takes for an answer: a little more, and nobody says why.
const LAMBDA_ANSWER: usize = 6 * MIB + 100;
/// How long Lambda lets a function run at most.
const LAMBDA_PATIENCE: Duration = Duration::from_secs(15 * 60);

const HTTP_API: Limits = Limits {
    counted: Counted::RequestLineAndValues,
    head: 10 * KIB,
    line: usize::MAX,
    body: 10 * MIB,
    event: LAMBDA_EVENT,
    answer: LAMBDA_ANSWER,
    patience: Duration::from_secs(30),
};

const REST_API: Limits =
    Limits { counted: Counted::Values, patience: Duration::from_secs(29), ..HTTP_API };

/// Lambda itself answers for a function URL: what it takes is an event.
const FUNCTION_URL: Limits = Limits {
    counted: Counted::RequestLineAndValues,
    head: MIB,
    line: usize::MAX,
    body: LAMBDA_EVENT,
    event: LAMBDA_EVENT,
    answer: LAMBDA_ANSWER,
    patience: LAMBDA_PATIENCE,
};

const LOAD_BALANCER: Limits = Limits {
    counted: Counted::Everything,
    head: 64 * KIB,
    line: 16 * KIB,
    body: MIB,
    event: LAMBDA_EVENT,
    answer: MIB,
    patience: LAMBDA_PATIENCE,
};

impl Source {
    pub(super) fn limits(self) -> &'static Limits {
        match self {
            Self::HttpApi => &HTTP_API,
            Self::RestApi => &REST_API,
            Self::FunctionUrl => &FUNCTION_URL,
            Self::Alb | Self::AlbMultiValue => &LOAD_BALANCER,
        }
    }
}

impl Limits {
    /// Whether the request line and the headers are small enough.
    pub(super) fn admit(&self, parts: &Parts) -> bool {
        let request_line = parts.method.as_str().len() + target(&parts.uri) + " HTTP/1.1 ".len();
        let (mut values, mut longest, mut everything) = (0, request_line, request_line);
        for (name, value) in &parts.headers {
            let line = name.as_str().len() + ": ".len() + value.len();
            values += value.len();
            everything += line;
            longest = longest.max(line);
        }
        let sum = match self.counted {
            Counted::Values => values,
            Counted::RequestLineAndValues => request_line + values,
            Counted::Everything => everything,
        };
        sum <= self.head && longest <= self.line
    }
}

fn target(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |target| target.as_str().len())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::Source;

    fn admits(source: Source, path: &str, headers: &[usize]) -> bool {
        let mut request = Request::get(path);
        for size in headers {
            request = request.header("abcd", "x".repeat(*size));
        }
        source.limits().admit(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn counts_the_request_line_and_the_values_of_an_http_api() {
        let line = "GET /abc HTTP/1.1".len();
        assert!(admits(Source::HttpApi, "/abc", &[10_240 - line - 7, 7]));
        assert!(!admits(Source::HttpApi, "/abc", &[10_240 - line - 7, 8]));
    }

    #[test]
    fn counts_the_values_of_a_rest_api() {
        assert!(admits(Source::RestApi, "/abc", &[10_240 - 7, 7]));
        assert!(!admits(Source::RestApi, "/abc", &[10_240 - 7, 8]));
    }

    #[test]
    fn counts_lines_and_all_of_them_at_a_load_balancer() {
        let (line, name) = (16 * 1024, "abcd: ".len());
        assert!(admits(Source::Alb, "/abc", &[line - name]));
        assert!(!admits(Source::Alb, "/abc", &[line - name + 1]));
        assert!(!admits(Source::Alb, &format!("/{}", "x".repeat(line)), &[]));
        let request_line = "GET /abc HTTP/1.1".len();
        let rest = 64 * 1024 - 3 * line - request_line - name;
        assert!(admits(Source::Alb, "/abc", &[line - name, line - name, line - name, rest]));
        assert!(!admits(Source::Alb, "/abc", &[line - name, line - name, line - name, rest + 1]));
    }

    #[test]
    fn hardly_counts_at_a_function_url() {
        assert!(admits(Source::FunctionUrl, "/abc", &[500_000]));
    }
}
