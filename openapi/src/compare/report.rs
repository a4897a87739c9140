use std::fmt;

/// What has changed between two documents, by operation in the order of the old one's paths.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Every change.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether an app that was built for the old document notices.
    pub breaking: bool,
    /// Method, path and id, such as `GET /health (get_health)`; or `Every operation`.
    pub operation: String,
    /// What has changed, in one sentence.
    pub sentence: String,
}

impl Comparison {
    /// Those that an app notices.
    pub fn breaking(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.breaking)
    }

    /// Those that no app notices.
    pub fn harmless(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.breaking)
    }

    pub(super) fn add(&mut self, operation: &str, findings: Findings) {
        self.changes.extend(findings.merged().into_iter().map(|finding| Change {
            breaking: finding.breaking,
            operation: operation.to_owned(),
            sentence: finding.sentence(),
        }));
    }

    /// The changes of one kind under the operations that they are about.
    pub fn by_operation<'c>(changes: impl Iterator<Item = &'c Change>) -> String {
        let mut text = String::new();
        let mut last = "";
        for change in changes {
            if change.operation != last {
                last = &change.operation;
                text += &format!("{last}\n");
            }
            text += &format!("  {}\n", change.sentence);
        }
        text
    }
}

/// What all is said of one operation.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

struct Finding {
    breaking: bool,
    subject: Subject,
    said: String,
}

/// What a sentence is about.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// The sentence says so itself.
    Operation,
    /// A parameter, or a part of its value.
    Parameter(String, Path),
    /// The body of the request, or a part of it.
    Body(Path),
    /// The body of these answers, or a part of it.
    Answer(Vec<String>, Path),
    /// A header of these answers.
    Header(Vec<String>, String),
}

/// Where in a value: `items[].title`; empty for the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn member(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}.{name}", self.0)) }
    }

    pub(super) fn items(&self) -> Self {
        Self(format!("{}[]", self.0))
    }

    pub(super) fn values(&self) -> Self {
        self.member("*")
    }

    pub(super) fn variant(&self, name: &str) -> Self {
        Self(format!("{}({name})", self.0))
    }
}

impl Subject {
    pub(super) fn at(&self, path: &Path) -> Self {
        let path = path.clone();
        match self.clone() {
            Self::Operation => Self::Operation,
            Self::Header(statuses, name) => Self::Header(statuses, name),
            Self::Parameter(name, _) => Self::Parameter(name, path),
            Self::Body(_) => Self::Body(path),
            Self::Answer(statuses, _) => Self::Answer(statuses, path),
        }
    }

    /// The same but for the status of the answer.
    fn join(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Answer(statuses, path), Self::Answer(more, other)) if path == other => {
                statuses.extend(more.iter().cloned());
                true
            }
            (Self::Header(statuses, name), Self::Header(more, other)) if name == other => {
                statuses.extend(more.iter().cloned());
                true
            }
            _ => false,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |path: &Path| match path.0.as_str() {
            "" => String::new(),
            path => format!("`{path}` of "),
        };
        match self {
            Self::Operation => Ok(()),
            Self::Parameter(name, path) => write!(f, "{}the {name} ", part(path)),
            Self::Body(path) => write!(f, "{}the request's body ", part(path)),
            Self::Answer(statuses, path) => {
                write!(f, "{}the body of {} ", part(path), answers(statuses))
            }
            Self::Header(statuses, name) => {
                write!(f, "the header `{name}` of {} ", answers(statuses))
            }
        }
    }
}

fn answers(statuses: &[String]) -> String {
    let many = if statuses.len() > 1 { "s" } else { "" };
    format!("the answer{many} {}", statuses.join(", "))
}

impl Findings {
    pub(super) fn breaking(&mut self, subject: Subject, said: impl Into<String>) {
        self.0.push(Finding { breaking: true, subject, said: said.into() });
    }

    pub(super) fn harmless(&mut self, subject: Subject, said: impl Into<String>) {
        self.0.push(Finding { breaking: false, subject, said: said.into() });
    }

    /// Of what is said of several answers alike, one finding.
    fn merged(self) -> Vec<Finding> {
        let mut merged: Vec<Finding> = Vec::new();
        for finding in self.0 {
            let alike = |known: &&mut Finding| {
                known.breaking == finding.breaking && known.said == finding.said
            };
            if !merged.iter_mut().filter(alike).any(|known| known.subject.join(&finding.subject)) {
                merged.push(finding);
            }
        }
        merged
    }
}

impl Finding {
    fn sentence(&self) -> String {
        let mut sentence = format!("{}{}.", self.subject, self.said);
        // What begins with a name in backticks begins as that name does.
        sentence[..1].make_ascii_uppercase();
        sentence
    }
}
