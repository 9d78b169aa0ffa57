//! Mail.

use super::super::settings::Way;
use super::{TIME, lines};
use ccag_admin_api::{EventBody, Secret};
use ccag_domain::{MailSecurity, Severity};
use ccag_search::guard::{NotAdmitted, resolve};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rustls::CertificateError;
use std::error::Error;

/// The longest that certificates may be, in bytes.
const MAX_PEM: usize = 100_000;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Reads an address: `ops@example.com` or `Ops <ops@example.com>`.
pub(in super::super) fn mailbox(text: &str) -> Result<Mailbox, lettre::address::AddressError> {
    text.parse()
}

/// Hands a mail about an event to the server. Its `Message-ID` is the event's id, so that one that is sent again is the same mail.
pub(super) async fn send(way: &Way, event: &EventBody) -> Result<String, String> {
    let message = message(way, event)?;
    let settings = &way.settings;
    let host = settings.host.as_deref().unwrap_or_default();
    let port = settings.port.unwrap_or(25);
    // What is connected to is what was checked.
    let addresses = resolve(host, port, way.reach()).await.map_err(|error| {
        if error.is::<NotAdmitted>() {
            "The mail server is in a private network or on this machine, and that is not allowed for this destination."
                .to_owned()
        } else {
            format!("The mail server's name cannot be resolved: {error}.")
        }
    })?;
    let address = addresses.first().ok_or("The mail server has no address.")?;
    let parameters = || {
        let mut parameters = TlsParameters::builder(host.to_owned());
        if let Some(pem) = &settings.ca_certificates {
            let own = Certificate::from_pem(pem.as_bytes())
                .map_err(|error| format!("The authority's certificates cannot be read: {error}."))?;
            parameters = parameters.add_root_certificate(own);
        }
        let built = parameters.build_rustls();
        built.map_err(|error| format!("TLS cannot be set up: {error}."))
    };
    let tls = match settings.security.unwrap_or_default() {
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(port)
        .tls(tls)
        .timeout(Some(TIME));
    if let (Some(name), Some(password)) = (&settings.username, &way.hidden.password) {
        transport = transport.credentials(Credentials::new(
            name.clone(),
            Secret::reveal(password).to_owned(),
        ));
    }
    let answer = transport
        .build()
        .send(message)
        .await
        .map_err(|error| refusal(&error))?;
    let said: Vec<&str> = answer.message().collect();
    Ok(format!(
        "The mail server answered with {} {}",
        answer.code(),
        said.join(" ")
    ))
}

/// Why a mail was not taken.
fn refusal(error: &smtp::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let wrapped = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let of_tls = wrapped
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .or_else(|| inner.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(why)) = of_tls {
            return match why {
                CertificateError::UnknownIssuer => "The mail server's certificate is not accepted: nobody whom this machine trusts \
                                                    has issued it. If it is of an authority of your own, enter that authority's \
                                                    certificate."
                    .to_owned(),
                why => format!("The mail server's certificate is not accepted: {why}."),
            };
        }
        cause = inner.source();
    }
    let causes = ccag_aws::causes(error);
    format!("The mail server does not take it: {causes}.")
}

/// Reads certificates in PEM; what else stands in the text is not kept, least of all a key.
///
/// # Errors
/// What is wrong with them, for people.
pub(in super::super) fn authorities(pem: Option<String>) -> Result<Option<String>, String> {
    let Some(pem) = pem.filter(|pem| !pem.trim().is_empty()) else {
        return Ok(None);
    };
    if pem.len() > MAX_PEM {
        return Err("These are more than 100,000 characters.".to_owned());
    }
    let mut kept = String::new();
    for part in pem.split(BEGIN).skip(1) {
        let body = part.split(END).next().unwrap_or_default();
        kept.push_str(BEGIN);
        kept.push_str(body);
        kept.push_str(END);
        kept.push('\n');
    }
    let wrong = || format!("These are not certificates in PEM, which begin with `{BEGIN}`.");
    if kept.is_empty() {
        return Err(wrong());
    }
    let read = Certificate::from_pem(kept.as_bytes()).map_err(|_| wrong())?;
    // Only with an authority in hand it is known that it can be one.
    TlsParameters::builder("localhost".to_owned())
        .add_root_certificate(read)
        .build_rustls()
        .map_err(|_| wrong())?;
    Ok(Some(kept))
}

fn message(way: &Way, event: &EventBody) -> Result<Message, String> {
    let settings = &way.settings;
    let wrong = |error: &dyn std::error::Error| format!("The mail cannot be written: {error}.");
    let from = mailbox(settings.from.as_deref().unwrap_or_default()).map_err(|error| wrong(&error))?;
    let domain = from.email.domain().to_owned();
    let mut message: MessageBuilder = Message::builder()
        .from(from)
        .message_id(Some(format!("<{}@{domain}>", event.id)))
        .subject(subject(event));
    for to in &settings.to {
        message = message.to(mailbox(to).map_err(|error| wrong(&error))?);
    }
    let body = format!(
        "{}\n\n{} at {}\n{}\n",
        lines(event),
        event.kind,
        event.timestamp,
        event.id
    );
    message
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| wrong(&error))
}

/// The event's line, as far as it fits.
fn subject(event: &EventBody) -> String {
    let mark = match event.severity {
        Severity::Info => "CCAG",
        Severity::Warning => "CCAG warning",
        Severity::Critical => "CCAG critical",
    };
    let line: String = event.text.chars().take(150).collect();
    format!("{mark}: {line}")
}
