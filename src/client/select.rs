//! Choosing rows of the list: by words, by `-l app=tomcat,env!=prod`, by namespace.

use std::str::FromStr;

use crate::proto::Textual;
use crate::proto::api::ContainerRow;

/// What is shown of a list.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// All of these, in lower case, are somewhere in the row.
    pub words: Vec<String>,
    /// Labels and attributes.
    pub selector: Selector,
    /// The namespace.
    pub namespace: Option<String>,
}

impl Selection {
    /// Whether `row` is among what is shown.
    pub fn fits<S: Textual>(&self, row: &ContainerRow<S>) -> bool {
        let namespace = self.namespace.as_deref();
        let namespace = namespace.is_none_or(|namespace| row.namespace_or_project() == Some(namespace));
        namespace && self.selector.fits(row) && holds(row, &self.words)
    }
}

impl<S: Textual> ContainerRow<S> {
    /// The namespace of a cluster, or what Docker Compose has in its place.
    pub(super) fn namespace_or_project(&self) -> Option<&str> {
        self.namespace.as_ref().or(self.facts.project.as_ref()).map(S::as_ref)
    }
}

/// Whether each of the words, all in lower case, is somewhere in the row.
fn holds<S: Textual>(row: &ContainerRow<S>, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let (facts, condition) = (&row.facts, row.condition());
    let known =
        [&row.cluster, &row.namespace, &facts.owner, &facts.project, &facts.service, &facts.pod, &facts.container, &facts.node];
    let fields = [&row.name, &row.full_name, &row.app, &row.image, &row.location, &row.agent];
    let fields = fields.into_iter().chain(known.into_iter().flatten()).chain(&facts.ports).map(S::as_ref);
    let labels: Vec<String> = row.labels.iter().map(|(key, value)| format!("{}={}", key.as_ref(), value.as_ref())).collect();
    let fields = fields.chain([&*condition]).chain(labels.iter().map(String::as_str));
    let fields: Vec<String> = fields.map(str::to_lowercase).collect();
    words.iter().all(|word| fields.iter().any(|field| field.contains(word)))
}

/// Conditions with commas between them, all of which hold: `KEY=VALUE`, `KEY!=VALUE`, `KEY`, `!KEY`. A key is a label or, where the row has no
/// such label, an attribute: `app`, `image`, `state`, `agent`, `cluster`, `namespace`, `runtime`, `owner`, `project`, `service`, `pod`,
/// `container`, `node`, `health`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<Condition>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    key: String,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Is(String),
    IsNot(String),
    There,
    Absent,
}

impl Selector {
    /// Whether all conditions hold for `row`.
    pub fn fits<S: Textual>(&self, row: &ContainerRow<S>) -> bool {
        self.0.iter().all(|condition| {
            let value = value(row, &condition.key);
            match &condition.wanted {
                Wanted::Is(wanted) => value == Some(wanted.as_str()),
                Wanted::IsNot(unwanted) => value != Some(unwanted.as_str()),
                Wanted::There => value.is_some(),
                Wanted::Absent => value.is_none(),
            }
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let condition = |text: &str| {
            let text = text.trim();
            let (key, wanted) = match text.split_once('=') {
                Some((key, value)) => match key.strip_suffix('!') {
                    Some(key) => (key, Wanted::IsNot(value.trim().to_owned())),
                    // Two signs are what kubectl takes as well.
                    None => (key, Wanted::Is(value.strip_prefix('=').unwrap_or(value).trim().to_owned())),
                },
                None => match text.strip_prefix('!') {
                    Some(key) => (key, Wanted::Absent),
                    None => (text, Wanted::There),
                },
            };
            let key = key.trim();
            if key.is_empty() || key.contains(|letter: char| letter.is_whitespace() || "!()".contains(letter)) {
                return Err("conditions are KEY=VALUE, KEY!=VALUE, KEY or !KEY, with commas between them".to_owned());
            }
            Ok(Condition { key: key.to_owned(), wanted })
        };
        text.split(',').map(condition).collect::<Result<_, _>>().map(Self)
    }
}

fn value<'a, S: Textual>(row: &'a ContainerRow<S>, key: &str) -> Option<&'a str> {
    let facts = &row.facts;
    let value = row.labels.get(key).or(match key {
        "app" => Some(&row.app),
        "image" => Some(&row.image),
        "state" => Some(&row.state),
        "agent" => Some(&row.agent),
        "runtime" => Some(&row.runtime),
        "cluster" => row.cluster.as_ref(),
        "namespace" => row.namespace.as_ref(),
        "owner" => facts.owner.as_ref(),
        "project" => facts.project.as_ref(),
        "service" => facts.service.as_ref(),
        "pod" => facts.pod.as_ref(),
        "container" => facts.container.as_ref(),
        "node" => facts.node.as_ref(),
        "health" => facts.health.as_ref(),
        _ => None,
    });
    value.map(S::as_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(labels: &[(&str, &str)]) -> ContainerRow {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ContainerRow { labels, image: "Registry/Tomcat:10".into(), ..ContainerRow::example("tomcat") }
    }

    fn fits(selector: &str, row: &ContainerRow) -> bool {
        selector.parse::<Selector>().unwrap().fits(row)
    }

    #[test]
    fn conditions_are_about_labels_and_what_is_known() {
        let prod = row(&[("env", "prod"), ("tier", "")]);
        for selector in [
            "env=prod",
            "env == prod",
            "env!=test",
            "app=tomcat,env=prod",
            "tier",
            "tier=",
            "!team",
            "team!=a",
            "runtime=docker",
        ] {
            assert!(fits(selector, &prod), "{selector}");
        }
        for selector in ["env=test", "env!=prod", "!env", "team", "app=tomcat,env=test", "cluster"] {
            assert!(!fits(selector, &prod), "{selector}");
        }
        // A label is what its owner says it is.
        assert!(fits("app=shop", &row(&[("app", "shop")])) && !fits("app=tomcat", &row(&[("app", "shop")])));
        for bad in ["", "a,", "=x", "!=x", "!!a", "team in (shop)", "team notin (a,b)"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_looked_for_in_every_column() {
        let words = |text: &str| Selection { words: text.split(' ').map(str::to_owned).collect(), ..Selection::default() };
        assert!(words("registry node-1").fits(&row(&[])));
        assert!(!words("tomcat node-2").fits(&row(&[])));
        let mut named = row(&[]);
        named.facts.container = Some("quiet_hopper".into());
        assert!(words("hopper").fits(&named) && fits("container=quiet_hopper", &named));
        assert!(words("tomcat env=prod").fits(&row(&[("env", "Prod")])) && words("prod").fits(&row(&[("env", "Prod")])));
    }
}
