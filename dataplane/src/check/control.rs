//! The way to a control plane: the connection, its certificate, the join token, its clock.

use super::{LIMIT, now_ms};
use crate::sync::{ControlLink, Link, check_url};
use ccag_daemon::certificates::{Certificates, Facts, Followed};
use ccag_doctor::checks::{
    CLOCK, CONTROL_PLANE, CONTROL_PLANE_CERTIFICATE, DATA_PLANE_CERTIFICATE, JOIN_TOKEN,
};
use ccag_doctor::reach::{self, Distrust, Shaken};
use ccag_doctor::{Finding, certificate, clock, within};
use std::sync::Arc;
use tonic::Code;
use url::Url;

const CERTIFICATE_ADVICE: &str =
    "renew it on the control plane (CCAG_GRPC_TLS_CERT there); it is read again within half a minute";

pub(super) async fn look(link: &ControlLink, text: &str) -> Vec<Finding> {
    let Ok(url) = check_url(text) else {
        return Vec::new();
    };
    within(LIMIT, &CONTROL_PLANE, text, step_by_step(link, text, &url)).await
}

async fn step_by_step(link: &ControlLink, text: &str, url: &Url) -> Vec<Finding> {
    let host = url.host_str().unwrap_or_default();
    let stream = match reach::connect(host, url.port_or_known_default().unwrap_or(443)).await {
        Ok(stream) => stream,
        Err(why) => return vec![CONTROL_PLANE.fault(text, why.found(), why.advice())],
    };
    let mut findings = Vec::new();
    if url.scheme() == "https" {
        let certificates = certificates(link);
        let certificates = certificates.as_deref();
        let roots = certificates.and_then(|of| of.authorities.clone());
        let own = certificates.and_then(|of| of.own.clone());
        match reach::shake(stream, host, roots.unwrap_or_else(reach::machine_roots), own).await {
            Ok(shaken) => findings.extend(certificate_of(text, host, &shaken)),
            Err(reason) => {
                let found = format!("it does not speak TLS: {reason}");
                let advice = "look whether that is the gRPC port, and whether the control plane has CCAG_GRPC_TLS_CERT and \
                              CCAG_GRPC_TLS_KEY";
                return vec![CONTROL_PLANE.fault(text, found, advice)];
            }
        }
        if findings
            .iter()
            .any(|finding| finding.state == ccag_doctor::State::Fault)
        {
            findings.push(JOIN_TOKEN.skipped(text, "it is not sent to a server that is not trusted"));
            return findings;
        }
    }
    findings.extend(Box::pin(knock(link, text)).await);
    findings
}

fn certificates(link: &ControlLink) -> Option<Arc<Certificates>> {
    match link {
        ControlLink::Url { certificates, .. } => certificates.as_ref().map(Followed::current),
        ControlLink::Channel(_) => None,
    }
}

/// The certificate that this data plane shows, if it has one.
pub(super) fn own_certificate(link: &ControlLink) -> Option<Finding> {
    let certificates = certificates(link)?;
    let (subject, renew) = (
        "CCAG_GRPC_CLIENT_CERT",
        "renew it and put it in place; it is read again within half a minute",
    );
    let facts = certificates.facts.as_ref()?;
    Some(certificate::judge(
        &DATA_PLANE_CERTIFICATE,
        subject,
        facts,
        now_ms(),
        renew,
    ))
}

