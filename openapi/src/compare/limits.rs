use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{
    report::{Findings, Subject},
    schema::Direction,
    shape::Shape,
};

/// The numbers that bound a value.
#[derive(Default)]
pub(super) struct Limits<'d> {
    minimum: Option<Bound<'d>>,
    maximum: Option<Bound<'d>>,
    least: [Option<&'d Number>; 3],
    most: [Option<&'d Number>; 3],
    multiple_of: Option<&'d Number>,
    unique: bool,
}

#[derive(Clone, Copy)]
struct Bound<'d> {
    number: &'d Number,
    exclusive: bool,
}

const LEAST: [&str; 3] = ["minLength", "minItems", "minProperties"];
const MOST: [&str; 3] = ["maxLength", "maxItems", "maxProperties"];
const COUNTED: [&str; 3] = ["characters", "items", "properties"];

impl<'d> Limits<'d> {
    /// Whether the key is a limit; if so, it is kept where it is tighter than what is known.
    pub(super) fn take(&mut self, key: &str, value: &'d Value, part: &'d Value) -> bool {
        let number = match value {
            Value::Number(number) => Some(number),
            _ => None,
        };
        let bound = |exclusive| number.map(|number| Bound { number, exclusive });
        match key {
            "minimum" => {
                let exclusive = part["exclusiveMinimum"] == true;
                self.minimum = tighter(self.minimum, bound(exclusive), Bound::lower);
            }
            "maximum" => {
                let exclusive = part["exclusiveMaximum"] == true;
                self.maximum = tighter(self.maximum, bound(exclusive), Bound::upper);
            }
            "exclusiveMinimum" => self.minimum = tighter(self.minimum, bound(true), Bound::lower),
            "exclusiveMaximum" => self.maximum = tighter(self.maximum, bound(true), Bound::upper),
            "multipleOf" => self.multiple_of = number,
            "uniqueItems" => self.unique |= *value == Value::Bool(true),
            _ => return self.take_count(key, number),
        }
        true
    }

    fn take_count(&mut self, key: &str, number: Option<&'d Number>) -> bool {
        let (list, at, tighter): (&mut [_; 3], _, _) =
            if let Some(at) = LEAST.iter().position(|it| *it == key) {
                (&mut self.least, at, Ordering::Greater)
            } else if let Some(at) = MOST.iter().position(|it| *it == key) {
                (&mut self.most, at, Ordering::Less)
            } else {
                return false;
            };
        let wins = |number: &&Number| list[at].is_none_or(|known| order(number, known) == tighter);
        if let Some(number) = number.filter(wins) {
            list[at] = Some(number);
        }
        true
    }
}

/// The two in order, exactly where both are whole.
fn order(one: &Number, other: &Number) -> Ordering {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => {
            let real = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            real(one).total_cmp(&real(other))
        }
    }
}

impl Bound<'_> {
    /// Less where this lets less through as a lower bound.
    fn lower(self, other: Self) -> Ordering {
        order(other.number, self.number).then(other.exclusive.cmp(&self.exclusive))
    }

    /// Less where this lets less through as an upper bound.
    fn upper(self, other: Self) -> Ordering {
        order(self.number, other.number).then(other.exclusive.cmp(&self.exclusive))
    }

    fn said(self, word: &str) -> String {
        let Self { number, exclusive } = self;
        match (word, exclusive) {
            (word, false) => format!("at {word} {number}"),
            ("least", true) => format!("more than {number}"),
            (_, true) => format!("less than {number}"),
        }
    }
}

/// Of two bounds that both hold, the one that lets less through.
fn tighter<'d>(
    known: Option<Bound<'d>>,
    more: Option<Bound<'d>>,
    room: fn(Bound<'d>, Bound<'d>) -> Ordering,
) -> Option<Bound<'d>> {
    match (known, more) {
        (Some(known), Some(more)) => Some(if room(more, known).is_lt() { more } else { known }),
        (known, more) => known.or(more),
    }
}

/// A limit that is not the same any longer.
struct Difference {
    /// Less where less gets through than before.
    room: Ordering,
    before: String,
    after: String,
}

