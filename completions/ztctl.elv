
use builtin;
use str;

set edit:completion:arg-completer[ztctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ztctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ztctl'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand login 'Log in at a broker, in the browser or with a code'
            cand logout 'End the login and remove what it left on this machine'
            cand status 'Show the broker, the user, when the login ends and where the tokens are'
            cand ls 'List the containers that you may reach'
            cand shell 'Open a shell in a container'
            cand exec 'Run one command in a container, without a terminal unless -t asks for one'
            cand logs 'Show what a container has written to its outputs'
            cand cp 'Copy files and folders from a container or to it'
            cand forward 'Connect to ports inside a container, or let it connect to ports here'
            cand why 'Show what you may do in a container, by which policies, or why not'
            cand sessions 'List your live sessions, or end one'
            cand ssh-config 'Let stock ssh, scp, sftp, rsync, git and what runs on them reach containers as NAME.zt'
            cand proxy 'Connect stock ssh to a container: its ProxyCommand, which `ztctl ssh-config` sets'
            cand config 'Show the settings and where they come from, and the profiles, or change them'
            cand version 'Show the version of this program and of its protocol'
            cand demo 'Try it: a broker, two containers and a shell, on this machine alone'
        }
        &'ztctl;login'= {
            cand --ca 'Trust this private TLS root: a PEM file, or sha256: and its fingerprint [env: ZTCTL_CA]'
            cand --store 'Keep the tokens here, instead of in the first of these that works [env: ZTCTL_STORE]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand --device 'Log in with a code that is entered in a browser elsewhere [env: ZTCTL_DEVICE]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;logout'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;status'= {
            cand -o 'How to print'
            cand --output 'How to print'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;ls'= {
            cand -l 'Only rows with these labels: app=tomcat,env!=prod,team,!canary'
            cand --selector 'Only rows with these labels: app=tomcat,env!=prod,team,!canary'
            cand -n 'Only rows of this namespace, or Compose project'
            cand --namespace 'Only rows of this namespace, or Compose project'
            cand --sort 'The order'
            cand -o 'How to print'
            cand --output 'How to print'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand --wide 'Show more columns, as wide as they need'
            cand -w 'Go on showing what changes, until Ctrl-C'
            cand --watch 'Go on showing what changes, until Ctrl-C'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;shell'= {
            cand -l 'Pick from those with these labels: app=tomcat,env!=prod'
            cand --selector 'Pick from those with these labels: app=tomcat,env!=prod'
            cand -u 'Be this Unix user inside, instead of the container''s own'
            cand --user 'Be this Unix user inside, instead of the container''s own'
            cand --reason 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]'
            cand -e 'Set a variable there, where the policy allows it; without =VALUE, to what it is here'
            cand --env 'Set a variable there, where the policy allows it; without =VALUE, to what it is here'
            cand --escape 'The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand --timing 'Show at the end where each millisecond of the way went'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;exec'= {
            cand -l 'With --all: only where these labels are: app=tomcat,env!=prod'
            cand --selector 'With --all: only where these labels are: app=tomcat,env!=prod'
            cand --parallel 'With --all: how many at a time'
            cand -u 'Be this Unix user inside, instead of the container''s own'
            cand --user 'Be this Unix user inside, instead of the container''s own'
            cand --reason 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]'
            cand -e 'Set a variable there, where the policy allows it; without =VALUE, to what it is here'
            cand --env 'Set a variable there, where the policy allows it; without =VALUE, to what it is here'
            cand --escape 'The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand --all 'Run it in every container that you may reach, or in those of -l, after showing them'
            cand -y 'With --all: run without asking'
            cand --yes 'With --all: run without asking'
            cand -t 'Run it at this terminal: for vim, top and the like'
            cand --tty 'Run it at this terminal: for vim, top and the like'
            cand --timing 'Show at the end where each millisecond of the way went'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;logs'= {
            cand --since 'Only what was written since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z'
            cand -n 'Only the last N lines'
            cand --tail 'Only the last N lines'
            cand --reason 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -f 'Go on with what is written from now on, also after the container was started again'
            cand --follow 'Go on with what is written from now on, also after the container was started again'
            cand -t 'Begin each line with the time at which it was written'
            cand --timestamps 'Begin each line with the time at which it was written'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;cp'= {
            cand -u 'Be this Unix user inside, instead of the container''s own'
            cand --user 'Be this Unix user inside, instead of the container''s own'
            cand --reason 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -p 'Keep modes and times'
            cand --preserve 'Keep modes and times'
            cand --resume 'Go on with what an interrupted copy has left'
            cand -q 'Show no progress'
            cand --quiet 'Show no progress'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;forward'= {
            cand -D 'Serve SOCKS 5 here: programs say themselves where they want to from inside'
            cand --socks 'Serve SOCKS 5 here: programs say themselves where they want to from inside'
            cand -R 'Listen on a port inside, and connect from here to HOST (by default localhost) and LOCAL'
            cand --back 'Listen on a port inside, and connect from here to HOST (by default localhost) and LOCAL'
            cand --bind 'Listen on this address here'
            cand -u 'Be this Unix user inside, instead of the container''s own'
            cand --user 'Be this Unix user inside, instead of the container''s own'
            cand --reason 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;why'= {
            cand -u 'As this Unix user inside, instead of the container''s own'
            cand --user 'As this Unix user inside, instead of the container''s own'
            cand -o 'How to print'
            cand --output 'How to print'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;sessions'= {
            cand -o 'How to print'
            cand --output 'How to print'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand end 'End a session, from wherever it was opened'
        }
        &'ztctl;sessions;end'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;ssh-config'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand --print 'Print the configuration and change no file'
            cand --no-include 'Leave ~/.ssh/config as it is'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;proxy'= {
            cand --identity-agent 'Serve the certificate, and one signature, at the socket `agent` in this folder to the ssh that started this'
            cand -u 'Be this Unix user inside, instead of the container''s own'
            cand --user 'Be this Unix user inside, instead of the container''s own'
            cand --reason 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;config'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
            cand show 'Show every setting, its value, and where that comes from'
            cand profiles 'List the profiles: the brokers that this machine knows'
            cand use 'Mean this profile whenever none is named'
            cand set 'Write a setting into the configuration'
            cand unset 'Take a setting out of the configuration'
            cand rename 'Give a profile another name'
            cand remove 'Forget a broker at which there is no login any more'
        }
        &'ztctl;config;show'= {
            cand -o 'How to print'
            cand --output 'How to print'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;config;profiles'= {
            cand -o 'How to print'
            cand --output 'How to print'
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;config;use'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;config;set'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;config;unset'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztctl;config;rename'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;config;remove'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;version'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztctl;demo'= {
            cand --broker 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]'
            cand --profile 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]'
            cand --color 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]'
            cand -v 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand --verbose 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
