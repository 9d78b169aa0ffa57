//! The certificate that is shown to data planes, and the authorities that vouch for theirs. Whether the files are any good is seen
//! when the configuration is read.

use ccag_daemon::certificates::Certificates;
use ccag_doctor::checks::GRPC_CERTIFICATE;
use ccag_doctor::{Finding, certificate};

const SUBJECT: &str = "CCAG_GRPC_TLS_CERT";

pub(super) fn look(certificates: &Certificates, now_ms: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(facts) = &certificates.facts {
        if facts.names.is_empty() {
            findings.push(GRPC_CERTIFICATE.fault(
                SUBJECT,
                "it has no name that a data plane could check: a common name alone is not enough",
                "have it issued with subject alternative names: the host of CCAG_CONTROL_PLANE as data planes say it",
            ));
        }
        let renew = "renew it and put it in place; it is read again within half a minute";
        findings.push(certificate::judge(
            &GRPC_CERTIFICATE,
            SUBJECT,
            facts,
            now_ms,
            renew,
        ));
    }
    if let Some(authority) = &certificates.authority {
        let renew = "add the authority's next certificate to the file, have data planes' certificates issued by that, and then take \
                     this one out";
        findings.push(certificate::judge(
            &GRPC_CERTIFICATE,
            "CCAG_GRPC_CLIENT_CA",
            authority,
            now_ms,
            renew,
        ));
    }
    findings
}
