//! What `--help` and the manual say after the options: examples, and what does not fit into one line.

pub(super) const AFTER_HELP: &str = "\
EXAMPLES
  ztctl login https://broker.example.com
  ztctl ls
  ztctl shell tomcat-7f9
  ztctl exec tomcat-7f9 -- tail -n 100 /var/log/app.log

EXIT STATUS
  shell and exec: that of the remote command, 128+n when signal n ended it, 255 when ztctl or the link failed
  else: 0 done, 1 failed, 2 wrong usage, 3 not logged in, 4 not allowed or not found, 130 interrupted";

pub(super) const LOGIN_HELP: &str = "\
EXAMPLES
  ztctl login https://broker.example.com
  ztctl login                                          at the last broker again
  ztctl login https://broker.internal --ca root.pem    its TLS certificate has a private root
  ztctl login --device                                 without a browser on this machine
  ztctl login https://broker.example.com --profile prod
  ztctl login prod";

pub(super) const TOTP_HELP: &str = "\
EXAMPLES
  ztctl totp enroll
  ztctl totp status
  ztctl totp verify && ./deploy.sh      show a code now, for what runs next

Where a policy asks for a second factor, shell, exec, cp, forward and logs ask for a code in place and go on. It is for people of the
broker's own directory; an identity provider asks for its own.";

pub(super) const LOGOUT_HELP: &str = "\
EXAMPLES
  ztctl logout
  ztctl logout --broker https://broker.example.com";

pub(super) const STATUS_HELP: &str = "\
EXAMPLES
  ztctl status
  ztctl status --output json";

pub(super) const LS_HELP: &str = "\
EXAMPLES
  ztctl ls
  ztctl ls tomcat prod           rows that contain both words
  ztctl ls -l app=tomcat,env!=prod
  ztctl ls --watch --sort age
  ztctl ls --output name         names only, one a line
  ztctl ls --output json";

pub(super) const SHELL_HELP: &str = "\
EXAMPLES
  ztctl shell                    pick from a list
  ztctl shell -l team=shop       pick from those
  ztctl shell tomcat-7f9
  ztctl shell tomcat-7f9 --user app --reason 'ticket 4711'

ESCAPES, after Enter
  ~.   leave at once, also when nothing answers
  ~^Z  suspend ztctl
  ~?   show the escapes
  ~~   send one ~";

pub(super) const EXEC_HELP: &str = "\
EXAMPLES
  ztctl exec tomcat-7f9 -- tail -n 100 /var/log/app.log
  ztctl exec tomcat-7f9 -- sh -c 'cd /srv && tar c .' > srv.tar
  ztctl exec tomcat-7f9 -- sh -c 'cat > /tmp/data' < data
  ztctl exec -t tomcat-7f9 -- top
  ztctl exec -e LANG=C tomcat-7f9 -- date
  ztctl exec --all -l app=tomcat -- uptime

With --all nothing is read, each line has the name before it, and the status is 0 when all ended with 0, 1 when one did not, and
255 when one could not be run.";

pub(super) const LOGS_HELP: &str = "\
EXAMPLES
  ztctl logs tomcat-7f9
  ztctl logs tomcat-7f9 --follow --since 10m
  ztctl logs tomcat-7f9 --tail 100 --timestamps
  ztctl logs tomcat-7f9 2>/dev/null        what it wrote to its standard output only

Ctrl-C ends it.";

pub(super) const FORWARD_HELP: &str = "\
EXAMPLES
  ztctl forward tomcat-7f9 8080                 http://localhost:8080 is its port 8080
  ztctl forward tomcat-7f9 9000:8080
  ztctl forward tomcat-7f9 5432:db.internal:5432
  ztctl forward tomcat-7f9 -D 1080              then: curl --socks5-hostname localhost:1080 http://db.internal/
  ztctl forward tomcat-7f9 -R 9000:3000         port 9000 inside is port 3000 here

Ctrl-C ends it.";

pub(super) const CP_HELP: &str = "\
EXAMPLES
  ztctl cp tomcat-7f9:/var/lib/tomcat10/logs ./logs
  ztctl cp -p app.war conf/ tomcat-7f9:/tmp/
  ztctl cp --resume tomcat-7f9:/tmp/heap.hprof .

Folders are copied with all that is in them; links are made as links and never followed. A file has its name only when it is whole.";

pub(super) const WHY_HELP: &str = "\
EXAMPLES
  ztctl why tomcat-7f9
  ztctl why tomcat-7f9 --user root
  ztctl why tomcat-7f9 --output json";

