//! The table: what Bedrock may say, and what has to become of it.

use bedrock_sim::Action;
use serde_json::{Value, json};

/// Where an error stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the status, where a whole answer was asked for.
    Whole,
    /// In the status, where a stream was asked for.
    Status,
    /// In the first event of a stream.
    First,
    /// After content.
    Middle,
}

/// What a refusal says about trying again.
#[derive(Debug, Clone, Copy)]
pub enum Wait {
    /// Nothing.
    Unsaid,
    /// `retry-after` between these seconds.
    After(u32, u32),
    /// `x-should-retry: false` and no `retry-after`.
    Never,
}
use self::Wait::{After, Never, Unsaid};

/// How often the accounts are asked, in the order of the route, if all of them fail alike.
pub type Asked = [usize; 3];

/// The next endpoint may do better, up to the last.
const ALL: Asked = [1, 1, 1];
/// Another one may do better, and no third one is asked.
const OTHER: Asked = [1, 1, 0];
/// Each, and the last one until all have been asked five times.
const FIVE: Asked = [1, 1, 3];
/// Nobody can do better.
pub const ONE: Asked = [1, 0, 0];
/// Once more without what was refused, since nothing else was.
const LESS: Asked = [2, 0, 0];
/// Once more at the same endpoint, then at the others.
const AGAIN: Asked = [2, 1, 1];

