//! A text that shares its long parts with the text that it was made of.

use std::borrow::Cow;

/// From so many bytes on, what stays of the old text is shared; less is copied, so that the pieces stay few.
const SHARED_FROM: usize = 16 << 10;

/// A text in pieces: long ones of the text that it was made of, and new ones between them. A body of megabytes, of which a
/// few bytes change, is so held once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spliced<'t> {
    pieces: Vec<Cow<'t, str>>,
}

/// A part of the result.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'t, 'n> {
    /// As it stands in the old text.
    Kept(&'t str),
    /// From elsewhere.
    New(&'n str),
}

impl Part<'_, '_> {
    const fn is_shared(&self) -> bool {
        matches!(self, Self::Kept(text) if text.len() >= SHARED_FROM)
    }

    pub(crate) const fn text(&self) -> &str {
        match self {
            Self::Kept(text) => text,
            Self::New(text) => text,
        }
    }
}

impl<'t> Spliced<'t> {
    /// Puts parts together, in their order.
    pub(crate) fn of(parts: &[Part<'t, '_>]) -> Self {
        let mut pieces = Vec::new();
        for run in parts.chunk_by(|one, next| !one.is_shared() && !next.is_shared()) {
            if let [Part::Kept(text)] = run
                && text.len() >= SHARED_FROM
            {
                pieces.push(Cow::Borrowed(*text));
                continue;
            }
            let mut copied = String::with_capacity(run.iter().map(|part| part.text().len()).sum());
            run.iter().for_each(|part| copied.push_str(part.text()));
            if !copied.is_empty() {
                pieces.push(Cow::Owned(copied));
            }
        }
        Self { pieces }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().map(str::len).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many of its bytes are not shared with the text that it was made of.
    #[must_use]
    pub fn copied(&self) -> usize {
        let copied = |piece: &Cow<'_, str>| match piece {
            Cow::Owned(text) => text.len(),
            Cow::Borrowed(_) => 0,
        };
        self.pieces.iter().map(copied).sum()
    }

    /// Its pieces in their order.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().map(AsRef::as_ref)
    }

    /// The same; what is borrowed stands in the text that it was made of.
    #[must_use]
    pub fn into_pieces(self) -> Vec<Cow<'t, str>> {
        self.pieces
    }

    /// All of it in one place.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.len());
        self.pieces()
            .for_each(|piece| whole.extend_from_slice(piece.as_bytes()));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_parts_are_shared_and_short_ones_copied_together() {
        let long = "x".repeat(SHARED_FROM);
        let short = &long[1..];
        let parts = [
            Part::New("a"),
            Part::Kept("b"),
            Part::Kept(&long),
            Part::Kept(&long),
            Part::New(&long),
            Part::Kept(short),
        ];
        let spliced = Spliced::of(&parts);
        let whole = format!("ab{long}{long}{long}{short}");
        assert_eq!(spliced.to_vec(), whole.as_bytes());
        assert_eq!((spliced.len(), spliced.pieces().count()), (whole.len(), 4));
        assert_eq!(spliced.copied(), 2 + 2 * SHARED_FROM - 1);
        let shared = spliced
            .into_pieces()
            .into_iter()
            .filter(|piece| matches!(piece, Cow::Borrowed(_)));
        assert!(shared.into_iter().all(|piece| piece.as_ptr() == long.as_ptr()));
        assert!(Spliced::of(&[]).is_empty() && Spliced::of(&[Part::Kept("")]).is_empty());
    }
}
