//! What comes from the environment: folders, tokens, the proxy, and whether a browser can be used. Read here and nowhere else.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use directories::BaseDirs;

use super::failure::Failure;
use crate::client::config::Config;
use crate::client::http::ProxySettings;
use crate::client::paths::Paths;
use crate::proto::Secret;

/// The broker to talk to, where there are logins at several: as `--broker`.
pub const BROKER: &str = "ZTCTL_BROKER";

/// The same by its profile's name: as `--profile`.
pub const PROFILE: &str = "ZTCTL_PROFILE";

/// When to use colour: as `--color`.
pub const COLOR: &str = "ZTCTL_COLOR";

/// The key of a session's escapes: as `--escape`.
pub const ESCAPE: &str = "ZTCTL_ESCAPE";

/// Where a login keeps its tokens: as `--store`.
pub const STORE: &str = "ZTCTL_STORE";

/// `true`: a login is by code, as with `--device`.
pub const DEVICE: &str = "ZTCTL_DEVICE";

/// A token that `ztbroker token create --user` made, for machines; then nothing that is kept on this machine is used as one.
pub const TOKEN: &str = "ZTCTL_TOKEN";

/// The broker's private TLS root, a PEM file or `sha256:` and its fingerprint: for [`TOKEN`], where no login has pinned one.
pub const CA: &str = "ZTCTL_CA";

/// Why, for whoever cannot say `--reason`: stock `ssh`, for one.
pub const REASON: &str = "ZTCTL_REASON";

/// The folder of `config.toml`, instead of `ztctl` in the user's configuration folder.
pub const CONFIG_DIR: &str = "ZTCTL_CONFIG_DIR";

/// The folder of locks and tokens, instead of `ztctl` in the user's state folder.
pub const STATE_DIR: &str = "ZTCTL_STATE_DIR";

/// Anything in it: no colour (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// The program that shows a page, instead of the desktop's own choice.
pub const BROWSER: &str = "BROWSER";

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where the client keeps its files; `None` when there is no home to keep them in.
    pub paths: Option<Paths>,
    /// Whether [`CONFIG_DIR`] says where the configuration is.
    pub moved_config: bool,
    /// Whether [`STATE_DIR`] says where the state is.
    pub moved_state: bool,
    /// The home.
    pub home: Option<PathBuf>,
    /// [`BROKER`].
    pub broker: Option<String>,
    /// [`PROFILE`].
    pub profile: Option<String>,
    /// [`COLOR`].
    pub color: Option<String>,
    /// [`ESCAPE`].
    pub escape: Option<String>,
    /// [`STORE`].
    pub store: Option<String>,
    /// [`DEVICE`].
    pub device: Option<String>,
    /// [`REASON`].
    pub reason: Option<String>,
    /// [`TOKEN`].
    pub token: Option<Secret<String>>,
    /// [`CA`].
    pub ca: Option<String>,
    /// The way out: `HTTPS_PROXY` or `ALL_PROXY`, and `NO_PROXY`.
    pub proxy: ProxySettings,
    /// The commands that may open a page, most liked first; empty when a browser here is of no use to the person.
    pub browsers: Vec<OsString>,
}

