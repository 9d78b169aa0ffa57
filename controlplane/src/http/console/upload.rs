//! Forms with a file: `multipart/form-data` (RFC 7578), with the session's token like any other form.

use super::form::FormData;
use super::visitor::Visitor;
use crate::http::HttpState;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::response::Response;
use ccag_console::page::Trouble;

/// The largest form with a file, in bytes.
const MAX: usize = crate::http::catalogue::MAX_PRICE_LIST + 64 * 1024;

/// A form with a file that somebody signed in has sent, with their session's token. Handlers that take this see no others.
pub(super) struct Uploaded {
    pub(super) visitor: Visitor,
    pub(super) form: FormData,
    /// What the file holds; `None` if none was chosen, or if it is no text.
    pub(super) file: Option<String>,
}

impl FromRequest<HttpState> for Uploaded {
    type Rejection = Response;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let boundary = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(boundary);
        let body = axum::body::to_bytes(body, MAX).await.ok();
        let read = boundary
            .zip(body)
            .and_then(|(boundary, body)| read(&boundary, &body));
        let Some((fields, file)) = read else {
            return Err(visitor.trouble(Trouble::BadRequest {
                detail: "The form is too large, or was not sent as a form with a file.".to_owned(),
            }));
        };
        let form = FormData::new(fields);
        if form.carries(&visitor.session.csrf) {
            return Ok(Self { visitor, form, file });
        }
        let back = visitor.here().to_owned();
        Err(visitor.trouble(Trouble::StaleForm { back }))
    }
}

/// The boundary in a content type.
fn boundary(content_type: &str) -> Option<String> {
    let rest = content_type.strip_prefix("multipart/form-data")?;
    let value = rest.split(';').find_map(|p| p.trim().strip_prefix("boundary="))?;
    let value = value.trim_matches('"');
    (1..=70).contains(&value.len()).then(|| value.to_owned())
}

type Fields = Vec<(String, String)>;

/// The fields of a form, and the file in it.
fn read(boundary: &str, body: &[u8]) -> Option<(Fields, Option<String>)> {
    let (mut fields, mut file) = (Fields::new(), None);
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    loop {
        // After the last delimiter come two dashes.
        rest = match rest.strip_prefix(b"\r\n") {
            Some(rest) => rest,
            None => return rest.starts_with(b"--").then_some((fields, file)),
        };
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        rest = &rest[head_end + 4..];
        let end = find(rest, delimiter.as_bytes())?;
        let content = std::str::from_utf8(&rest[..end]).ok();
        rest = &rest[end + delimiter.len()..];
        let disposition = head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        let name = parameter(disposition, "name")?;
        if parameter(disposition, "filename").is_some() {
            file = content.filter(|text| !text.is_empty()).map(str::to_owned);
        } else {
            fields.push((name, content?.to_owned()));
        }
    }
}

/// A quoted parameter of a header: `name="file"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    let start = format!("; {name}=\"");
    let rest = &header[header.find(&start)? + start.len()..];
    Some(rest[..rest.find('"')?].to_owned())
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    // The first byte is looked for on its own, which is quick over a file of many megabytes.
    let first = *part.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|b| *b == first) {
        if text[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n--x\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n\
        a,b\r\n--y\r\n\r\n--x--\r\n";

    #[test]
    fn fields_and_file_are_told_apart() {
        let (fields, file) = read("x", BODY.as_bytes()).unwrap();
        assert_eq!(fields, [("csrf".to_owned(), "abc".to_owned())]);
        assert_eq!(file.as_deref(), Some("a,b\r\n--y\r\n"));
        assert_eq!(boundary("multipart/form-data; boundary=x").as_deref(), Some("x"));
        assert_eq!(
            boundary("multipart/form-data; boundary=\"x\"").as_deref(),
            Some("x")
        );
        assert_eq!(boundary("application/x-www-form-urlencoded"), None);
    }

    #[test]
    fn a_form_that_breaks_off_is_none() {
        for end in 0..BODY.len() - 4 {
            assert_eq!(read("x", &BODY.as_bytes()[..end]), None, "{end}");
        }
        assert_eq!(read("z", BODY.as_bytes()), None);
    }

    #[test]
    fn a_file_that_is_no_text_is_none() {
        let body =
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\xff\xfe\r\n--x--";
        assert_eq!(read("x", body).unwrap().1, None);
    }
}