fn certificate_of(text: &str, host: &str, shaken: &Shaken) -> Vec<Finding> {
    let Some(facts) = shaken.chain.first().and_then(|own| Facts::read(own)) else {
        return vec![CONTROL_PLANE_CERTIFICATE.skipped(text, "its certificate cannot be read")];
    };
    let fault = |found: String, advice: &str| vec![CONTROL_PLANE_CERTIFICATE.fault(text, found, advice)];
    match &shaken.distrust {
        Some(Distrust::Issuer) => fault(
            "nobody who is trusted here has issued the certificate".to_owned(),
            "set CCAG_GRPC_CA to a PEM file with the certificate of the authority that has; a control plane with an intermediate \
             certificate has to send it along",
        ),
        Some(Distrust::Name) => fault(
            format!(
                "the certificate is for {}, and not for {host}",
                facts.names.join(", ")
            ),
            "let CCAG_CONTROL_PLANE say a name that is in it, or have one issued with this name",
        ),
        Some(Distrust::Other(reason)) => fault(
            format!("the certificate is not taken: {reason}"),
            CERTIFICATE_ADVICE,
        ),
        Some(Distrust::Time) | None => vec![certificate::judge(
            &CONTROL_PLANE_CERTIFICATE,
            text,
            &facts,
            now_ms(),
            CERTIFICATE_ADVICE,
        )],
    }
}

/// Opens the stream that a data plane follows, and says nothing on it: no data plane is seen for that.
async fn knock(link: &ControlLink, text: &str) -> Vec<Finding> {
    let ControlLink::Url {
        join_token,
        certificates,
        ..
    } = link
    else {
        return Vec::new();
    };
    let one = ControlLink::Url {
        urls: vec![text.to_owned()],
        join_token: join_token.clone(),
        certificates: certificates.clone(),
    };
    let link = match Link::new(&one, None) {
        Ok(link) => link,
        Err(error) => return vec![CONTROL_PLANE.fault(text, error.to_string(), "correct it")],
    };
    let mut client = link.config();
    let asked = now_ms();
    let answer = client.watch(tokio_stream::empty()).await;
    let answered = now_ms();
    let (date, answer) = match answer {
        Ok(answer) => {
            let date = answer
                .metadata()
                .get("date")
                .and_then(|value| value.to_str().ok());
            let date = date.and_then(clock::read_date);
            (date, answer.into_inner().message().await.map(|_| ()))
        }
        Err(status) => (None, Err(status)),
    };
    // Whether this data plane's own certificate is taken shows only now (RFC 8446, section 4.4.2.4).
    if let Some(trouble) = link.tls().take_trouble() {
        let (found, advice) = trouble.split_once("; ").unwrap_or((
            &trouble,
            "have one issued by an authority that the control plane lets in",
        ));
        return vec![
            DATA_PLANE_CERTIFICATE.fault(text, found, advice),
            JOIN_TOKEN.skipped(text, "the control plane has hung up before it was sent"),
        ];
    }
    match answer {
        // It misses the hello that a data plane begins with.
        Err(status) if status.code() == Code::InvalidArgument => {
            let mut findings = vec![
                CONTROL_PLANE.ok(text, "a control plane answers"),
                JOIN_TOKEN.ok(text, "it lets this data plane in"),
            ];
            findings.extend(date.map(|theirs| clock::compare(&CLOCK, text, theirs, asked, answered)));
            findings
        }
        Err(status) if status.code() == Code::Unauthenticated => vec![
            CONTROL_PLANE.ok(text, "a control plane answers"),
            JOIN_TOKEN.fault(
                text,
                "it turns this data plane away: the join token is not the control plane's",
                "set CCAG_JOIN_TOKEN (or CCAG_JOIN_TOKEN_FILE) here to what it is there; both may have been replaced, and only one started \
                 anew",
            ),
        ],
        Err(status) if status.code() == Code::Unavailable => vec![CONTROL_PLANE.fault(
            text,
            format!("it does not serve data planes now: {}", status.message()),
            "look again in a moment; if it stays so, look at the control plane's log",
        )],
        other => {
            let reason = other.err().map_or_else(String::new, |status| format!(": {}", status.message()));
            vec![CONTROL_PLANE.fault(
                text,
                format!("what answers is no control plane{reason}"),
                "name the address of CCAG_GRPC_LISTEN, not that of the console; a load balancer in between has to speak HTTP/2 to both sides",
            )]
        }
    }
}
