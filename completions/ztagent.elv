
use builtin;
use str;

set edit:completion:arg-completer[ztagent] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ztagent'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ztagent'= {
            cand --log-level 'What is written to stderr'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand run 'Run a command as this container''s first process, and serve sessions beside it'
            cand host 'Serve this machine, with the logins that the policy allows'
            cand docker 'Serve every container of the Docker engine on this machine'
            cand kubernetes 'Serve the pods of a Kubernetes cluster, in the namespaces that are named'
        }
        &'ztagent;run'= {
            cand --join-token-file 'Read the join token from FILE, as `ztbroker token create` printed it'
            cand --broker 'Use the broker at URL instead of the one that the token names'
            cand --ca 'Trust only this TLS root: a PEM file, or sha256:… of the certificate'
            cand --name 'Call this agent NAME instead of by its host name'
            cand --state 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token'
            cand --app 'Say what this container is a replica of [default: CMD''s name]'
            cand --image 'Say which image this is'
            cand --label 'Add a label, which policies can match'
            cand --log-level 'What is written to stderr'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztagent;host'= {
            cand --join-token-file 'Read the join token from FILE, as `ztbroker token create` printed it'
            cand --broker 'Use the broker at URL instead of the one that the token names'
            cand --ca 'Trust only this TLS root: a PEM file, or sha256:… of the certificate'
            cand --name 'Call this agent NAME instead of by its host name'
            cand --state 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token'
            cand --app 'Say what this machine is one of [default: its name]'
            cand --label 'Add a label, which policies can match'
            cand --default-login 'Be USER where nobody is named; without this, sessions have to name somebody'
            cand --log-level 'What is written to stderr'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztagent;docker'= {
            cand --join-token-file 'Read the join token from FILE, as `ztbroker token create` printed it'
            cand --broker 'Use the broker at URL instead of the one that the token names'
            cand --ca 'Trust only this TLS root: a PEM file, or sha256:… of the certificate'
            cand --name 'Call this agent NAME instead of by its host name'
            cand --state 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token'
            cand --socket 'The engine''s socket: a path, or unix://PATH'
            cand --only 'Serve only containers with such a name or label; of several conditions one has to fit'
            cand --except 'Serve no containers with such a name or label'
            cand --log-level 'What is written to stderr'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ztagent;kubernetes'= {
            cand --join-token-file 'Read the join token from FILE, as `ztbroker token create` printed it'
            cand --broker 'Use the broker at URL instead of the one that the token names'
            cand --ca 'Trust only this TLS root: a PEM file, or sha256:… of the certificate'
            cand --name 'Call this agent NAME instead of by its host name'
            cand --state 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token'
            cand --cluster 'Join as the agent of the cluster NAME, by this pod''s service account'
            cand --authorities 'Trust only these certificate authorities, as `ztbroker cluster env` prints them'
            cand --cluster-token-file 'Prove the service account by the token in FILE'
            cand --kubeconfig 'Reach the cluster as FILE says, instead of as KUBECONFIG does or as the pod that the agent is in'
            cand --context 'The context in the kubeconfig'
            cand -n 'Serve the pods of this namespace, `*` for all; kube-system and the agent''s own are never served'
            cand --namespace 'Serve the pods of this namespace, `*` for all; kube-system and the agent''s own are never served'
            cand --only 'Serve only containers with such a name or label; of several conditions one has to fit'
            cand --except 'Serve no containers with such a name or label'
            cand --log-level 'What is written to stderr'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
