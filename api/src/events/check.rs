//! What declarations may not say: found at the start, all at once.

use std::{collections::BTreeSet, fmt};

use super::{Listener, Output, Trigger};

/// Everything that is wrong with the declarations, a sentence each.
#[derive(Debug, PartialEq, Eq)]
pub struct DeclarationsError(Vec<String>);

impl fmt::Display for DeclarationsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event handlers cannot be served:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for DeclarationsError {}

pub(super) fn check(listeners: &[Listener]) -> Result<(), DeclarationsError> {
    let mut problems = Vec::new();
    let (mut names, mut rules) = (BTreeSet::new(), BTreeSet::new());
    for listener in listeners {
        let name = &listener.name;
        if !names.insert(name) {
            problems.push(format!("`{name}` is declared twice: what is kept of it would be mixed"));
        }
        if name.contains(['<', '>']) {
            problems.push(format!(
                "`{name}` is a generic function, which has no name to keep: declare one that calls it"
            ));
        }
        let function = name.rsplit('.').next();
        if matches!(listener.trigger, Trigger::Schedule(_)) && !rules.insert(function) {
            problems.push(format!(
                "`{name}` has a rule of the same name as another schedule: name its function \
                 otherwise"
            ));
        }
        if let Some(problem) = wrong(&listener.trigger) {
            problems.push(format!("`{name}` {problem}"));
        }
    }
    problems.extend(listeners.iter().filter_map(|listener| round(listener, listeners)));
    if problems.is_empty() { Ok(()) } else { Err(DeclarationsError(problems)) }
}

fn wrong(trigger: &Trigger) -> Option<String> {
    match trigger {
        Trigger::Message("") | Trigger::Stream("") => {
            Some("listens to what has no name".to_owned())
        }
        Trigger::Schedule(expression) if !is_schedule(expression) => Some(format!(
            "is to be done every `{expression}`, which is neither `rate(1 hour)` nor \
             `cron(0 3 * * ? *)`"
        )),
        _ => None,
    }
}

/// Schedule expressions of EventBridge (Amazon EventBridge User Guide, "Schedule expressions"). That
/// each field of a `cron` is in its range is for AWS to say.
fn is_schedule(expression: &str) -> bool {
    let inside = |kind: &str| {
        let rest = expression.strip_prefix(kind)?;
        rest.strip_prefix('(')?.strip_suffix(')')
    };
    if let Some(rate) = inside("rate") {
        let Some((number, unit)) = rate.split_once(' ') else { return false };
        let units = ["minute", "hour", "day"];
        return match number.parse::<u32>() {
            Ok(1) => units.contains(&unit),
            Ok(2..) => unit.strip_suffix('s').is_some_and(|unit| units.contains(&unit)),
            _ => false,
        };
    }
    let field = |field: &str| {
        !field.is_empty()
            && field.bytes().all(|it| it.is_ascii_alphanumeric() || b"*?,-/#".contains(&it))
    };
    inside("cron").is_some_and(|cron| cron.split(' ').count() == 6 && cron.split(' ').all(field))
}

/// The way on which a handler would come back to itself, without end.
fn round(start: &Listener, listeners: &[Listener]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start]];
    while let Some(way) = ways.pop() {
        let last = *way.last()?;
        for next in listeners.iter().filter(|next| triggers(last, next)) {
            if next.name == start.name {
                return Some(sentence(&way));
            }
            if seen.insert(&next.name) {
                ways.push(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}

/// Whether what one writes is what the other listens to.
fn triggers(writer: &Listener, listener: &Listener) -> bool {
    let own = writer.marked && writer.name == listener.name;
    writer.outputs.iter().any(|output| match (output, listener.trigger) {
        (Output::Kind(written), Trigger::Change(kind)) => *written == kind && !own,
        (Output::Objects(written), Trigger::ObjectCreated(prefix)) => {
            written.starts_with(prefix) || prefix.starts_with(written)
        }
        _ => false,
    })
}

fn sentence(way: &[&Listener]) -> String {
    let start = way[0];
    let others = way[1..].iter().map(|it| format!("`{}`", it.name)).collect::<Vec<_>>().join(", ");
    let by = if others.is_empty() { String::new() } else { format!(" by way of {others}") };
    let mend = match start.trigger {
        Trigger::Change(_) if others.is_empty() => "let it write something else, or `.marked()`",
        Trigger::ObjectCreated(_) => "let it write under a prefix that nobody listens to",
        _ => "let one of them write something else",
    };
    format!("`{}` would trigger itself{by}, without end: {mend}", start.name)
}
