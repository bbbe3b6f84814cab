//! Policy files and files of expected decisions. A set that loads decides; a list of many containers is what single questions say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ztctl::broker::fuzzing::{cases, decide, policies};
use ztctl::proto::Action;
use ztctl::proto::agent::{Capabilities, ContainerReport, Facts};
use ztctl_fuzz::{split, text};

/// What `cases` are decided by.
const SHIPPED: &str = include_str!("../../deploy/policy.cedar");

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    let text = text(bytes);
    if choice % 4 == 0 {
        return cases(&text, policies(SHIPPED).as_ref());
    }
    let Some(set) = policies(&text) else { return };
    assert!(set.ids().iter().all(|id| !id.is_empty()));
    set.review(None);
    set.review(Some(&["okta".to_owned()]));
    let containers = (0..6).map(|number| report(number, &text)).collect();
    decide(&set, &["dev".to_owned(), "sre".to_owned()], containers);
});

/// A container whose attributes are words of the policy, so that comparisons are met.
fn report(number: usize, text: &str) -> ContainerReport {
    let mut words = text.split('"').skip(1).step_by(2).filter(|word| word.len() < 64).cycle().skip(number * 3);
    let mut word = || words.next().unwrap_or("web").to_owned();
    ContainerReport {
        runtime_id: format!("r{number}"),
        name: word(),
        app: word(),
        image: word(),
        location: "node".to_owned(),
        runtime: "docker".to_owned(),
        state: "running".to_owned(),
        started_at: 1,
        labels: [(word(), word()), (word(), word())].into(),
        namespace: (number % 2 == 0).then(|| "shop-a".to_owned()),
        instance: None,
        facts: Facts { project: Some(word()), node: Some(word()), ..Facts::default() },
        capabilities: Capabilities::of(Action::ALL),
    }
}