fn differences(was: &Limits<'_>, is: &Limits<'_>) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut all_of = |found: Option<Difference>| all.extend(found);
    all_of(difference(was.minimum, is.minimum, Bound::lower, |it| it.said("least")));
    all_of(difference(was.maximum, is.maximum, Bound::upper, |it| it.said("most")));
    for (at, counted) in COUNTED.iter().enumerate() {
        // At least none is no limit.
        let some =
            |limits: &Limits<'_>| limits.least[at].filter(|it| it.as_u64() != Some(0)).cloned();
        let least = |it: &Number| format!("at least {it} {counted}");
        let more_is_less = |after: &Number, before: &Number| order(before, after);
        all_of(difference(some(was).as_ref(), some(is).as_ref(), more_is_less, least));
        let most = |it: &Number| format!("at most {it} {counted}");
        all_of(difference(was.most[at], is.most[at], order, most));
    }
    let coarser = |after: &Number, before: &Number| match order(after, before) {
        Ordering::Equal => Ordering::Equal,
        _ if divides(after, before) => Ordering::Greater,
        _ => Ordering::Less,
    };
    let multiples = |it: &Number| format!("multiples of {it}");
    all_of(difference(was.multiple_of, is.multiple_of, coarser, multiples));
    let unique = |limits: &Limits<'_>| limits.unique.then_some(());
    let nothing_twice = |()| "nothing twice".to_owned();
    all_of(difference(unique(was), unique(is), |(), ()| Ordering::Equal, nothing_twice));
    all
}

/// How a limit differs from before, if it does. No limit lets the most through.
fn difference<T: Copy>(
    before: Option<T>,
    after: Option<T>,
    room: impl Fn(T, T) -> Ordering,
    said: impl Fn(T) -> String,
) -> Option<Difference> {
    let room = match (before, after) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(before), Some(after)) => room(after, before),
    };
    let said = |limit: Option<T>| limit.map_or_else(|| "without that limit".to_owned(), &said);
    room.is_ne().then(|| Difference { room, before: said(before), after: said(after) })
}

fn divides(divisor: &Number, number: &Number) -> bool {
    match (divisor.as_i128(), number.as_i128()) {
        (Some(divisor), Some(number)) => divisor != 0 && number % divisor == 0,
        _ => order(divisor, number).is_eq(),
    }
}

pub(super) fn compare_limits(
    was: &Shape<'_>,
    is: &Shape<'_>,
    side: Direction,
    subject: &Subject,
    findings: &mut Findings,
) {
    for Difference { room, before, after } in differences(&was.limits, &is.limits) {
        if side == Direction::Request && room.is_lt() {
            findings.breaking(subject.clone(), format!("takes {after}, {before} before"));
        } else {
            // Most limits of what is answered are no decoder's business; what is, follows.
            findings.harmless(subject.clone(), format!("is {after}, {before} before"));
        }
    }
    if side == Direction::Answer && fits(was) && !fits(is) && is.is("integer") {
        let said = format!("may be a number that does not fit into {} bits", bits(was));
        findings.breaking(subject.clone(), said);
    }
}

/// SDKs decode an integer of 32 bits where no format says otherwise.
fn bits(shape: &Shape<'_>) -> u32 {
    if shape.formats.iter().any(|format| format.ends_with("64")) { 64 } else { 32 }
}

/// Whether the limits alone say that it fits into what SDKs decode it to.
fn fits(shape: &Shape<'_>) -> bool {
    let largest = (1_i128 << (bits(shape) - 1)) - 1;
    let within = |bound: Option<Bound<'_>>| {
        let whole = bound.and_then(|bound| bound.number.as_i128());
        whole.is_some_and(|number| (-largest - 1..=largest).contains(&number))
    };
    let named = shape.formats.iter().any(|format| ["int32", "int64"].contains(format));
    let beyond = |bound: Option<Bound<'_>>| bound.is_some() && !within(bound);
    if named {
        !beyond(shape.limits.maximum) && !beyond(shape.limits.minimum)
    } else {
        within(shape.limits.minimum) && within(shape.limits.maximum)
    }
}
