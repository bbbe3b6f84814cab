//! Which containers an operator wants served: by name and label, and by the label with which whoever runs a container takes it out.

use std::str::FromStr;

use clap::Args;

use crate::glob;

/// What is served: what one of `only` fits (all, where there is none), unless one of `except` fits it too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these at least one must fit, if there are any.
    pub only: Vec<Criterion>,
    /// Of these none may fit.
    pub except: Vec<Criterion>,
}

/// One condition on a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criterion {
    /// Its name fits this pattern.
    Name(String),
    /// It has this label, with a value that fits the pattern.
    Label {
        /// The label's name.
        name: String,
        /// The pattern.
        value: String,
    },
}

/// The words for a selection.
#[derive(Debug, Args)]
pub(in crate::agent) struct SelectionArgs {
    /// Serve only containers with such a name or label; of several conditions one has to fit
    #[arg(long, value_name = "name=PATTERN|label=NAME[=PATTERN]")]
    only: Vec<Criterion>,
    /// Serve no containers with such a name or label
    #[arg(long, value_name = "name=PATTERN|label=NAME[=PATTERN]")]
    except: Vec<Criterion>,
}

impl From<SelectionArgs> for Selection {
    fn from(args: SelectionArgs) -> Self {
        Self { only: args.only, except: args.except }
    }
}

/// The text is no condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write name=PATTERN, label=NAME or label=NAME=PATTERN, with `*` for any letters")]
pub struct InvalidCriterion;

impl Selection {
    /// Whether a container with this name and these labels is served.
    pub(super) fn admits<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let fits = |criterion: &Criterion| match criterion {
            Criterion::Name(pattern) => glob::matches(pattern, name),
            Criterion::Label { name, value } => label(name).is_some_and(|found| glob::matches(value, found)),
        };
        label(ACCESS) != Some("false") && (self.only.is_empty() || self.only.iter().any(fits)) && !self.except.iter().any(fits)
    }
}

impl FromStr for Criterion {
    type Err = InvalidCriterion;

    fn from_str(text: &str) -> Result<Self, InvalidCriterion> {
        match text.split_once('=') {
            Some(("name", pattern)) if !pattern.is_empty() => Ok(Self::Name(pattern.to_owned())),
            Some(("label", label)) => {
                let (name, value) = label.split_once('=').unwrap_or((label, "*"));
                if name.is_empty() {
                    return Err(InvalidCriterion);
                }
                Ok(Self::Label { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(InvalidCriterion),
        }
    }
}

/// The label by which a container is taken out (`"false"`), whatever the operator's filters say.
pub(super) const ACCESS: &str = "ztctl.dev/access";

/// The label by which our own containers are known: `agent`, `broker`.
pub(super) const ROLE: &str = "ztctl.dev/role";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn selection(only: &[&str], except: &[&str]) -> Selection {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Selection { only: read(only), except: read(except) }
    }

    fn admits(selection: &Selection, labels: &BTreeMap<String, String>) -> bool {
        selection.admits("web-1", |label| labels.get(label).map(String::as_str))
    }

    #[test]
    fn filters_are_told_by_name_and_label() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let shop: BTreeMap<String, String> = labels(&[("team", "shop"), ("env", "prod")]);
        for (only, except, admitted) in [
            (&[][..], &[][..], true),
            (&["name=web-*"], &[], true),
            (&["name=db-*"], &[], false),
            (&["name=db-*", "label=team=shop"], &[], true),
            (&["label=team"], &[], true),
            (&["label=tier"], &[], false),
            (&["label=team=sh*"], &["label=env=prod"], false),
            (&[], &["name=*-2"], true),
            (&[], &["name=*-1"], false),
        ] {
            assert_eq!(admits(&selection(only, except), &shop), admitted, "{only:?} {except:?}");
        }
        let out = labels(&[(ACCESS, "false")]);
        assert!(!admits(&selection(&["name=web-*"], &[]), &out));
        assert!(admits(&selection(&[], &[]), &labels(&[(ACCESS, "true")])));
    }

    #[test]
    fn other_text_is_no_condition() {
        for text in ["", "web", "name=", "label=", "label==x", "image=x"] {
            assert_eq!(text.parse::<Criterion>(), Err(InvalidCriterion), "{text}");
        }
    }
}
