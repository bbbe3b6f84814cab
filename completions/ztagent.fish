# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ztagent_global_optspecs
    string join \n log-level= h/help V/version
end

function __fish_ztagent_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ztagent_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ztagent_using_subcommand
    set -l cmd (__fish_ztagent_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ztagent -n "__fish_ztagent_needs_command" -l log-level -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztagent -n "__fish_ztagent_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztagent -n "__fish_ztagent_needs_command" -s V -l version -d 'Print version'
complete -c ztagent -n "__fish_ztagent_needs_command" -f -a "run" -d 'Run a command as this container\'s first process, and serve sessions beside it'
complete -c ztagent -n "__fish_ztagent_needs_command" -f -a "host" -d 'Serve this machine, with the logins that the policy allows'
complete -c ztagent -n "__fish_ztagent_needs_command" -f -a "docker" -d 'Serve every container of the Docker engine on this machine'
complete -c ztagent -n "__fish_ztagent_needs_command" -f -a "kubernetes" -d 'Serve the pods of a Kubernetes cluster, in the namespaces that are named'
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l join-token-file -d 'Read the join token from FILE, as `ztbroker token create` printed it' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l broker -d 'Use the broker at URL instead of the one that the token names' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l ca -d 'Trust only this TLS root: a PEM file, or sha256:… of the certificate' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l name -d 'Call this agent NAME instead of by its host name' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l state -d 'Keep the agent\'s key in DIR, so that a restart is the same agent and needs no token' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l app -d 'Say what this container is a replica of [default: CMD\'s name]' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l image -d 'Say which image this is' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l label -d 'Add a label, which policies can match' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -l log-level -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztagent -n "__fish_ztagent_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l join-token-file -d 'Read the join token from FILE, as `ztbroker token create` printed it' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l broker -d 'Use the broker at URL instead of the one that the token names' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l ca -d 'Trust only this TLS root: a PEM file, or sha256:… of the certificate' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l name -d 'Call this agent NAME instead of by its host name' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l state -d 'Keep the agent\'s key in DIR, so that a restart is the same agent and needs no token' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l app -d 'Say what this machine is one of [default: its name]' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l label -d 'Add a label, which policies can match' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l default-login -d 'Be USER where nobody is named; without this, sessions have to name somebody' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -l log-level -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztagent -n "__fish_ztagent_using_subcommand host" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l join-token-file -d 'Read the join token from FILE, as `ztbroker token create` printed it' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l broker -d 'Use the broker at URL instead of the one that the token names' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l ca -d 'Trust only this TLS root: a PEM file, or sha256:… of the certificate' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l name -d 'Call this agent NAME instead of by its host name' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l state -d 'Keep the agent\'s key in DIR, so that a restart is the same agent and needs no token' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l socket -d 'The engine\'s socket: a path, or unix://PATH' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l only -d 'Serve only containers with such a name or label; of several conditions one has to fit' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l except -d 'Serve no containers with such a name or label' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -l log-level -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztagent -n "__fish_ztagent_using_subcommand docker" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l join-token-file -d 'Read the join token from FILE, as `ztbroker token create` printed it' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l broker -d 'Use the broker at URL instead of the one that the token names' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l ca -d 'Trust only this TLS root: a PEM file, or sha256:… of the certificate' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l name -d 'Call this agent NAME instead of by its host name' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l state -d 'Keep the agent\'s key in DIR, so that a restart is the same agent and needs no token' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l cluster -d 'Join as the agent of the cluster NAME, by this pod\'s service account' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l authorities -d 'Trust only these certificate authorities, as `ztbroker cluster env` prints them' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l cluster-token-file -d 'Prove the service account by the token in FILE' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l kubeconfig -d 'Reach the cluster as FILE says, instead of as KUBECONFIG does or as the pod that the agent is in' -r -F
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l context -d 'The context in the kubeconfig' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -s n -l namespace -d 'Serve the pods of this namespace, `*` for all; kube-system and the agent\'s own are never served' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l only -d 'Serve only containers with such a name or label; of several conditions one has to fit' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l except -d 'Serve no containers with such a name or label' -r
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -l log-level -d 'What is written to stderr' -r -f -a "error\t'Only what stops something from working'
warn\t'And what may soon'
info\t'And what a quiet day consists of'
debug\t'And what helps to find a mistake'"
complete -c ztagent -n "__fish_ztagent_using_subcommand kubernetes" -s h -l help -d 'Print help (see more with \'--help\')'
