//! What policies can talk about: the Cedar schema, and our nouns as its entities.
//!
//! What the broker knows for itself (the agent's enrolment) is an attribute; so is what a workload claims of itself (image, name,
//! app), and its labels are tags. The comments of `deploy/policy.cedar` tell the reader which is which.

use std::net::IpAddr;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema};

use crate::broker::registry::Container;
use crate::proto::Action;
use crate::proto::name::{Account, Login};

/// The schema; only what this version enforces is in it.
pub(super) const SCHEMA: &str = r#"
entity Group;
entity User in [Group];
entity Container {
    agent: String,
    agent_id: String,
    cluster?: String,
    namespace?: String,
    runtime: String,
    image: String,
    name: String,
    app: String,
    state: String,
    owner?: String,
    project?: String,
    service?: String,
    pod?: String,
    container?: String,
    kind?: String,
    node?: String,
    health?: String,
    ports: Set<String>,
} tags String;
action list appliesTo {
    principal: User,
    resource: Container,
    context: { address: ipaddr, time: Long },
};
action shell, exec, logs, copy, forward appliesTo {
    principal: User,
    resource: Container,
    context: { login: String, reason?: String, command?: String, address: ipaddr, time: Long },
};
"#;

/// The schema parsed, and the names of its types.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) schema: Schema,
    user: EntityTypeName,
    group: EntityTypeName,
    container: EntityTypeName,
    action: EntityTypeName,
}

/// What a request says beside who, what and where.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// Where the client is.
    pub address: IpAddr,
    /// Now, in seconds since 1970.
    pub time: u64,
    /// Why, in the user's words.
    pub reason: Option<&'a str>,
    /// The one command, if there is only one.
    pub command: Option<&'a str>,
}

/// Cedar did not take a value of ours.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be put to the policy engine: {0}")]
pub(super) struct Unspeakable(String);

impl Words {
    /// Both are constants of this file, so that a failure is a mistake in it.
    pub(super) fn new() -> Result<Self, String> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
        let name = |word: &str| word.parse::<EntityTypeName>().map_err(|error| error.to_string());
        Ok(Self { schema, user: name("User")?, group: name("Group")?, container: name("Container")?, action: name("Action")? })
    }

    pub(super) fn user(&self, user: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.user.clone(), EntityId::new(user))
    }

    /// The user with its groups and `container` with its attributes: all that a decision looks at.
    pub(super) fn entities(&self, user: &str, groups: &[Account], container: &Container) -> Result<Entities, Unspeakable> {
        let groups =
            groups.iter().map(|group| EntityUid::from_type_name_and_id(self.group.clone(), EntityId::new(group.as_str())));
        let user = Entity::new_no_attrs(self.user(user), groups.collect());
        Entities::from_entities([user, self.container(container)?], None).map_err(unspeakable)
    }

    fn container(&self, container: &Container) -> Result<Entity, Unspeakable> {
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let mut attributes = vec![
            ("agent".to_owned(), text(&container.agent_name)),
            ("agent_id".to_owned(), text(&container.agent.to_string())),
            ("runtime".to_owned(), text(&container.runtime)),
            ("image".to_owned(), text(&container.image)),
            ("name".to_owned(), text(&container.name)),
            ("app".to_owned(), text(&container.app)),
        ];
        let ports = container.facts.ports.iter().map(|port| text(port));
        attributes.push(("state".to_owned(), text(&container.state)));
        attributes.push(("ports".to_owned(), RestrictedExpression::new_set(ports)));
        for name in OPTIONAL {
            let value = reader(name).and_then(|read| read(container));
            attributes.extend(value.map(|value| (name.to_owned(), text(value))));
        }
        let tags = container.labels.iter().map(|(key, value)| (key.clone(), text(value)));
        Entity::new_with_tags(self.container_uid(container), attributes, [], tags).map_err(unspeakable)
    }

    fn container_uid(&self, container: &Container) -> EntityUid {
        EntityUid::from_type_name_and_id(self.container.clone(), EntityId::new(container.id.to_string()))
    }

    /// May `user` do `action` with `container` as `login`? `login` is not asked for `list`.
    pub(super) fn request(
        &self,
        user: &str,
        action: Action,
        container: &Container,
        login: Option<&Login>,
        circumstances: &Circumstances<'_>,
    ) -> Result<Request, Unspeakable> {
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let time = i64::try_from(circumstances.time).map_err(unspeakable)?;
        let mut context = vec![
            ("address".to_owned(), RestrictedExpression::new_ip(circumstances.address.to_string())),
            ("time".to_owned(), RestrictedExpression::new_long(time)),
        ];
        if action != Action::List {
            context.extend(login.map(|login| ("login".to_owned(), text(login.as_str()))));
            context.extend(circumstances.reason.map(|reason| ("reason".to_owned(), text(reason))));
            context.extend(circumstances.command.map(|command| ("command".to_owned(), text(command))));
        }
        let context = Context::from_pairs(context).map_err(unspeakable)?;
        let action = EntityUid::from_type_name_and_id(self.action.clone(), EntityId::new(action.as_str()));
        Request::new(self.user(user), action, self.container_uid(container), context, None).map_err(unspeakable)
    }
}

/// The attributes that a container may or may not have, each a text.
const OPTIONAL: [&str; 10] =
    ["cluster", "namespace", "owner", "project", "service", "pod", "container", "kind", "node", "health"];

/// Reads one attribute of a container; none where it has none.
pub(super) type Reader = for<'a> fn(&'a Container) -> Option<&'a str>;

/// How the attribute `name` is read, if there is such an attribute and it is a text that the container keeps.
pub(super) fn reader(name: &str) -> Option<Reader> {
    Some(match name {
        "agent" => |container| Some(&container.agent_name),
        "runtime" => |container| Some(&container.runtime),
        "image" => |container| Some(&container.image),
        "name" => |container| Some(&container.name),
        "app" => |container| Some(&container.app),
        "state" => |container| Some(&container.state),
        "cluster" => |container| container.cluster.as_deref(),
        "namespace" => |container| container.namespace.as_deref(),
        "owner" => |container| container.facts.owner.as_deref(),
        "project" => |container| container.facts.project.as_deref(),
        "service" => |container| container.facts.service.as_deref(),
        "pod" => |container| container.facts.pod.as_deref(),
        "container" => |container| container.facts.container.as_deref(),
        "kind" => |container| container.facts.kind.as_deref(),
        "node" => |container| container.facts.node.as_deref(),
        "health" => |container| container.facts.health.as_deref(),
        _ => return None,
    })
}

fn unspeakable(error: impl std::fmt::Display) -> Unspeakable {
    Unspeakable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_ask_is_what_the_schema_says() {
        let words = Words::new().unwrap();
        let container = Container::example("tomcat");
        let circumstances =
            Circumstances { address: "10.0.0.1".parse().unwrap(), time: 1, reason: Some("why"), command: Some("id") };
        let entity = words.container(&container).unwrap();
        Entities::from_entities([entity], Some(&words.schema)).unwrap();
        for action in Action::ALL {
            let login = Login::container_default();
            let request = words.request("ada@local", action, &container, Some(&login), &circumstances).unwrap();
            let (who, what, which) = (request.principal().unwrap(), request.action().unwrap(), request.resource().unwrap());
            let context = request.context().unwrap().clone();
            Request::new(who.clone(), what.clone(), which.clone(), context, Some(&words.schema)).unwrap();
        }
    }
}