impl Environment {
    /// The process's own.
    pub fn system() -> Self {
        Self::from(&|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// Nothing is set.
    #[cfg(test)]
    pub(super) fn empty() -> Self {
        Self { paths: None, home: None, ..Self::from(&|_| None) }
    }

    /// What the configuration's file holds; an empty configuration where there is no home.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn configuration(&self) -> Result<Config, Failure> {
        self.paths.as_ref().map(Config::load).transpose().map(Option::unwrap_or_default).map_err(Failure::from)
    }

    /// How long a keyring may take: as a person who sees its dialogue, or as a bus that nobody sits at.
    pub(super) fn keyring_patience(&self) -> Duration {
        if self.browsers.is_empty() { PATIENCE_UNSEEN } else { PATIENCE_SEEN }
    }

    fn from(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| variable(name)?.into_string().ok();
        let first = |names: [&str; 2]| names.into_iter().find_map(text);
        Self {
            paths: paths(variable),
            moved_config: variable(CONFIG_DIR).is_some(),
            moved_state: variable(STATE_DIR).is_some(),
            home: BaseDirs::new().map(|home| home.home_dir().to_owned()),
            broker: text(BROKER),
            profile: text(PROFILE),
            color: text(COLOR),
            escape: text(ESCAPE),
            store: text(STORE),
            device: text(DEVICE),
            reason: text(REASON),
            token: text(TOKEN).map(|token| Secret::new(token.trim().to_owned())),
            ca: text(CA),
            proxy: ProxySettings {
                https: first(["HTTPS_PROXY", "https_proxy"]).or_else(|| first(["ALL_PROXY", "all_proxy"])),
                except: first(["NO_PROXY", "no_proxy"]),
            },
            browsers: browsers(variable),
        }
    }
}

/// A bus answers in milliseconds, a dialogue that nobody sees never.
const PATIENCE_UNSEEN: Duration = Duration::from_secs(3);

/// A password is typed in seconds.
const PATIENCE_SEEN: Duration = Duration::from_secs(60);

/// Whether the person refuses colour.
pub(super) fn refuses_colour() -> bool {
    std::env::var_os(NO_COLOR).is_some_and(|value| !value.is_empty())
}

fn paths(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Paths> {
    // `directories` falls back to the passwd entry; only a user without either has no home.
    let home = BaseDirs::new();
    let below = |folder: PathBuf| folder.join("ztctl");
    let config = variable(CONFIG_DIR).map(PathBuf::from).or_else(|| home.as_ref().map(|home| below(home.config_dir().into())));
    let state = variable(STATE_DIR).map(PathBuf::from).or_else(|| {
        // Only Linux has a state folder; elsewhere local data is what it is called.
        home.as_ref().map(|home| below(home.state_dir().unwrap_or(home.data_local_dir()).into()))
    });
    Some(Paths::new(config?, state?))
}

/// The commands that may open a page. Over SSH a browser would open in front of nobody, or not at all.
fn browsers(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<OsString> {
    let set = |name| variable(name).is_some();
    if set("SSH_CONNECTION") || set("SSH_TTY") {
        return Vec::new();
    }
    let wsl = set("WSL_DISTRO_NAME") || set("WSL_INTEROP");
    let desktop = cfg!(target_os = "macos") || cfg!(windows) || wsl || set("DISPLAY") || set("WAYLAND_DISPLAY") || set(BROWSER);
    let mut commands: Vec<OsString> = variable(BROWSER).into_iter().collect();
    match () {
        () if cfg!(target_os = "macos") => commands.push("open".into()),
        () if cfg!(windows) => commands.push("explorer.exe".into()),
        () if wsl => commands.extend(["wslview".into(), "explorer.exe".into()]),
        () => commands.push("xdg-open".into()),
    }
    if desktop { commands } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn our_own_folders_come_first() {
        let paths = environment(&[(CONFIG_DIR, "/c"), (STATE_DIR, "/s")]).paths.unwrap();
        assert_eq!(paths, Paths::new("/c", "/s"));
    }

    #[test]
    fn a_browser_that_nobody_sees_is_not_used() {
        assert!(environment(&[("DISPLAY", ":0"), ("SSH_CONNECTION", "x")]).browsers.is_empty());
        assert_eq!(environment(&[("DISPLAY", ":0"), ("SSH_TTY", "x")]).keyring_patience(), PATIENCE_UNSEEN);
        let desktop = environment(&[("WAYLAND_DISPLAY", "wayland-0"), (BROWSER, "firefox")]).browsers;
        assert_eq!(desktop.first().unwrap(), "firefox");
        if cfg!(target_os = "linux") {
            assert!(environment(&[]).browsers.is_empty());
            assert_eq!(environment(&[("DISPLAY", ":0")]).browsers, ["xdg-open"]);
            assert_eq!(environment(&[("WSL_DISTRO_NAME", "Debian")]).browsers, ["wslview", "explorer.exe"]);
        }
    }

    #[test]
    fn the_token_is_not_shown() {
        let environment = environment(&[(TOKEN, "s3cret\n")]);
        assert_eq!(environment.token.as_ref().unwrap().expose(), "s3cret");
        assert!(!format!("{environment:?}").contains("s3cret"));
    }
}
