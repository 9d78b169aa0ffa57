//! Which rows answer a question: wide ones where there are such, narrow ones at the edges.

use super::cubes::{Cube, Dims, Facts, Grain, day_start, month_of};
use super::rollups::Piece;
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;

/// Rows of a table that belong together: hours, days or months from one moment up to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// A cube, or the hourly sums.
    pub(super) cube: Option<&'static Cube>,
    pub(super) from: Option<UnixMs>,
    pub(super) to: Option<UnixMs>,
}

/// Into so many months a part is divided: a statement does not take any number of parts.
const MOST_MONTHS: usize = 36;

impl Part {
    /// Whether all of it lies in one month.
    pub(super) fn is_of_one_month(&self) -> bool {
        matches!((self.from, self.to), (Some(from), Some(to)) if to <= month_of(from).1)
    }

    /// The same month by month, unless its rows are months already, or there are too many.
    fn by_month(self) -> Vec<Self> {
        let (Some(from), Some(to)) = (self.from, self.to) else {
            return vec![self];
        };
        if self.cube.is_some_and(|cube| cube.grain == Grain::Month) {
            return vec![self];
        }
        let starts = std::iter::successors(Some(from), |at| Some(month_of(*at).1));
        let months: Vec<Self> = starts
            .take_while(|at| *at < to)
            .take(MOST_MONTHS + 1)
            .map(|at| Self {
                from: Some(at),
                to: Some(to.min(month_of(at).1)),
                ..self
            })
            .collect();
        if months.len() > MOST_MONTHS {
            vec![self]
        } else {
            months
        }
    }
}

/// What to read for a question: wide rows where there are such, narrow ones at the edges.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) facts: Facts,
    pub(super) dims: Dims,
    pub(super) piece: Piece,
    pub(super) latency: bool,
    /// From which day on there are wide rows.
    pub(super) complete_from: UnixMs,
}

fn later(a: Option<UnixMs>, b: UnixMs) -> Option<UnixMs> {
    Some(a.map_or(b, |a| a.max(b)))
}

fn earlier(a: Option<UnixMs>, b: UnixMs) -> Option<UnixMs> {
    Some(a.map_or(b, |a| a.min(b)))
}

