//! The way of Claude Code's requests: the split of paths, the key, headers, large bodies, streams.

use super::{ANSWER, Patient, stream, why};
use ccag_admin_api::Secret;
use ccag_doctor::checks::{BODY, HEADERS, IDLE, KEY, PATH_SPLIT, STREAM, VERSIONS};
use ccag_doctor::{Check, Finding, within};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// Where a data plane says what it has received.
const DOCTOR: &str = "/v1/messages/doctor";

/// How large a body is sent. Claude Code's grow beyond it.
const BODY_BYTES: usize = 8 << 20;

/// How long it may take.
const BODY_TIME: Duration = Duration::from_secs(40);

/// Values of a header that nobody acts on.
const BETAS: [&str; 2] = ["ccag-doctor-one", "ccag-doctor-two"];

const VERSION: &str = "2023-06-01";

/// How a key is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Bearer,
    ApiKey,
}

impl Shown {
    const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Authorization",
            Self::ApiKey => "x-api-key",
        }
    }

    fn on(self, request: RequestBuilder, key: &Secret) -> RequestBuilder {
        match self {
            Self::Bearer => request.bearer_auth(key.reveal()),
            Self::ApiKey => request.header("x-api-key", key.reveal()),
        }
    }
}

/// Looks at all of it. `control` is the version of the control plane.
pub(super) async fn look(patient: &Patient, key: Option<&Secret>, control: Option<&str>) -> Vec<Finding> {
    let (mut findings, knows_doctor) = split(patient).await;
    let rest: [&'static Check; 5] = [&KEY, &HEADERS, &BODY, &STREAM, &IDLE];
    let skip = |checks: &[&'static Check], why: &str| -> Vec<Finding> {
        let subject = patient.at(DOCTOR);
        checks.iter().map(|check| check.skipped(&subject, why)).collect()
    };
    match (knows_doctor, key) {
        (false, _) => findings.extend(skip(&rest, "no data plane answers that knows how")),
        (true, None) => findings.extend(skip(
            &rest,
            "there is no key for this gateway here: set CCAG_KEY to one (ccag keys create)",
        )),
        (true, Some(key)) => {
            let (of_key, taken) = try_key(patient, key).await;
            findings.extend(of_key);
            let Some((told, shown)) = taken else {
                findings.extend(skip(&rest[2..], "the key is not taken"));
                return findings;
            };
            findings.extend(version(&told, control));
            let ping = Duration::from_millis(told["ping_ms"].as_u64().unwrap_or(10_000));
            let request = |path: &str| shown.on(patient.http.post(patient.at(path)), key);
            let limit = BODY_TIME + Duration::from_secs(5);
            let (body, streamed) = tokio::join!(
                within(limit, &BODY, DOCTOR, body(request(DOCTOR))),
                stream::look(request("/v1/messages/doctor/stream"), ping),
            );
            findings.extend(body);
            findings.extend(streamed);
        }
    }
    findings
}

/// Whose answer something is.
#[derive(Debug, PartialEq, Eq)]
enum Answerer {
    DataPlane { status: u16 },
    ControlPlane,
    Other(String),
}

async fn answerer(answer: Response) -> Answerer {
    let status = answer.status();
    let kind = |answer: &Response, name: &str| {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let content = kind(&answer, "content-type");
    let server = kind(&answer, "server");
    let has_id = answer.headers().contains_key("request-id");
    let body: Option<Value> = answer.json().await.ok();
    let is_envelope = body.is_some_and(|body| body["type"] == "error" && body["error"]["type"].is_string());
    if is_envelope && has_id {
        Answerer::DataPlane {
            status: status.as_u16(),
        }
    } else if content.starts_with("application/problem+json") {
        Answerer::ControlPlane
    } else {
        let who = if server.is_empty() { "something" } else { &server };
        Answerer::Other(format!("{who} answers with {status}"))
    }
}

/// Whether inference leads to a data plane, and whether that knows this program.
async fn split(patient: &Patient) -> (Vec<Finding>, bool) {
    let paths = [
        (Method::POST, DOCTOR),
        (Method::GET, "/v1/models"),
        (Method::GET, "/api/oauth/usage"),
    ];
    let mut findings = Vec::new();
    let mut knows_doctor = false;
    let advice = "lead /v1/messages*, /v1/models*, /api/hello and /api/oauth/usage to the data planes and the rest to the control planes; or \
                  everything to data planes with CCAG_FORWARD_CONTROL";
    for (method, path) in paths {
        let subject = patient.at(path);
        let sent = patient
            .http
            .request(method, &subject)
            .timeout(ANSWER)
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answerer(answer).await,
            Err(error) => Answerer::Other(why(&error)),
        };
        match answer {
            Answerer::DataPlane { status: 503 } => findings.push(PATH_SPLIT.fault(
                &subject,
                "a data plane answers that has no configuration it may go by",
                "look at the data plane's log and at /readyz on its ops port: it has not heard of its control plane",
            )),
            Answerer::DataPlane { status } => {
                knows_doctor |= path == DOCTOR && status == 401;
            }
            Answerer::ControlPlane => findings.push(PATH_SPLIT.fault(
                &subject,
                "a control plane answers where a data plane should",
                advice,
            )),
            Answerer::Other(what) => findings.push(PATH_SPLIT.fault(&subject, what, advice)),
        }
    }
    if findings.is_empty() {
        findings.push(PATH_SPLIT.ok(patient.at("/v1"), "a data plane answers"));
    }
    (findings, knows_doctor)
}

/// Sends a small request with the key, and what headers Claude Code sends.
async fn ask(patient: &Patient, key: &Secret, shown: Shown) -> Result<Value, String> {
    let request = patient
        .http
        .post(patient.at(DOCTOR))
        .timeout(ANSWER)
        .header("anthropic-version", VERSION)
        .header("anthropic-beta", BETAS.join(","))
        .body("{}");
    let answer = shown.on(request, key).send().await.map_err(|error| why(&error))?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or(Value::Null);
    match status.is_success() {
        true => Ok(body),
        false => {
            let said = body["error"]["message"].as_str().unwrap_or("without saying why");
            Err(format!("{status}: {said}"))
        }
    }
}

/// The key, and what becomes of headers. Also how the key is to be shown from now on.
async fn try_key(patient: &Patient, key: &Secret) -> (Vec<Finding>, Option<(Value, Shown)>) {
    let subject = patient.at(DOCTOR);
    let (bearer, api_key) = tokio::join!(ask(patient, key, Shown::Bearer), ask(patient, key, Shown::ApiKey));
    let mut findings = Vec::new();
    let (told, shown) = match (bearer, api_key) {
        (Err(reason), Err(_)) => {
            let advice = "make a key (console: Keys, or ccag keys create), or sign in anew (docs/setup.md)";
            let found = format!("the key is refused: {reason}");
            findings.push(KEY.fault(&subject, found, advice));
            findings.push(HEADERS.skipped(&subject, "the key is not taken"));
            return (findings, None);
        }
        (Ok(told), Ok(_)) => (told, Shown::Bearer),
        (Ok(told), Err(reason)) => {
            findings.push(lost(&subject, Shown::ApiKey, &reason));
            (told, Shown::Bearer)
        }
        (Err(reason), Ok(told)) => {
            findings.push(lost(&subject, Shown::Bearer, &reason));
            (told, Shown::ApiKey)
        }
    };
    let received = &told["received"];
    let betas: Vec<&str> = received["anthropic_beta"]
        .as_array()
        .map(|betas| betas.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if BETAS.iter().any(|beta| !betas.contains(beta)) {
        findings.push(taken_away(&subject, "anthropic-beta"));
    }
    if received["anthropic_version"] != VERSION {
        findings.push(taken_away(&subject, "anthropic-version"));
    }
    if findings.is_empty() {
        findings.push(HEADERS.ok(&subject, "they arrive as they are sent"));
    }
    findings.push(models(patient, key, shown).await);
    (findings, Some((told, shown)))
}

fn lost(subject: &str, shown: Shown, reason: &str) -> Finding {
    HEADERS.fault(
        subject,
        format!("a key in {} does not arrive: {reason}", shown.name()),
        format!(
            "let the proxy before the gateway pass {} on; until then show the key in the other header (ANTHROPIC_AUTH_TOKEN is sent as \
             Authorization, ANTHROPIC_API_KEY as x-api-key)",
            shown.name()
        ),
    )
}

fn taken_away(subject: &str, header: &str) -> Finding {
    HEADERS.fault(
        subject,
        format!("{header} does not arrive as it was sent"),
        format!("let the proxy before the gateway pass {header} on unchanged: without it Claude Code loses features"),
    )
}

async fn models(patient: &Patient, key: &Secret, shown: Shown) -> Finding {
    let subject = patient.at("/v1/models");
    let request = patient.http.get(format!("{subject}?limit=1000")).timeout(ANSWER);
    let answer = match shown.on(request, key).send().await {
        Ok(answer) => answer.json::<Value>().await.unwrap_or(Value::Null),
        Err(error) => return KEY.skipped(subject, why(&error)),
    };
    match answer["data"].as_array().map_or(0, Vec::len) {
        0 => KEY.fault(
            subject,
            "the key is taken, and no model may be used with it",
            "look at the endpoints of the key's team and what they offer (ccag endpoints models), at policies, and at prices: a model without \
             one is not served",
        ),
        n => KEY.ok(subject, format!("the key is taken, and {n} models may be used with it")),
    }
}

fn version(told: &Value, control: Option<&str>) -> Option<Finding> {
    let (data, control) = (told["version"].as_str()?, control?);
    if data == control {
        return None;
    }
    Some(VERSIONS.warning(
        "the data plane and the control plane",
        format!("the data plane is of version {data}, and the control plane of {control}"),
        "finish the upgrade: both versions work together meanwhile (docs/upgrade.md)",
    ))
}

/// Sends a large body, and sees how much of it arrives.
async fn body(request: RequestBuilder) -> Vec<Finding> {
    let subject = format!("{DOCTOR}, {} MiB", BODY_BYTES >> 20);
    let advice = "let the proxy before the gateway take bodies of 32 MB: client_max_body_size 33m in nginx, \
                  nginx.ingress.kubernetes.io/proxy-body-size: 33m, and the limits of a web application firewall";
    let sent = request
        .timeout(BODY_TIME)
        .body(vec![b' '; BODY_BYTES])
        .send()
        .await;
    let finding = match sent {
        Err(error) => BODY.fault(subject, format!("it is not taken: {}", why(&error)), advice),
        Ok(answer) if !answer.status().is_success() => {
            BODY.fault(subject, format!("it is refused with {}", answer.status()), advice)
        }
        Ok(answer) => {
            let told: Value = answer.json().await.unwrap_or(Value::Null);
            let arrived = told["received"]["body_bytes"].as_u64().unwrap_or(0);
            match usize::try_from(arrived) == Ok(BODY_BYTES) {
                true => BODY.ok(subject, "it arrives whole"),
                false => BODY.fault(subject, format!("{arrived} bytes of it arrive"), advice),
            }
        }
    };
    vec![finding]
}
