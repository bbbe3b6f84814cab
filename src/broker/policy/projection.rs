//! Which attributes of a container the policies read when it is listed: two containers that agree on those have one answer.
//!
//! Read from the policies' JSON form. Whatever is not plainly the reading of one attribute or one label counts as reading
//! everything, the id included, so that the worst a surprise can do is cost time.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema;
use crate::broker::registry::Container;
use crate::proto::Action;

/// What is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Projection {
    attributes: BTreeSet<String>,
    labels: BTreeSet<String>,
    everything: bool,
}

impl Projection {
    /// Adds what the policy with this JSON form reads when a container is listed.
    pub(super) fn read_by(&mut self, policy: &Value) {
        if !may_apply(&policy["action"], Action::List) {
            return;
        }
        let resource = &policy["resource"];
        let by_type = resource["op"] == "All" || (resource["op"] == "is" && resource.get("in").is_none());
        self.everything |= !by_type;
        self.expression(&policy["conditions"]);
    }

    fn expression(&mut self, expression: &Value) {
        match expression {
            Value::Array(parts) => parts.iter().for_each(|part| self.expression(part)),
            Value::Object(fields) => {
                for (operator, operands) in fields {
                    match (operator.as_str(), of_resource(operands)) {
                        ("Var", _) if operands == "resource" => self.everything = true,
                        ("Value", _) => {}
                        ("." | "has", true) => match operands["attr"].as_str() {
                            Some(attribute) => drop(self.attributes.insert(attribute.to_owned())),
                            None => self.everything = true,
                        },
                        ("hasTag" | "getTag", true) => match operands["right"]["Value"].as_str() {
                            Some(label) => drop(self.labels.insert(label.to_owned())),
                            None => self.everything = true,
                        },
                        _ => self.expression(operands),
                    }
                }
            }
            _ => {}
        }
    }

    /// What `container` is to the policies, or none when they read everything.
    pub(super) fn key<'a>(&'a self, container: &'a Container) -> Option<Vec<Option<&'a str>>> {
        if self.everything {
            return None;
        }
        let mut key = Vec::with_capacity(self.attributes.len() + self.labels.len());
        for attribute in &self.attributes {
            key.push(match attribute.as_str() {
                "agent" => Some(container.agent_name.as_str()),
                "runtime" => Some(container.runtime.as_str()),
                "image" => Some(container.image.as_str()),
                "name" => Some(container.name.as_str()),
                "app" => Some(container.app.as_str()),
                "state" => Some(container.state.as_str()),
                other if schema::is_optional(other) => schema::optional(container, other),
                // The id, and the set of ports.
                _ => return None,
            });
        }
        key.extend(self.labels.iter().map(|label| container.labels.get(label).map(String::as_str)));
        Some(key)
    }
}

/// Whether `operands` work on the resource itself.
fn of_resource(operands: &Value) -> bool {
    operands["left"]["Var"] == "resource"
}

/// Whether a policy with this action scope can say anything about `action`.
pub(super) fn may_apply(scope: &Value, action: Action) -> bool {
    let is = |entity: &Value| entity["id"] == action.as_str();
    match scope["op"].as_str() {
        Some("==") => is(&scope["entity"]),
        Some("in") => is(&scope["entity"]) || scope["entities"].as_array().is_some_and(|entities| entities.iter().any(is)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;

    fn projection(policy: &str) -> Projection {
        let mut projection = Projection::default();
        projection.read_by(&Policy::parse(None, policy).unwrap().to_json().unwrap());
        projection
    }

    fn reads(attributes: &[&str], labels: &[&str]) -> Projection {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Projection { attributes: set(attributes), labels: set(labels), everything: false }
    }

    #[test]
    fn attributes_and_labels_are_told() {
        let scope = "permit(principal, action, resource)";
        assert_eq!(projection(&format!("{scope};")), reads(&[], &[]));
        let when = format!(
            r#"{scope} when {{ resource.app like "tom*" && resource has cluster && resource.cluster == "eu" }}
               unless {{ resource.hasTag("team") && resource.getTag("tier") == "prod" && context.time > 7 }};"#
        );
        assert_eq!(projection(&when), reads(&["app", "cluster"], &["team", "tier"]));
        assert_eq!(
            projection(r#"permit(principal, action, resource is Container) when { resource.name == "resource" };"#),
            reads(&["name"], &[])
        );
    }

    #[test]
    fn other_actions_do_not_count() {
        let one = r#"permit(principal, action == Action::"shell", resource) when { resource.name == "x" };"#;
        assert_eq!(projection(one), reads(&[], &[]));
        let list = r#"permit(principal, action in [Action::"shell", Action::"list"], resource) when { resource.name == "x" };"#;
        assert_eq!(projection(list), reads(&["name"], &[]));
    }

    #[test]
    fn whatever_is_not_plain_counts_as_everything() {
        for policy in [
            r#"permit(principal, action, resource == Container::"x");"#,
            r#"permit(principal, action, resource) when { resource == Container::"x" };"#,
            r#"permit(principal, action, resource) when { resource.hasTag(principal.team) };"#,
            r#"permit(principal, action, resource) when { [resource].contains(principal.favourite) };"#,
            r#"permit(principal, action, resource) when { {"a": resource}.a.app == "x" };"#,
            r#"permit(principal, action, resource) when { (if true then resource else resource).app == "x" };"#,
        ] {
            assert!(projection(policy).everything, "{policy}");
        }
    }
}