impl Reading {
    fn cube(&self, grain: Grain) -> Option<&'static Cube> {
        let found = self.facts.find(grain, self.dims)?;
        (found.latency || !self.latency).then_some(found)
    }

    /// Whether another reading of the same piece reads the same cubes.
    pub(super) fn reads_as(&self, other: &Self) -> bool {
        let names = |reading: &Self| {
            [Grain::Day, Grain::Month].map(|grain| reading.cube(grain).map(|cube| cube.name))
        };
        self.facts == other.facts && names(self) == names(other)
    }

    /// Pieces that are not empty, in order; of a range without anything in it, one that is.
    pub(super) fn parts(&self, from: Option<UnixMs>, to: Option<UnixMs>) -> Vec<Part> {
        let mut parts = Vec::new();
        let first_day = from.map(|at| day_start(at + DAY_MS - 1));
        let end_day = to.map(day_start);
        let days = matches!((first_day, end_day), (Some(a), Some(b)) if a >= b);
        if self.piece == Piece::Hour || days {
            self.split(Grain::Hour, from, to, &mut parts);
        } else {
            self.split(Grain::Hour, from, first_day, &mut parts);
            self.split(Grain::Day, first_day, end_day, &mut parts);
            self.split(Grain::Hour, end_day, to, &mut parts);
        }
        parts.retain(|part| !matches!((part.from, part.to), (Some(a), Some(b)) if a >= b));
        if self.piece == Piece::Month {
            parts = parts.into_iter().flat_map(Part::by_month).collect();
        }
        if parts.is_empty() {
            parts.push(Part {
                cube: self.cube(Grain::Day),
                from: Some(0),
                to: Some(0),
            });
        }
        parts
    }

    /// What lies before there were wide rows comes from the hourly ones.
    fn split(&self, grain: Grain, from: Option<UnixMs>, to: Option<UnixMs>, parts: &mut Vec<Part>) {
        // Nothing lies between: there is no edge.
        if grain == Grain::Hour && self.piece != Piece::Hour && (from.is_none() || to.is_none()) {
            return;
        }
        let hourly = |from, to| Part { cube: None, from, to };
        let cube = self.cube(grain).filter(|_| self.complete_from < i64::MAX);
        let Some(cube) = cube else {
            parts.push(hourly(from, to));
            return;
        };
        let mut from = from;
        if self.complete_from > 0 {
            parts.push(hourly(from, earlier(to, self.complete_from)));
            from = later(from, self.complete_from);
        }
        // Months that keep more apart have more rows than the days that they would stand for.
        let months = (matches!(self.piece, Piece::Whole | Piece::Month) && grain == Grain::Day)
            .then(|| self.cube(Grain::Month))
            .flatten()
            .filter(|months| months.dims == cube.dims);
        let Some(months) = months else {
            parts.push(Part {
                cube: Some(cube),
                from,
                to,
            });
            return;
        };
        let first_month = from.map(|at| match month_of(at) {
            (start, _) if start == at => start,
            (_, end) => end,
        });
        let end_month = to.map(|at| month_of(at).0);
        if let (Some(first), Some(end)) = (first_month, end_month)
            && first >= end
        {
            parts.push(Part {
                cube: Some(cube),
                from,
                to,
            });
            return;
        }
        if first_month.is_some() {
            parts.push(Part {
                cube: Some(cube),
                from,
                to: first_month,
            });
        }
        parts.push(Part {
            cube: Some(months),
            from: first_month,
            to: end_month,
        });
        if end_month.is_some() {
            parts.push(Part {
                cube: Some(cube),
                from: end_month,
                to,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::time::HOUR_MS;

    /// 2026-11-01, a month's first day.
    const NOVEMBER: UnixMs = 1_793_491_200_000;

    #[test]
    fn months_are_read_where_they_have_fewer_rows() {
        let names = |dims| -> Vec<&str> {
            let reading = Reading {
                facts: Facts::Usage,
                dims,
                piece: Piece::Whole,
                latency: false,
                complete_from: 0,
            };
            let parts = reading.parts(Some(NOVEMBER), None);
            parts.iter().filter_map(|part| Some(part.cube?.name)).collect()
        };
        assert_eq!(names(Dims::NONE), ["month-work"]);
        assert_eq!(names(Dims::KEY), ["month-people"]);
        assert_eq!(names(Dims::TEAM), ["day-team"]);
        assert_eq!(names(Dims::TEAM.and(Dims::MODEL)), ["day-team-work"]);
    }

    fn parts(
        piece: Piece,
        complete_from: UnixMs,
        from: UnixMs,
        to: Option<UnixMs>,
    ) -> Vec<(String, i64, i64)> {
        let reading = Reading {
            facts: Facts::Usage,
            dims: Dims::USER,
            piece,
            latency: false,
            complete_from,
        };
        let hours = |at: Option<UnixMs>| at.map_or(-1, |at| (at - NOVEMBER) / HOUR_MS);
        reading
            .parts(Some(from), to)
            .into_iter()
            .map(|part| {
                let name = part.cube.map_or("hourly", |cube| cube.name);
                (name.to_owned(), hours(part.from), hours(part.to))
            })
            .collect()
    }

    #[test]
    fn wide_rows_where_there_are_such_and_narrow_ones_at_the_edges() {
        let at = |hours: i64| NOVEMBER + hours * HOUR_MS;
        let part = |name: &str, from, to| (name.to_owned(), from, to);
        // From the evening of the 30th of October to the 2nd of December, 5:00.
        assert_eq!(
            parts(Piece::Whole, 0, at(-28), Some(at(31 * 24 + 5))),
            [
                part("hourly", -28, -24),
                part("day-people", -24, 0),
                part("month-people", 0, 720),
                part("day-people", 720, 744),
                part("hourly", 744, 749),
            ]
        );
        // Up to now, whatever the hour.
        assert_eq!(
            parts(Piece::Whole, 0, at(-24), None),
            [part("day-people", -24, 0), part("month-people", 0, -1)]
        );
        assert_eq!(parts(Piece::Day, 0, at(24), None), [part("day-people", 24, -1)]);
        // Of a user there is nothing wider for an hour.
        assert_eq!(parts(Piece::Hour, 0, at(2), Some(at(4))), [part("hourly", 2, 4)]);
        assert_eq!(parts(Piece::Whole, 0, at(2), Some(at(4))), [part("hourly", 2, 4)]);
        // Months are kept apart where there are no wider rows, too.
        assert_eq!(
            parts(Piece::Month, 0, at(-28), Some(at(31 * 24 + 5))),
            [
                part("hourly", -28, -24),
                part("day-people", -24, 0),
                part("month-people", 0, 720),
                part("day-people", 720, 744),
                part("hourly", 744, 749),
            ]
        );
        assert_eq!(
            parts(Piece::Month, i64::MAX, at(-24), Some(at(750))),
            [
                part("hourly", -24, 0),
                part("hourly", 0, 720),
                part("hourly", 720, 744),
                part("hourly", 744, 750)
            ]
        );
        assert_eq!(
            parts(Piece::Month, i64::MAX, at(-100 * 720), Some(at(750))),
            [part("hourly", -100 * 720, 744), part("hourly", 744, 750)]
        );
        // Days that have no sums yet.
        assert_eq!(
            parts(Piece::Whole, at(48), at(0), None),
            [
                part("hourly", 0, 48),
                part("day-people", 48, 720),
                part("month-people", 720, -1)
            ]
        );
    }
}
