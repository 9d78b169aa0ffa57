//! Which trace a span belongs to, and whether it is recorded: W3C Trace Context.
//!
//! <https://www.w3.org/TR/trace-context/>

use ccag_domain::Rng;
use http::HeaderMap;

/// A longer `tracestate` is not passed on; the standard asks for at least this much.
const MAX_STATE: usize = 512;

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether the flag of a parent decides where there is one.
    pub heeds_parents: bool,
    /// The share of the others, from 0 to 1.
    pub ratio: f64,
}

/// A place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    is_sampled: bool,
    state: Option<String>,
}

impl TraceContext {
    /// What `traceparent` and `tracestate` name, if it is well-formed.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all("traceparent").iter();
        let (parent, None) = (all.next()?, all.next()) else {
            return None;
        };
        let context = Self::parse(parent.to_str().ok()?)?;
        let states = headers.get_all("tracestate");
        let states: Option<Vec<&str>> = states.iter().map(|state| state.to_str().ok()).collect();
        let state = states
            .map(|states| states.join(","))
            .filter(|state| !state.is_empty() && state.len() <= MAX_STATE);
        Some(Self { state, ..context })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = parts
            .next()
            .filter(|v| v.len() == 2 && is_lower_hex(v) && *v != "ff")?;
        let trace_id = bytes::<16>(parts.next()?)?;
        let span_id = bytes::<8>(parts.next()?)?;
        let [flags] = bytes::<1>(parts.next()?)?;
        // Later versions may append parts.
        let is_over = parts.next().is_none() || version != "00";
        let is_valid = is_over && trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(Self {
            trace_id,
            span_id,
            is_sampled: flags & 1 == 1,
            state: None,
        })
    }

    /// A place below a parent, or at the root of a new trace.
    pub(super) fn begin(parent: Option<&Self>, is_remote: bool, sampler: Sampler, rng: &dyn Rng) -> Self {
        let mut span_id = [0; 8];
        rng.fill(&mut span_id);
        span_id[7] |= u8::from(span_id == [0; 8]);
        let (trace_id, state) = parent.map_or_else(
            || {
                let mut id = [0; 16];
                rng.fill(&mut id);
                id[0] |= 1;
                (id, None)
            },
            |parent| (parent.trace_id, parent.state.clone()),
        );
        let is_sampled = match parent {
            Some(parent) if sampler.heeds_parents || !is_remote => parent.is_sampled,
            _ => is_among(&trace_id, sampler.ratio),
        };
        Self {
            trace_id,
            span_id,
            is_sampled,
            state,
        }
    }

    /// The value of `traceparent` for whoever is called from here.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (trace, span) = (hex(&self.trace_id), hex(&self.span_id));
        format!("00-{trace}-{span}-0{}", u8::from(self.is_sampled))
    }

    /// Whether spans of it are recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    pub(super) fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    pub(super) fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    pub(super) fn state(&self) -> &str {
        self.state.as_deref().unwrap_or_default()
    }
}

/// Whether a trace is in the sample: by its id alone, so that everybody who samples so takes the same ones.
fn is_among(trace_id: &[u8; 16], ratio: f64) -> bool {
    let [.., a, b, c, d] = *trace_id;
    let place = f64::from(u32::from_be_bytes([a, b, c, d]));
    place < ratio * (f64::from(u32::MAX) + 1.0)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !is_lower_hex(hex) {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::rng::SequenceRng;
    use http::HeaderValue;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parent: &str, state: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(parent).unwrap());
        headers.insert("tracestate", HeaderValue::from_str(state).unwrap());
        headers
    }

    #[test]
    fn a_parent_is_taken_if_it_is_well_formed_and_otherwise_left() {
        let context = TraceContext::of(&headers(PARENT, "vendor=1")).unwrap();
        assert_eq!(context.traceparent(), PARENT);
        assert_eq!(context.state(), "vendor=1");
        for bad in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-short-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::of(&headers(bad, "")), None, "{bad}");
        }
        let long = "x".repeat(MAX_STATE + 1);
        assert_eq!(TraceContext::of(&headers(PARENT, &long)).unwrap().state(), "");
        let mut twice = headers(PARENT, "");
        twice.append("traceparent", HeaderValue::from_static(PARENT));
        assert_eq!(TraceContext::of(&twice), None);
    }

    #[test]
    fn a_parent_decides_where_it_is_heeded_and_the_ratio_elsewhere() {
        let rng = SequenceRng::new(7);
        let parent = TraceContext::of(&headers(PARENT, "")).unwrap();
        let none = Sampler {
            heeds_parents: true,
            ratio: 0.0,
        };
        let child = TraceContext::begin(Some(&parent), true, none, &rng);
        assert!(
            child.is_sampled()
                && child.trace_id() == parent.trace_id()
                && child.span_id() != parent.span_id()
        );
        let deaf = Sampler {
            heeds_parents: false,
            ratio: 0.0,
        };
        assert!(!TraceContext::begin(Some(&parent), true, deaf, &rng).is_sampled());
        // Within the process a trace is recorded whole or not at all.
        assert!(TraceContext::begin(Some(&parent), false, deaf, &rng).is_sampled());
        let quarter = Sampler {
            heeds_parents: true,
            ratio: 0.25,
        };
        let sampled = (0..4_000)
            .filter(|_| TraceContext::begin(None, true, quarter, &rng).is_sampled())
            .count();
        assert!((850..1_150).contains(&sampled), "{sampled}");
        let all = Sampler {
            heeds_parents: true,
            ratio: 1.0,
        };
        assert!((0..100).all(|_| TraceContext::begin(None, true, all, &rng).is_sampled()));
    }
}