pub(super) const REQUEST_HELP: &str = "\
EXAMPLES
  ztctl request tomcat-7f9 --reason 'ticket 4711'
  ztctl request tomcat-7f9 --action shell,copy --for 2h --reason 'heap dump'
  ztctl request tomcat-7f9 --replicas --reason 'ticket 4711'
  ztctl request tomcat-7f9 --no-wait --reason 'ticket 4711'

The same command again goes on waiting for the same request. The approval is for what was asked, and for nothing else; ztctl shell asks
for one by itself where it is missing.";

pub(super) const REQUESTS_HELP: &str = "\
EXAMPLES
  ztctl requests
  ztctl requests withdraw 3fa9
  ztctl requests --output json";

pub(super) const REQUESTS_WITHDRAW_HELP: &str = "\
EXAMPLES
  ztctl requests withdraw 3fa9";

pub(super) const APPROVE_HELP: &str = "\
EXAMPLES
  ztctl requests
  ztctl approve 3fa9
  ztctl approve 3fa9 --for 30m
  ztctl approve 3fa9 --yes                    in a script, where nobody can be asked

It is for members of the groups that the policy names, and never for one's own request.";

pub(super) const DENY_HELP: &str = "\
EXAMPLES
  ztctl deny 3fa9 --reason 'not during the release'

Of a request that is approved it takes the approval back: sessions that stand on it end.";

pub(super) const SESSIONS_HELP: &str = "\
EXAMPLES
  ztctl sessions
  ztctl sessions end 3fa9
  ztctl sessions --output json";

pub(super) const SESSIONS_END_HELP: &str = "\
EXAMPLES
  ztctl sessions end 3fa9";

pub(super) const SSH_CONFIG_HELP: &str = "\
EXAMPLES
  ztctl ssh-config                         then: ssh tomcat-7f9.zt
  scp app.jar tomcat-7f9.zt:/tmp/
  rsync -a tomcat-7f9.zt:/var/log/ ./logs/
  ssh -L 8080:localhost:8080 root@tomcat-7f9.zt
  ZTCTL_REASON='ticket 4711' ssh tomcat-7f9.zt

It writes a file of its own and the one line of ~/.ssh/config that includes it. Certificates live for minutes and are made when ssh
connects; hosts are accepted by the broker's authority and in no other way.";

pub(super) const PROXY_HELP: &str = "\
EXAMPLES
  ProxyCommand ztctl proxy --identity-agent ~/.local/state/ztctl/ssh --user %r %n
  IdentityAgent ~/.local/state/ztctl/ssh/agent";

pub(super) const VERSION_HELP: &str = "\
EXAMPLES
  ztctl version
  ztctl version --output json";

pub(super) const CONFIG_HELP: &str = "\
EXAMPLES
  ztctl config show
  ztctl config profiles
  ztctl config use prod
  ztctl config set escape none

What a flag says counts before its variable, and that before the configuration.

ENVIRONMENT
  ZTCTL_BROKER, ZTCTL_PROFILE     as --broker and --profile
  ZTCTL_COLOR, NO_COLOR           as --color; anything in NO_COLOR is never
  ZTCTL_ESCAPE                    as --escape of shell and exec
  ZTCTL_REASON                    as --reason, also for stock ssh
  ZTCTL_STORE, ZTCTL_DEVICE       as --store and --device of login
  ZTCTL_TOKEN, ZTCTL_CA           a machine's token, and the broker's private root
  ZTCTL_CONFIG_DIR                the folder of config.toml [~/.config/ztctl]
  ZTCTL_STATE_DIR                 the folder of logins and locks [~/.local/state/ztctl]
  BROWSER                         the program that shows the login's page";

pub(super) const COMPLETIONS_HELP: &str = "\
EXAMPLES
  source <(ztctl completions bash)                                         in ~/.bashrc
  source <(ztctl completions zsh)                                          in ~/.zshrc, after compinit
  ztctl completions fish | source                                          in ~/.config/fish/config.fish
  ztctl completions powershell | Out-String | Invoke-Expression            in $PROFILE
  eval (ztctl completions elvish | slurp)                                  in ~/.config/elvish/rc.elv

Names, labels and profiles come from a list on this machine, which only you can read, is refreshed in the background and goes with the
login. Paths in containers (ztctl cp NAME:/va, then TAB) are asked for: each time is a session, allowed by policy and in the audit.";