/// A row of the table.
pub struct Row {
    pub status: u16,
    pub kind: &'static str,
    pub message: &'static str,
    /// The model's own status.
    pub original: Option<u16>,
    /// What the client is told as status and type.
    pub told: (u16, &'static str),
    pub wait: Wait,
    /// Its type as an event in the middle of a stream, if it is another there.
    pub in_stream: &'static str,
    /// What the message has to hold.
    pub says: &'static str,
    pub asked: Asked,
    /// What the request has more than a prompt.
    pub more: fn(&mut Value),
}

const fn row(
    status: u16,
    kind: &'static str,
    message: &'static str,
    told: (u16, &'static str),
    wait: Wait,
    asked: Asked,
) -> Row {
    Row {
        status,
        kind,
        message,
        original: None,
        told,
        wait,
        in_stream: told.1,
        says: message,
        asked,
        more: |_| {},
    }
}

/// A fault of the request, which the client is told in Bedrock's words.
pub const fn unchanged(message: &'static str) -> Row {
    row(400, "ValidationException", message, INVALID, Unsaid, ONE)
}

/// An error that says that the account does not have the model.
const fn missing(status: u16, kind: &'static str, message: &'static str) -> Row {
    let says = "`claude-haiku-4-5` is not enabled";
    Row {
        says,
        ..row(status, kind, message, NO_MODEL, Unsaid, ALL)
    }
}

/// An error about the gateway's own credentials.
const fn stale(kind: &'static str, message: &'static str) -> Row {
    let says = "upstream credentials unavailable";
    Row {
        says,
        ..row(403, kind, message, OVERLOADED, After(5, 5), AGAIN)
    }
}

const fn told_in_stream_as(row: Row, in_stream: &'static str) -> Row {
    Row { in_stream, ..row }
}

const INVALID: (u16, &str) = (400, "invalid_request_error");
const LIMITED: (u16, &str) = (429, "rate_limit_error");
const OVERLOADED: (u16, &str) = (529, "overloaded_error");
const NO_MODEL: (u16, &str) = (404, "not_found_error");
const FAILED: (u16, &str) = (500, "api_error");
const BAD: (u16, &str) = (502, "api_error");

fn with_metadata(body: &mut Value) {
    body["metadata"] = json!({"user_id": "somebody"});
}

fn throttling(message: &'static str) -> Row {
    let row = row(429, "ThrottlingException", message, LIMITED, After(2, 20), ALL);
    told_in_stream_as(row, "overloaded_error")
}

/// What Bedrock may say of capacity, of itself and of the model.
fn of_bedrock() -> Vec<Row> {
    let quota = |status, kind, message| {
        told_in_stream_as(
            row(status, kind, message, LIMITED, Never, ALL),
            "overloaded_error",
        )
    };
    let model = |original, told, wait, asked| Row {
        original,
        ..row(
            424,
            "ModelErrorException",
            "the model stumbled",
            told,
            wait,
            asked,
        )
    };
    vec![
        throttling("Too many tokens, please wait before trying again."),
        throttling("Too many requests, please wait before trying again."),
        throttling("Rate exceeded"),
        quota(
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
        ),
        quota(
            400,
            "ServiceQuotaExceededException",
            "You have reached your quota.",
        ),
        row(
            429,
            "ModelNotReadyException",
            "The model is not ready.",
            OVERLOADED,
            After(5, 5),
            FIVE,
        ),
        row(
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
            OVERLOADED,
            After(3, 3),
            ALL,
        ),
        row(
            500,
            "InternalServerException",
            "An internal server error occurred.",
            FAILED,
            After(1, 60),
            OTHER,
        ),
        row(
            408,
            "ModelTimeoutException",
            "The model took too long.",
            (504, "timeout_error"),
            After(1, 60),
            ONE,
        ),
        model(None, BAD, After(1, 60), ALL),
        model(Some(500), BAD, After(1, 60), ALL),
        model(Some(400), INVALID, Unsaid, ONE),
        row(
            424,
            "ModelStreamErrorException",
            "the stream stumbled",
            BAD,
            After(1, 60),
            ALL,
        ),
        row(
            400,
            "ConflictException",
            "The resource is in use.",
            FAILED,
            After(1, 60),
            AGAIN,
        ),
        Row {
            says: "larger than Bedrock takes",
            ..row(
                413,
                "RequestEntityTooLargeException",
                "too large",
                (413, "request_too_large"),
                Unsaid,
                ONE,
            )
        },
        Row {
            says: "does not offer this operation",
            ..row(404, "UnknownOperationException", "", BAD, Unsaid, ALL)
        },
    ]
}

/// What it may say of accounts, credentials and models.
fn of_accounts() -> Vec<Row> {
    let denied = |message| missing(403, "AccessDeniedException", message);
    vec![
        denied("You don't have access to the model with the specified model ID."),
        denied("anthropic.claude-haiku-4-5 is not available for this account."),
        denied("Model access is denied due to an invalid AWS Marketplace subscription."),
        denied(
            "User: arn:aws:sts::123456789012:assumed-role/gw/x is not authorized to perform: bedrock:InvokeModel",
        ),
        stale(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        stale(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        stale("InvalidSignatureException", "Signature expired"),
        stale("SignatureDoesNotMatch", "The request signature does not match"),
        stale("AccessDeniedException", "Bearer Token has expired"),
        missing(
            404,
            "ResourceNotFoundException",
            "The inference profile was not found.",
        ),
        missing(
            404,
            "ResourceNotFoundException",
            "This Model is marked by provider as Legacy and you have not been actively using the model in the last 30 days.",
        ),
        missing(
            400,
            "ValidationException",
            "Invocation of model ID anthropic.claude-haiku-4-5 with on-demand throughput isn\u{2019}t supported. Retry your \
             request with the ID or ARN of an inference profile that contains this model.",
        ),
        missing(
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        missing(
            400,
            "ValidationException",
            "data retention mode 'default' is not available for this model",
        ),
    ]
}

/// What it may say of the request.
fn of_requests() -> Vec<Row> {
    let overflow = |message| Row {
        says: "Input is too long for requested model.",
        ..unchanged(message)
    };
    let less = |message, more| Row {
        asked: LESS,
        more,
        ..unchanged(message)
    };
    vec![
        unchanged("Input is too long for requested model."),
        unchanged("Input is too long."),
        unchanged("prompt is too long: 250000 tokens > 200000 maximum"),
        overflow("expected maxLength: 4000000"),
        overflow("Too many input tokens"),
        overflow("prompt: length: 1..100000"),
        unchanged(
            "input length and `max_tokens` exceed context limit: 198000 + 4096 > 200000, decrease input length",
        ),
        unchanged("messages.1.content.0: Invalid `signature` in `thinking` block"),
        unchanged(
            "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
        ),
        unchanged("messages: roles must alternate between \"user\" and \"assistant\""),
        unchanged("messages.0.content.0.image.source: image exceeds 5 MB maximum"),
        unchanged("messages: text content blocks must be non-empty"),
        unchanged("a `ttl='1h'` cache_control block must not come after a `ttl='5m'` cache_control block"),
        unchanged("something that nobody has ever heard of"),
        Row {
            says: "max_tokens: the model takes at most 10",
            ..less(
                "The maximum tokens you requested exceeds the model limit of 10. Try again with a maximum tokens value that \
                 is lower than 10.",
                |_| {},
            )
        },
        less("stop_sequences: Extra inputs are not permitted", |body| {
            body["stop_sequences"] = json!(["stop"]);
        }),
        less(
            "#: extraneous key [stop_sequences] is not permitted, please reformat your input and try again.",
            |body| {
                body["stop_sequences"] = json!(["stop"]);
            },
        ),
        unchanged("temperature: Extra inputs are not permitted"),
        less(
            "Request metadata contains a value that violates the regular expression",
            with_metadata,
        ),
        Row {
            told: (400, "policy_blocked"),
            in_stream: "policy_blocked",
            ..unchanged("tool type 'browser_20260801' is not supported")
        },
        Row {
            told: BAD,
            in_stream: BAD.1,
            wait: Never,
            says: "Bedrock refused the betas",
            more: |body| {
                body["anthropic-beta"] = json!("fine-grained-tool-streaming-2025-05-14,context-1m-2025-08-07")
            },
            // With the fewest betas, then without any.
            asked: [3, 0, 0],
            ..unchanged("invalid beta flag")
        },
        Row {
            more: |body| body["anthropic-beta"] = json!("context-1m-2025-08-07"),
            asked: LESS,
            ..unchanged("Unexpected value(s) `context-1m-2025-08-07` for the `anthropic-beta` header.")
        },
    ]
}

pub fn table() -> Vec<Row> {
    let mut rows = of_bedrock();
    rows.extend(of_accounts());
    rows.extend(of_requests());
    rows
}

impl Row {
    pub fn action(&self, place: Place) -> Action {
        let message = self.message.to_owned();
        let exception = |after| Action::Exception {
            after,
            // As the events of a stream are named.
            error_type: self.kind[..1].to_lowercase() + &self.kind[1..],
            message: message.clone(),
            original_status: self.original,
        };
        match (place, self.original) {
            (Place::Whole | Place::Status, Some(original_status)) => Action::ModelError {
                message,
                original_status,
            },
            (Place::Whole | Place::Status, None) => Action::Error {
                status: self.status,
                error_type: self.kind.to_owned(),
                message,
            },
            (Place::First, _) => exception(0),
            (Place::Middle, _) => exception(4),
        }
    }

    pub fn body(&self, place: Place) -> Value {
        let mut body = json!({
            "model": "claude-haiku-4-5", "max_tokens": 64, "stream": place != Place::Whole,
            "messages": [{"role": "user", "content": "tell me something [sim: text=400, events=8]"}],
        });
        (self.more)(&mut body);
        body
    }
}
