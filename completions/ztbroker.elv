
use builtin;
use str;

set edit:completion:arg-completer[ztbroker] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ztbroker'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ztbroker'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Run the broker'
            cand dev 'Run a broker for trying things out, with a user and a join token, and say what to type next'
            cand user 'Add, list and remove the people of the broker''s own directory'
            cand token 'Make, list and revoke tokens for agents and for machines'
            cand audit 'Show what happened, prove it, hand it out'
            cand sessions 'Show who is in which container now, and end a session'
            cand agents 'List and remove the agents that joined'
            cand cluster 'Show the Kubernetes clusters of the configuration, and what their agents have to be told'
            cand lock 'Lock people, logins, containers, agents or everything, at once and whatever the policies allow'
            cand ca 'Show and renew the keys of the certificate authorities'
            cand policy 'Check, test and explain policies, and put changed ones in force'
        }
        &'ztbroker;serve'= {
            cand --listen 'Listen at ADDR instead of where the configuration says'
            cand --public-url 'Be called URL by people and agents'
            cand --policy 'Use the policy file, or the folder of policies, at PATH'
            cand --log 'What is written to stderr'
            cand --anew 'Make WHAT anew although this broker has served with it: it is lost for good'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;dev'= {
            cand --listen 'Listen at ADDR; with port 0 at any that is free'
            cand --policy 'Use the policy file, or the folder of policies, at PATH [default: everybody may do everything]'
            cand --user 'The user that is made'
            cand --log 'What is written to stderr'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;user'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand add 'Add a person; the password is asked for, or read as one line from stdin'
            cand ls 'List the people and their groups'
            cand rm 'Remove a person, with every login and session'
            cand groups 'Put a person into other groups, in place of those before: logins go on, open sessions at this broker end'
            cand passwd 'Give a person another password, which ends their logins; open sessions go on (`ztbroker lock add --user` ends them)'
            cand totp 'Handle the second factors of people'
        }
        &'ztbroker;user;add'= {
            cand --group 'Put the person into GROUP, which policies can name'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;user;ls'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;user;rm'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;user;groups'= {
            cand --group 'Be in GROUP from now on'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --none 'Be in no group'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;user;passwd'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;user;totp'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand reset 'Take away the second factor of a person whose app and recovery codes are lost'
        }
        &'ztbroker;user;totp;reset'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;token'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand create 'Make a token and print it, once'
            cand ls 'List the tokens, without their secrets'
            cand rm 'Revoke a token'
        }
        &'ztbroker;token;create'= {
            cand --user 'For NAME to log in with on a machine, as ZTCTL_TOKEN'
            cand --ttl 'For how long it may be used: 90s, 5m, 8h, 30d'
            cand --uses 'How many agents may join'
            cand --cluster 'The cluster that the agents'' containers are in, which policies can rely on'
            cand --namespace 'A namespace that the agents'' containers may be in, which policies can rely on; `*` for any letters'
            cand --runtime 'The only runtime that the agents may report: process, host, docker or kubernetes'
            cand --action 'Allow only this action: list, shell, exec, logs, copy or forward'
            cand --container 'Allow only containers with such a name or app, `*` for any letters'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --join 'For agents to join with'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;token;ls'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;token;rm'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;audit'= {
            cand --since 'Only what happened since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z'
            cand --session 'Only what is about this session: its id, or how that begins, as `ztctl sessions` shows it'
            cand --user 'Only what is about this user: a name, or NAME@IDP'
            cand --limit 'The last N that fit'
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -f 'Go on with what happens from now on'
            cand --follow 'Go on with what happens from now on'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand verify 'Verify the journal, or a file with an export or a copy of it'
            cand export 'Write events out for somebody who verifies them with the public key alone'
            cand key 'Print the public key that the journal''s checkpoints and exports are signed with'
            cand sinks 'List the places that get copies of the journal, and how far they are'
        }
        &'ztbroker;audit;verify'= {
            cand --checkpoint 'A file that has a checkpoint, of which the last counts: what it signs must be there'
            cand --key 'The public keys to trust, as a file or as the line itself [default: the broker''s own]'
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --part 'The file begins in the middle, as a sink''s does after it was rotated'
            cand --export 'The file has to be an export, whose signed first line says what follows: a copy may have lost its end'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;audit;export'= {
            cand --since 'Only from this time on: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z'
            cand --until 'Only what happened before this time'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;audit;key'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;audit;sinks'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;sessions'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand ls 'List who is where'
            cand end 'End a session at once; a lock keeps its user from the next'
        }
        &'ztbroker;sessions;ls'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;sessions;end'= {
            cand --reason 'Why: whose session it is reads it'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;agents'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand ls 'List the agents'
            cand rm 'Remove an agent: it is cut off, and comes back only with a join token or, in a cluster, with its account'
        }
        &'ztbroker;agents;ls'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;agents;rm'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;cluster'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand ls 'List the clusters'
            cand env 'Print what a cluster''s agent needs to know, as variables for its environment'
        }
        &'ztbroker;cluster;ls'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;cluster;env'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;lock'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand add 'Lock something: its open sessions end within a second, and none begins'
            cand ls 'List what is locked'
            cand rm 'Remove a lock; what it ended does not come back by itself'
        }
        &'ztbroker;lock;add'= {
            cand --user 'Every session of a person: a name of the directory, or NAME@IDP'
            cand --login 'Every session as this Unix user; `default` is a container''s own, which in most images is root'
            cand --container 'Every session in a container: its name, its id, or a pattern for apps and full names with `*` for any letters'
            cand --agent 'Every session in the containers of an agent: its id, as `ztbroker agents ls` shows it'
            cand --for 'For how long: 90s, 5m, 8h, 30d [default: until it is removed]'
            cand --until 'Until when, in UTC: 2026-01-31 or 2026-01-31T09:30:00Z'
            cand --reason 'Why: whoever is cut off or refused reads it'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --everything 'Every session'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;lock;ls'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;lock;rm'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;ca'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand show 'Show the keys: whom they vouch for, since when, until when'
            cand rotate 'Make new keys; the old ones stay beside them until agents and people have followed'
            cand finish 'End the rotation that is under way now: the old keys are deleted and count no more'
        }
        &'ztbroker;ca;show'= {
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;ca;rotate'= {
            cand --overlap 'For how long the old keys stay beside the new ones: 90m, 8h, 30d'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --user 'Only the key that vouches for users'
            cand --host 'Only the key that vouches for hosts'
            cand --now 'Delete the old keys at once: they may have been stolen. A rotation that is under way ends with it'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;ca;finish'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;policy'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand check 'Look through policies without a broker: mistakes, and what may not be meant'
            cand test 'Hold policies against a file of expected decisions, without a broker'
            cand explain 'Tell what the broker''s policies say of a person, a container and an action, and which of them decide'
            cand reload 'Load the policies again, at once; a mistake in them changes nothing'
        }
        &'ztbroker;policy;check'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --deny-warnings 'Fail where something may not be meant as well'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;policy;test'= {
            cand --policy 'The policy file, or the folder of policies [default: the one of the configuration]'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ztbroker;policy;explain'= {
            cand --group 'In this group, and no other that is not said [default: the directory''s, or those of the last login]'
            cand --login 'As this Unix user; `default` is the container''s own'
            cand --reason 'With this reason'
            cand --command 'With this as the one command'
            cand --address 'From this address [default: 127.0.0.1]'
            cand -o 'For people, or for programs'
            cand --output 'For people, or for programs'
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand --mfa 'With a second factor that has just been shown'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztbroker;policy;reload'= {
            cand --config 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]'
            cand --state 'The broker''s state folder, instead of the one that the configuration names'
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
