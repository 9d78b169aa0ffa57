//! What a certificate says of itself, for people: whose it is, and when it ends. Whether it may be trusted is decided by TLS alone.

use time::{Date, Month};

/// The common name in a name (RFC 5280, appendix A: `id-at-commonName`).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Names beside the subject's (RFC 5280, 4.2.1.6: `id-ce-subjectAltName`).
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The most characters that are shown of a name: a stranger may have written it.
const LONGEST: usize = 100;

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERAL_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const URI_NAME: u8 = 0x86;

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The common name, or else the first alternative name; empty where there is neither. Fit to be logged.
    pub subject: String,
    /// The common name of whoever signed it; empty where there is none. Fit to be logged.
    pub issuer: String,
    /// When it ends, in seconds since 1970.
    pub not_after_s: i64,
}

impl Facts {
    /// Reads a certificate in DER (RFC 5280, 4.1); `None` if it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).expect(SEQUENCE)?);
        let mut body = Der(certificate.expect(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.next()?;
        }
        let (_serial, _algorithm) = (body.next()?, body.next()?);
        let issuer = body.expect(SEQUENCE)?;
        let mut validity = Der(body.expect(SEQUENCE)?);
        let (_not_before, (tag, not_after)) = (validity.next()?, validity.next()?);
        let subject = body.expect(SEQUENCE)?;
        let name = common_name(subject).or_else(|| alternative_name(body));
        Some(Self {
            subject: name.unwrap_or_default(),
            issuer: common_name(issuer).unwrap_or_default(),
            not_after_s: seconds(tag, not_after)?,
        })
    }
}

/// Values of DER, one after another.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value, as its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            ..=0x7f => usize::from(first),
            0x81..=0x83 => {
                let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next value, which has this tag.
    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(tag, _)| *tag == wanted)
            .map(|(_, content)| content)
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Der::next(self)
    }
}

fn common_name(name: &[u8]) -> Option<String> {
    let mut attributes = Der(name).flat_map(|(_, set)| Der(set));
    attributes.find_map(|(_, attribute)| {
        let mut attribute = Der(attribute);
        let is_common = attribute.expect(OBJECT_ID)? == COMMON_NAME;
        let (_, text) = attribute.next()?;
        is_common.then(|| shown(text))
    })
}

/// The first name for a host or of a workload, in what follows the subject.
fn alternative_name(after_subject: Der<'_>) -> Option<String> {
    let mut after_subject = after_subject;
    let (_, extensions) = after_subject.find(|(tag, _)| *tag == EXTENSIONS)?;
    let names = Der(Der(extensions).expect(SEQUENCE)?).find_map(|(_, extension)| {
        let mut extension = Der(extension);
        let is_wanted = extension.expect(OBJECT_ID)? == ALTERNATIVE_NAMES;
        let (_, content) = extension.find(|(tag, _)| *tag == OCTETS)?;
        is_wanted.then_some(content)
    })?;
    let (_, name) = Der(Der(names).expect(SEQUENCE)?).find(|(tag, _)| matches!(*tag, DNS_NAME | URI_NAME))?;
    Some(shown(name))
}

fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

/// A time of a certificate: `YYMMDDHHMMSSZ` up to 2049, then `YYYYMMDDHHMMSSZ` (RFC 5280, 4.1.2.5).
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let pair = |at: usize| Some((digits.get(at)? - b'0') * 10 + digits.get(at + 1)? - b'0');
    let (year, at) = match (tag, digits.len()) {
        (UTC_TIME, 12) => match i32::from(pair(0)?) {
            year @ ..50 => (2_000 + year, 2),
            year => (1_900 + year, 2),
        },
        (GENERAL_TIME, 14) => (i32::from(pair(0)?) * 100 + i32::from(pair(2)?), 4),
        _ => return None,
    };
    let month = Month::try_from(pair(at)?).ok()?;
    let date = Date::from_calendar_date(year, month, pair(at + 2)?).ok()?;
    let moment = date.with_hms(pair(at + 4)?, pair(at + 6)?, pair(at + 8)?).ok()?;
    Some(moment.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::tests::{Authority, named};

    #[test]
    fn a_certificate_says_whose_it_is_and_when_it_ends() {
        let authority = Authority::new("planes");
        let mut wish = named("dp-1");
        wish.not_after = time::macros::datetime!(2027-02-28 23:59:58 UTC);
        let read = |wish| Facts::read(authority.sign(wish).cert.der()).unwrap();
        assert_eq!(
            read(wish),
            Facts {
                subject: "dp-1".to_owned(),
                issuer: "planes".to_owned(),
                not_after_s: 1_803_859_198,
            }
        );
        // Beyond 2049 times are written in another way.
        let mut late = named("dp-1");
        late.not_after = time::macros::datetime!(2100-01-01 0:00 UTC);
        assert_eq!(read(late).not_after_s, 4_102_444_800);
    }

    #[test]
    fn a_certificate_without_a_subject_goes_by_its_alternative_name() {
        let authority = Authority::new("planes");
        let mut wish = rcgen::CertificateParams::new(vec!["data.example".to_owned()]).unwrap();
        wish.distinguished_name = rcgen::DistinguishedName::new();
        let facts = Facts::read(authority.sign(wish.clone()).cert.der()).unwrap();
        assert_eq!(facts.subject, "data.example");
        wish.subject_alt_names.clear();
        assert_eq!(Facts::read(authority.sign(wish).cert.der()).unwrap().subject, "");
    }

    #[test]
    fn nothing_of_a_name_can_forge_a_line_of_a_log() {
        let authority = Authority::new("planes");
        let facts = Facts::read(authority.sign(named("one\nINFO all is well")).cert.der()).unwrap();
        assert_eq!(facts.subject, "one\\nINFO all is well");
        let long = Facts::read(authority.sign(named(&"x".repeat(1_000))).cert.der()).unwrap();
        assert_eq!(long.subject.len(), LONGEST);
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_no_cause_to_panic() {
        let authority = Authority::new("planes");
        let whole = authority.sign(named("dp-1")).cert.der().to_vec();
        for end in 0..whole.len() {
            assert_eq!(Facts::read(&whole[..end]), None);
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = Facts::read(&changed);
            }
        }
    }
}
