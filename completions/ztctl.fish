# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ztctl_global_optspecs
    string join \n broker= profile= color= v/verbose h/help V/version
end

function __fish_ztctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ztctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ztctl_using_subcommand
    set -l cmd (__fish_ztctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ztctl -n "__fish_ztctl_needs_command" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_needs_command" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_needs_command" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_needs_command" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_needs_command" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_needs_command" -s V -l version -d 'Print version'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "login" -d 'Log in at a broker, in the browser or with a code'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "logout" -d 'End the login and remove what it left on this machine'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "status" -d 'Show the broker, the user, when the login ends and where the tokens are'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "ls" -d 'List the containers that you may reach'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "shell" -d 'Open a shell in a container'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "exec" -d 'Run one command in a container, without a terminal unless -t asks for one'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "logs" -d 'Show what a container has written to its outputs'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "cp" -d 'Copy files and folders from a container or to it'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "forward" -d 'Connect to ports inside a container, or let it connect to ports here'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "why" -d 'Show what you may do in a container, by which policies, or why not'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "sessions" -d 'List your live sessions, or end one'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "ssh-config" -d 'Let stock ssh, scp, sftp, rsync, git and what runs on them reach containers as NAME.zt'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "proxy" -d 'Connect stock ssh to a container: its ProxyCommand, which `ztctl ssh-config` sets'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "config" -d 'Show the settings and where they come from, and the profiles, or change them'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "version" -d 'Show the version of this program and of its protocol'
complete -c ztctl -n "__fish_ztctl_needs_command" -f -a "demo" -d 'Try it: a broker, two containers and a shell, on this machine alone'
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -l ca -d 'Trust this private TLS root: a PEM file, or sha256: and its fingerprint [env: ZTCTL_CA]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -l store -d 'Keep the tokens here, instead of in the first of these that works [env: ZTCTL_STORE]' -r -f -a "keyring\t'The desktop\'s keyring: Secret Service, Keychain, Credential Manager'
kernel\t'The Linux kernel\'s persistent keyring: gone after three days unused, or at a restart'
file\t'A file that only you can read, and that can be copied'"
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -l device -d 'Log in with a code that is entered in a browser elsewhere [env: ZTCTL_DEVICE]'
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand logout" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logout" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logout" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand logout" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand logout" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand status" -s o -l output -d 'How to print' -r -f -a "text\t'For people'
json\t'For programs; errors too'"
complete -c ztctl -n "__fish_ztctl_using_subcommand status" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand status" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand status" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand status" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -s l -l selector -d 'Only rows with these labels: app=tomcat,env!=prod,team,!canary' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -s n -l namespace -d 'Only rows of this namespace, or Compose project' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -l sort -d 'The order' -r -f -a "name\t'By name'
app\t'By what it is a replica of'
age\t'The youngest first'
where\t'By where it runs'
state\t'By what the runtime says of it'"
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -s o -l output -d 'How to print' -r -f -a "table\t'Columns that fit the terminal'
json\t'For programs; errors too'
name\t'One name a line'"
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -l wide -d 'Show more columns, as wide as they need'
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -s w -l watch -d 'Go on showing what changes, until Ctrl-C'
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -s l -l selector -d 'Pick from those with these labels: app=tomcat,env!=prod' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -s u -l user -d 'Be this Unix user inside, instead of the container\'s own' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -l reason -d 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -s e -l env -d 'Set a variable there, where the policy allows it; without =VALUE, to what it is here' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -l escape -d 'The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -l timing -d 'Show at the end where each millisecond of the way went'
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand shell" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s l -l selector -d 'With --all: only where these labels are: app=tomcat,env!=prod' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l parallel -d 'With --all: how many at a time' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s u -l user -d 'Be this Unix user inside, instead of the container\'s own' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l reason -d 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s e -l env -d 'Set a variable there, where the policy allows it; without =VALUE, to what it is here' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l escape -d 'The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l all -d 'Run it in every container that you may reach, or in those of -l, after showing them'
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s y -l yes -d 'With --all: run without asking'
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s t -l tty -d 'Run it at this terminal: for vim, top and the like'
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -l timing -d 'Show at the end where each millisecond of the way went'
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand exec" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -l since -d 'Only what was written since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -s n -l tail -d 'Only the last N lines' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -l reason -d 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -s f -l follow -d 'Go on with what is written from now on, also after the container was started again'
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -s t -l timestamps -d 'Begin each line with the time at which it was written'
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand logs" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -s u -l user -d 'Be this Unix user inside, instead of the container\'s own' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -l reason -d 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -s p -l preserve -d 'Keep modes and times'
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -l resume -d 'Go on with what an interrupted copy has left'
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -s q -l quiet -d 'Show no progress'
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand cp" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -s D -l socks -d 'Serve SOCKS 5 here: programs say themselves where they want to from inside' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -s R -l back -d 'Listen on a port inside, and connect from here to HOST (by default localhost) and LOCAL' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -l bind -d 'Listen on this address here' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -s u -l user -d 'Be this Unix user inside, instead of the container\'s own' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -l reason -d 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand forward" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -s u -l user -d 'As this Unix user inside, instead of the container\'s own' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -s o -l output -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs; errors too'"
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -s o -l output -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs; errors too'"
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and not __fish_seen_subcommand_from end" -f -a "end" -d 'End a session, from wherever it was opened'
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and __fish_seen_subcommand_from end" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and __fish_seen_subcommand_from end" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and __fish_seen_subcommand_from end" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and __fish_seen_subcommand_from end" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand sessions; and __fish_seen_subcommand_from end" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -l print -d 'Print the configuration and change no file'
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -l no-include -d 'Leave ~/.ssh/config as it is'
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand ssh-config" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -l identity-agent -d 'Serve the certificate, and one signature, at the socket `agent` in this folder to the ssh that started this' -r -F
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -s u -l user -d 'Be this Unix user inside, instead of the container\'s own' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -l reason -d 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand proxy" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "show" -d 'Show every setting, its value, and where that comes from'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "profiles" -d 'List the profiles: the brokers that this machine knows'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "use" -d 'Mean this profile whenever none is named'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "set" -d 'Write a setting into the configuration'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "unset" -d 'Take a setting out of the configuration'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "rename" -d 'Give a profile another name'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and not __fish_seen_subcommand_from show profiles use set unset rename remove" -f -a "remove" -d 'Forget a broker at which there is no login any more'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs; errors too'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from show" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from show" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from profiles" -s o -l output -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs; errors too'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from profiles" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from profiles" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from profiles" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from profiles" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from profiles" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from use" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from use" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from use" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from set" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from set" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from set" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from unset" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from unset" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from unset" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from unset" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from rename" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from rename" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from rename" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from rename" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from remove" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from remove" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from remove" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand config; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand version" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand version" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand version" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand version" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand version" -s h -l help -d 'Print help'
complete -c ztctl -n "__fish_ztctl_using_subcommand demo" -l broker -d 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand demo" -l profile -d 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]' -r
complete -c ztctl -n "__fish_ztctl_using_subcommand demo" -l color -d 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ztctl -n "__fish_ztctl_using_subcommand demo" -s v -l verbose -d 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown'
complete -c ztctl -n "__fish_ztctl_using_subcommand demo" -s h -l help -d 'Print help'
