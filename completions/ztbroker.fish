# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ztbroker_global_optspecs
    string join \n config= state= h/help V/version
end

function __fish_ztbroker_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ztbroker_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ztbroker_using_subcommand
    set -l cmd (__fish_ztbroker_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ztbroker -n "__fish_ztbroker_needs_command" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_needs_command" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_needs_command" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -s V -l version -d 'Print version'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "serve" -d 'Run the broker'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "dev" -d 'Run a broker for trying things out, with a user and a join token, and say what to type next'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "user" -d 'Add, list and remove the people of the broker\'s own directory'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "token" -d 'Make, list and revoke tokens for agents and for machines'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "audit" -d 'Show what happened, prove it, hand it out'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "sessions" -d 'Show who is in which container now, and end a session'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "agents" -d 'List and remove the agents that joined'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "cluster" -d 'Show the Kubernetes clusters of the configuration, and what their agents have to be told'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "lock" -d 'Lock people, logins, containers, agents or everything, at once and whatever the policies allow'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "ca" -d 'Show and renew the keys of the certificate authorities'
complete -c ztbroker -n "__fish_ztbroker_needs_command" -f -a "policy" -d 'Check, test and explain policies, and put changed ones in force'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l listen -d 'Listen at ADDR instead of where the configuration says' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l public-url -d 'Be called URL by people and agents' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l policy -d 'Use the policy file, or the folder of policies, at PATH' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l log -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l anew -d 'Make WHAT anew although this broker has served with it: it is lost for good' -r -f -a "ca\t'The keys of the certificate authorities: every agent has to join and everybody to log in again'
database\t'The database: people, tokens, locks, logins and enrolled agents'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -l listen -d 'Listen at ADDR; with port 0 at any that is free' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -l policy -d 'Use the policy file, or the folder of policies, at PATH [default: everybody may do everything]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -l user -d 'The user that is made' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -l log -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand dev" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -f -a "add" -d 'Add a person; the password is asked for, or read as one line from stdin'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -f -a "ls" -d 'List the people and their groups'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -f -a "rm" -d 'Remove a person, with every login and session'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -f -a "groups" -d 'Put a person into other groups, in place of those before: logins go on, open sessions at this broker end'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -f -a "passwd" -d 'Give a person another password, which ends their logins; open sessions go on (`ztbroker lock add --user` ends them)'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and not __fish_seen_subcommand_from add ls rm groups passwd totp" -f -a "totp" -d 'Handle the second factors of people'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from add" -l group -d 'Put the person into GROUP, which policies can name' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from add" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from add" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from ls" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from ls" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from ls" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from groups" -l group -d 'Be in GROUP from now on' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from groups" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from groups" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from groups" -l none -d 'Be in no group'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from groups" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from passwd" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from passwd" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from passwd" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from totp" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from totp" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from totp" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand user; and __fish_seen_subcommand_from totp" -f -a "reset" -d 'Take away the second factor of a person whose app and recovery codes are lost'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and not __fish_seen_subcommand_from create ls rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and not __fish_seen_subcommand_from create ls rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and not __fish_seen_subcommand_from create ls rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and not __fish_seen_subcommand_from create ls rm" -f -a "create" -d 'Make a token and print it, once'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and not __fish_seen_subcommand_from create ls rm" -f -a "ls" -d 'List the tokens, without their secrets'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and not __fish_seen_subcommand_from create ls rm" -f -a "rm" -d 'Revoke a token'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l user -d 'For NAME to log in with on a machine, as ZTCTL_TOKEN' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l ttl -d 'For how long it may be used: 90s, 5m, 8h, 30d' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l uses -d 'How many agents may join' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l cluster -d 'The cluster that the agents\' containers are in, which policies can rely on' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l namespace -d 'A namespace that the agents\' containers may be in, which policies can rely on; `*` for any letters' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l runtime -d 'The only runtime that the agents may report: process, host, docker or kubernetes' -r -f -a "process\t''
host\t''
docker\t''
kubernetes\t''"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l action -d 'Allow only this action: list, shell, exec, logs, copy or forward' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l container -d 'Allow only containers with such a name or app, `*` for any letters' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -l join -d 'For agents to join with'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from ls" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from ls" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from ls" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand token; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -l since -d 'Only what happened since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -l session -d 'Only what is about this session: its id, or how that begins, as `ztctl sessions` shows it' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -l user -d 'Only what is about this user: a name, or NAME@IDP' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -l limit -d 'The last N that fit' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -s f -l follow -d 'Go on with what happens from now on'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -f -a "verify" -d 'Verify the journal, or a file with an export or a copy of it'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -f -a "export" -d 'Write events out for somebody who verifies them with the public key alone'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -f -a "key" -d 'Print the public key that the journal\'s checkpoints and exports are signed with'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and not __fish_seen_subcommand_from verify export key sinks" -f -a "sinks" -d 'List the places that get copies of the journal, and how far they are'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -l checkpoint -d 'A file that has a checkpoint, of which the last counts: what it signs must be there' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -l key -d 'The public keys to trust, as a file or as the line itself [default: the broker\'s own]' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -l part -d 'The file begins in the middle, as a sink\'s does after it was rotated'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -l export -d 'The file has to be an export, whose signed first line says what follows: a copy may have lost its end'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from export" -l since -d 'Only from this time on: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from export" -l until -d 'Only what happened before this time' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from export" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from export" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from key" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from key" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from sinks" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from sinks" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from sinks" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand audit; and __fish_seen_subcommand_from sinks" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and not __fish_seen_subcommand_from ls end" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and not __fish_seen_subcommand_from ls end" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and not __fish_seen_subcommand_from ls end" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and not __fish_seen_subcommand_from ls end" -f -a "ls" -d 'List who is where'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and not __fish_seen_subcommand_from ls end" -f -a "end" -d 'End a session at once; a lock keeps its user from the next'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from end" -l reason -d 'Why: whose session it is reads it' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from end" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from end" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand sessions; and __fish_seen_subcommand_from end" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and not __fish_seen_subcommand_from ls rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and not __fish_seen_subcommand_from ls rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and not __fish_seen_subcommand_from ls rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and not __fish_seen_subcommand_from ls rm" -f -a "ls" -d 'List the agents'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and not __fish_seen_subcommand_from ls rm" -f -a "rm" -d 'Remove an agent: it is cut off, and comes back only with a join token or, in a cluster, with its account'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from ls" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from ls" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from ls" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand agents; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and not __fish_seen_subcommand_from ls env" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and not __fish_seen_subcommand_from ls env" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and not __fish_seen_subcommand_from ls env" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and not __fish_seen_subcommand_from ls env" -f -a "ls" -d 'List the clusters'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and not __fish_seen_subcommand_from ls env" -f -a "env" -d 'Print what a cluster\'s agent needs to know, as variables for its environment'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from ls" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from ls" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from ls" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from env" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from env" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand cluster; and __fish_seen_subcommand_from env" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and not __fish_seen_subcommand_from add ls rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and not __fish_seen_subcommand_from add ls rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and not __fish_seen_subcommand_from add ls rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and not __fish_seen_subcommand_from add ls rm" -f -a "add" -d 'Lock something: its open sessions end within a second, and none begins'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and not __fish_seen_subcommand_from add ls rm" -f -a "ls" -d 'List what is locked'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and not __fish_seen_subcommand_from add ls rm" -f -a "rm" -d 'Remove a lock; what it ended does not come back by itself'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l user -d 'Every session of a person: a name of the directory, or NAME@IDP' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l login -d 'Every session as this Unix user; `default` is a container\'s own, which in most images is root' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l container -d 'Every session in a container: its name, its id, or a pattern for apps and full names with `*` for any letters' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l agent -d 'Every session in the containers of an agent: its id, as `ztbroker agents ls` shows it' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l for -d 'For how long: 90s, 5m, 8h, 30d [default: until it is removed]' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l until -d 'Until when, in UTC: 2026-01-31 or 2026-01-31T09:30:00Z' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l reason -d 'Why: whoever is cut off or refused reads it' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -l everything -d 'Every session'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from ls" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from ls" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from ls" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from rm" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from rm" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand lock; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and not __fish_seen_subcommand_from show rotate finish" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and not __fish_seen_subcommand_from show rotate finish" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and not __fish_seen_subcommand_from show rotate finish" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and not __fish_seen_subcommand_from show rotate finish" -f -a "show" -d 'Show the keys: whom they vouch for, since when, until when'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and not __fish_seen_subcommand_from show rotate finish" -f -a "rotate" -d 'Make new keys; the old ones stay beside them until agents and people have followed'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and not __fish_seen_subcommand_from show rotate finish" -f -a "finish" -d 'End the rotation that is under way now: the old keys are deleted and count no more'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from show" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from show" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from show" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -l overlap -d 'For how long the old keys stay beside the new ones: 90m, 8h, 30d' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -l user -d 'Only the key that vouches for users'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -l host -d 'Only the key that vouches for hosts'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -l now -d 'Delete the old keys at once: they may have been stolen. A rotation that is under way ends with it'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from finish" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from finish" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand ca; and __fish_seen_subcommand_from finish" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -f -a "check" -d 'Look through policies without a broker: mistakes, and what may not be meant'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -f -a "test" -d 'Hold policies against a file of expected decisions, without a broker'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -f -a "explain" -d 'Tell what the broker\'s policies say of a person, a container and an action, and which of them decide'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and not __fish_seen_subcommand_from check test explain reload" -f -a "reload" -d 'Load the policies again, at once; a mistake in them changes nothing'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from check" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from check" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from check" -l deny-warnings -d 'Fail where something may not be meant as well'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from test" -l policy -d 'The policy file, or the folder of policies [default: the one of the configuration]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from test" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from test" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l group -d 'In this group, and no other that is not said [default: the directory\'s, or those of the last login]' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l login -d 'As this Unix user; `default` is the container\'s own' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l reason -d 'With this reason' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l command -d 'With this as the one command' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l address -d 'From this address [default: 127.0.0.1]' -r
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -s o -l output -d 'For people, or for programs' -r -f -a "table\t'Columns'
json\t'JSON, one object a line'"
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -l mfa -d 'With a second factor that has just been shown'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from reload" -l config -d 'The broker\'s configuration [default: /etc/ztbroker/ztbroker.toml]' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from reload" -l state -d 'The broker\'s state folder, instead of the one that the configuration names' -r -F
complete -c ztbroker -n "__fish_ztbroker_using_subcommand policy; and __fish_seen_subcommand_from reload" -s h -l help -d 'Print help'
