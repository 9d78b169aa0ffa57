//! Turning over the pages of long lists: a page begins after a row, or ends before one, and is found by an index, however
//! many rows come before it and whatever has been added or taken away since.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, Iterable, Order, QueryFilter, QueryOrder, Select, Value};

/// Lists are counted up to here: of those that are longer it is enough to know that they are.
pub(crate) const COUNTED: u64 = 1_000;

/// A row's place in a list: the value that it is sorted by, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    value: Option<String>,
    id: String,
}

impl Place {
    /// The place of a row.
    pub fn new(value: Option<impl ToString>, id: &impl ToString) -> Self {
        Self {
            value: value.map(|value| value.to_string()),
            id: id.to_string(),
        }
    }

    /// The id of a row that has no value.
    pub(super) fn id_without_value(&self) -> Option<&str> {
        self.value.is_none().then_some(self.id.as_str())
    }

    /// Reads what [`Display`](std::fmt::Display) has written; anything else is nowhere.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (value, id) = text.rsplit_once('~')?;
        let value = match value.strip_prefix('-') {
            Some("") => None,
            Some(_) => return None,
            None => Some(value.strip_prefix('=')?.to_owned()),
        };
        (!text.contains('\0')).then(|| Self {
            value,
            id: id.to_owned(),
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "={value}~{}", self.id),
            None => write!(f, "-~{}", self.id),
        }
    }
}

/// Where a page lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Behind this row.
    After(Place),
    /// In front of it.
    Before(Place),
}

impl Turn {
    /// Reads what an address says; both or neither of them is the beginning.
    #[must_use]
    pub fn parse(after: &str, before: &str) -> Option<Self> {
        match (Place::parse(after), Place::parse(before)) {
            (Some(place), None) => Some(Self::After(place)),
            (None, Some(place)) => Some(Self::Before(place)),
            _ => None,
        }
    }

    /// Puts rows that were read into the order of the list, takes away what was read beyond the page, and says whether
    /// there is more behind it.
    pub(crate) fn cut<T>(turn: Option<&Self>, rows: &mut Vec<T>, limit: u64) -> bool {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let beyond = rows.len() > limit;
        rows.truncate(limit);
        match turn {
            Some(Self::Before(_)) => {
                rows.reverse();
                true
            }
            Some(Self::After(_)) | None => beyond,
        }
    }
}

/// By what a list is sorted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sorted<C> {
    pub(super) by: C,
    /// Whether it is a number.
    pub(super) number: bool,
    /// Whether it can be missing: such rows come last.
    pub(super) optional: bool,
    pub(super) id: C,
    pub(super) ascending: bool,
}

impl<C: ColumnTrait + Iterable> Sorted<C> {
    fn value(&self, text: &str) -> Value {
        match self.number {
            true => text.parse::<i64>().unwrap_or(0).into(),
            false => text.to_owned().into(),
        }
    }

    /// What lies beyond a place, in the direction in which is read.
    fn beyond(&self, place: &Place, forward: bool) -> Condition {
        let greater = self.ascending == forward;
        let than = |a: SimpleExpr, b: SimpleExpr| if greater { a.gt(b) } else { a.lt(b) };
        let of = |column: C| Expr::col(column.as_column_ref());
        let Some(value) = &place.value else {
            let same = Condition::all()
                .add(self.by.is_null())
                .add(than(of(self.id), Expr::val(place.id.clone())));
            return match forward {
                true => same,
                false => Condition::any().add(self.by.is_not_null()).add(same),
            };
        };
        let both = Expr::tuple([of(self.by), of(self.id)]);
        let value = Expr::tuple([Expr::val(self.value(value)), Expr::val(place.id.clone())]);
        let known = Condition::any().add(than(both, value));
        match self.optional && forward {
            true => known.add(self.by.is_null()),
            false => known,
        }
    }

    /// The selection in this order, from where the page begins.
    pub(super) fn select<E: EntityTrait<Column = C>>(
        &self,
        select: Select<E>,
        turn: Option<&Turn>,
    ) -> Select<E> {
        let (place, forward) = match turn {
            Some(Turn::After(place)) => (Some(place), true),
            Some(Turn::Before(place)) => (Some(place), false),
            None => (None, true),
        };
        let order = |ascending: bool| if ascending { Order::Asc } else { Order::Desc };
        let mut select = select;
        if let Some(place) = place {
            select = select.filter(self.beyond(place, forward));
        }
        if self.optional {
            select = select.order_by(self.by.is_null(), order(forward));
        }
        select
            .order_by(self.by, order(self.ascending == forward))
            .order_by(self.id, order(self.ascending == forward))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_an_address_and_nonsense_is_nowhere() {
        for (value, id) in [
            (Some("a~b"), "key_1"),
            (Some(""), "key_2"),
            (None, "key_3"),
            (Some("-"), "k"),
        ] {
            let place = Place::new(value, &id);
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for bad in ["", "x", "~", "x~y", "-x~y", "=a\0~b"] {
            assert_eq!(Place::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Turn::parse("=1~a", "=2~b"), None);
    }

    #[test]
    fn a_page_that_ends_before_a_row_is_turned_round() {
        let before = Turn::Before(Place::new(Some(1), &"a"));
        let mut rows = vec![3, 2, 1];
        assert!(Turn::cut(Some(&before), &mut rows, 2));
        assert_eq!(rows, [2, 3]);
        let mut rows = vec![1, 2, 3];
        assert!(Turn::cut(None, &mut rows, 2));
        assert_eq!(rows, [1, 2]);
        let mut rows = vec![1, 2];
        assert!(!Turn::cut(None, &mut rows, 2));
    }
}
