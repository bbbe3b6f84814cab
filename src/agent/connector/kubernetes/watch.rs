//! The pods of the served namespaces, each namespace followed by a watch of its own: what one may not be seen takes no other along.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::exec::Target;
use super::{NEVER, Rights, report};
use crate::agent::connector::Containers;
use crate::agent::connector::selection::Selection;
use crate::proto::agent::ContainerReport;

/// Whoever follows the cluster.
pub(super) struct Watch {
    client: Client,
    namespaces: BTreeSet<String>,
    /// The agent's own, which is not served.
    own: Option<String>,
    selection: Selection,
    containers: watch::Sender<Containers>,
    /// Whether every namespace has been listed once, or was refused.
    listed: watch::Sender<bool>,
    known: Mutex<Known>,
}

/// What each watch knows, by the name that it watches.
#[derive(Debug, Default)]
struct Known {
    pods: BTreeMap<String, Pods>,
    targets: HashMap<String, Target>,
}

/// The containers of pods, by the pods' ids.
type Pods = BTreeMap<String, Vec<(ContainerReport, Target)>>;

impl Watch {
    /// Nothing is followed yet.
    pub(super) fn new(client: Client, namespaces: BTreeSet<String>, own: Option<String>, selection: Selection) -> Self {
        let containers = watch::Sender::new(Containers::default());
        let listed = watch::Sender::new(false);
        Self { client, namespaces, own, selection, containers, listed, known: Mutex::default() }
    }

    /// Waits until every namespace has been listed once, or was refused.
    pub(super) async fn looked_up(&self) {
        let _ = self.listed.subscribe().wait_for(|listed| *listed).await;
    }

    /// What runs, and again at each change.
    pub(super) fn containers(&self) -> watch::Receiver<Containers> {
        self.containers.subscribe()
    }

    /// Where the container is that the runtime calls `runtime_id`.
    pub(super) fn target(&self, runtime_id: &str) -> Option<Target> {
        self.known().targets.get(runtime_id).cloned()
    }

    /// Follows the cluster for as long as this is polled.
    pub(super) async fn run(&self) {
        futures_util::future::join_all(self.names().into_iter().map(|name| self.follow(name))).await;
    }

    /// What is watched: each namespace, or all in one.
    fn names(&self) -> Vec<&str> {
        match self.namespaces.contains(ALL) {
            true => vec![ALL],
            false => self.namespaces.iter().map(String::as_str).collect(),
        }
    }

    /// Follows one namespace, or all of them, to no end.
    async fn follow(&self, name: &str) {
        let (api, namespace): (Api<Pod>, &str) = match name {
            ALL => (Api::all(self.client.clone()), ""),
            name => (Api::namespaced(self.client.clone(), name), name),
        };
        let mut trouble = Trouble::new(name);
        loop {
            let mut rights = Rights::of(&self.client, namespace).await;
            let config = watcher::Config { page_size: Some(PAGE), ..watcher::Config::default() };
            let mut events = watcher(api.clone(), config).default_backoff().boxed();
            let (mut pods, mut coming) = (Pods::new(), None);
            let mut again = std::pin::pin!(tokio::time::sleep(RIGHTS));
            loop {
                let event = tokio::select! {
                    event = events.try_next() => event,
                    () = &mut again => {
                        again.set(tokio::time::sleep(RIGHTS));
                        let now = Rights::of(&self.client, namespace).await;
                        if now != rights {
                            // What every row offers has changed: all of them are read anew.
                            break;
                        }
                        continue;
                    }
                };
                match event {
                    Ok(Some(event)) => {
                        trouble.is_over();
                        match event {
                            watcher::Event::Init => coming = Some(Pods::new()),
                            watcher::Event::InitApply(pod) => self.put(coming.get_or_insert_default(), pod, rights),
                            watcher::Event::InitDone => pods = coming.take().unwrap_or_default(),
                            watcher::Event::Apply(pod) => self.put(&mut pods, pod, rights),
                            watcher::Event::Delete(pod) => drop(pod.metadata.uid.map(|uid| pods.remove(&uid))),
                        }
                        if coming.is_none() {
                            self.publish(name, pods.clone());
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        let refused = trouble.tell(&error);
                        // Who may not look has nothing to show; whoever cannot be reached may be back in a moment, with the same pods.
                        if refused || !self.reachable().await {
                            self.publish(name, Pods::new());
                        }
                        if !refused {
                            while !self.reachable().await {
                                tokio::time::sleep(REACH_AGAIN).await;
                            }
                            self.publish(name, pods.clone());
                            rights = Rights::of(&self.client, namespace).await;
                        }
                    }
                }
            }
        }
    }

    async fn reachable(&self) -> bool {
        tokio::time::timeout(REACH, self.client.apiserver_version()).await.is_ok_and(|version| version.is_ok())
    }

    fn put(&self, pods: &mut Pods, pod: Pod, rights: Rights) {
        let Some(uid) = pod.metadata.uid.clone() else { return };
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let ours = NEVER.contains(&namespace) || self.own.as_deref() == Some(namespace);
        let reports = if ours { Vec::new() } else { report::of(&pod, &self.selection, rights) };
        match reports.is_empty() {
            true => drop(pods.remove(&uid)),
            false => drop(pods.insert(uid, reports)),
        }
    }

    fn publish(&self, name: &str, pods: Pods) {
        let mut known = self.known();
        known.pods.insert(name.to_owned(), pods);
        let mut containers = BTreeMap::new();
        let mut targets = HashMap::new();
        for (report, target) in known.pods.values().flat_map(BTreeMap::values).flatten() {
            containers.insert(report.runtime_id.clone(), report.clone());
            targets.insert(report.runtime_id.clone(), target.clone());
        }
        known.targets = targets;
        // Under the lock, so that of two changes the later is the one that is published last.
        self.containers.send_if_modified(|published| {
            let changed = **published != containers;
            if changed {
                *published = Arc::new(containers);
            }
            changed
        });
        if known.pods.len() == self.names().len() {
            self.listed.send_if_modified(|listed| !std::mem::replace(listed, true));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing under this lock leaves it half-changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with a watch, told once and not at each attempt.
struct Trouble<'a> {
    name: &'a str,
    told: bool,
}

impl<'a> Trouble<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, told: false }
    }

    /// Tells it; whether the cluster has refused.
    fn tell(&mut self, error: &watcher::Error) -> bool {
        let refused = status(error).is_some_and(|code| matches!(code, 401 | 403 | 404));
        if !std::mem::replace(&mut self.told, true) {
            let what =
                if self.name == ALL { "the pods of all namespaces".to_owned() } else { format!("the namespace {}", self.name) };
            match refused {
                true => {
                    tracing::warn!("{what} cannot be served: the cluster refuses ({error}): see deploy/kubernetes for the role")
                }
                false => tracing::warn!("{what} cannot be followed: {error}; trying again"),
            }
        }
        refused
    }

    fn is_over(&mut self) {
        if std::mem::take(&mut self.told) {
            tracing::info!(namespace = self.name, "followed again");
        }
    }
}

fn status(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// Every namespace there is.
const ALL: &str = "*";

/// Pods of one page of a list: each has some kilobytes while it is looked at.
const PAGE: u32 = 100;

/// How often the agent's rights are asked for: they change with the operator's mind.
const RIGHTS: Duration = Duration::from_secs(60);

/// How long the cluster may take to say that it is there, and how often it is asked.
const REACH: Duration = Duration::from_secs(5);
const REACH_AGAIN: Duration = Duration::from_millis(500);
