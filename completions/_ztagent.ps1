
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ztagent' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ztagent'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'ztagent' {
            [CompletionResult]::new('--log-level', '--log-level', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a command as this container''s first process, and serve sessions beside it')
            [CompletionResult]::new('host', 'host', [CompletionResultType]::ParameterValue, 'Serve this machine, with the logins that the policy allows')
            [CompletionResult]::new('docker', 'docker', [CompletionResultType]::ParameterValue, 'Serve every container of the Docker engine on this machine')
            [CompletionResult]::new('kubernetes', 'kubernetes', [CompletionResultType]::ParameterValue, 'Serve the pods of a Kubernetes cluster, in the namespaces that are named')
            break
        }
        'ztagent;run' {
            [CompletionResult]::new('--join-token-file', '--join-token-file', [CompletionResultType]::ParameterName, 'Read the join token from FILE, as `ztbroker token create` printed it')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Use the broker at URL instead of the one that the token names')
            [CompletionResult]::new('--ca', '--ca', [CompletionResultType]::ParameterName, 'Trust only this TLS root: a PEM file, or sha256:… of the certificate')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call this agent NAME instead of by its host name')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Say what this container is a replica of [default: CMD''s name]')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Say which image this is')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Add a label, which policies can match')
            [CompletionResult]::new('--log-level', '--log-level', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztagent;host' {
            [CompletionResult]::new('--join-token-file', '--join-token-file', [CompletionResultType]::ParameterName, 'Read the join token from FILE, as `ztbroker token create` printed it')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Use the broker at URL instead of the one that the token names')
            [CompletionResult]::new('--ca', '--ca', [CompletionResultType]::ParameterName, 'Trust only this TLS root: a PEM file, or sha256:… of the certificate')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call this agent NAME instead of by its host name')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Say what this machine is one of [default: its name]')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Add a label, which policies can match')
            [CompletionResult]::new('--default-login', '--default-login', [CompletionResultType]::ParameterName, 'Be USER where nobody is named; without this, sessions have to name somebody')
            [CompletionResult]::new('--log-level', '--log-level', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztagent;docker' {
            [CompletionResult]::new('--join-token-file', '--join-token-file', [CompletionResultType]::ParameterName, 'Read the join token from FILE, as `ztbroker token create` printed it')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Use the broker at URL instead of the one that the token names')
            [CompletionResult]::new('--ca', '--ca', [CompletionResultType]::ParameterName, 'Trust only this TLS root: a PEM file, or sha256:… of the certificate')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call this agent NAME instead of by its host name')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'The engine''s socket: a path, or unix://PATH')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Serve only containers with such a name or label; of several conditions one has to fit')
            [CompletionResult]::new('--except', '--except', [CompletionResultType]::ParameterName, 'Serve no containers with such a name or label')
            [CompletionResult]::new('--log-level', '--log-level', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztagent;kubernetes' {
            [CompletionResult]::new('--join-token-file', '--join-token-file', [CompletionResultType]::ParameterName, 'Read the join token from FILE, as `ztbroker token create` printed it')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Use the broker at URL instead of the one that the token names')
            [CompletionResult]::new('--ca', '--ca', [CompletionResultType]::ParameterName, 'Trust only this TLS root: a PEM file, or sha256:… of the certificate')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call this agent NAME instead of by its host name')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the agent''s key in DIR, so that a restart is the same agent and needs no token')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Join as the agent of the cluster NAME, by this pod''s service account')
            [CompletionResult]::new('--authorities', '--authorities', [CompletionResultType]::ParameterName, 'Trust only these certificate authorities, as `ztbroker cluster env` prints them')
            [CompletionResult]::new('--cluster-token-file', '--cluster-token-file', [CompletionResultType]::ParameterName, 'Prove the service account by the token in FILE')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Reach the cluster as FILE says, instead of as KUBECONFIG does or as the pod that the agent is in')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The context in the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Serve the pods of this namespace, `*` for all; kube-system and the agent''s own are never served')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Serve the pods of this namespace, `*` for all; kube-system and the agent''s own are never served')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Serve only containers with such a name or label; of several conditions one has to fit')
            [CompletionResult]::new('--except', '--except', [CompletionResultType]::ParameterName, 'Serve no containers with such a name or label')
            [CompletionResult]::new('--log-level', '--log-level', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
