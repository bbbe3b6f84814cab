
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ztbroker' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ztbroker'
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
        'ztbroker' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run the broker')
            [CompletionResult]::new('dev', 'dev', [CompletionResultType]::ParameterValue, 'Run a broker for trying things out, with a user and a join token, and say what to type next')
            [CompletionResult]::new('user', 'user', [CompletionResultType]::ParameterValue, 'Add, list and remove the people of the broker''s own directory')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Make, list and revoke tokens for agents and for machines')
            [CompletionResult]::new('audit', 'audit', [CompletionResultType]::ParameterValue, 'Show what happened, prove it, hand it out')
            [CompletionResult]::new('sessions', 'sessions', [CompletionResultType]::ParameterValue, 'Show who is in which container now, and end a session')
            [CompletionResult]::new('agents', 'agents', [CompletionResultType]::ParameterValue, 'List and remove the agents that joined')
            [CompletionResult]::new('cluster', 'cluster', [CompletionResultType]::ParameterValue, 'Show the Kubernetes clusters of the configuration, and what their agents have to be told')
            [CompletionResult]::new('lock', 'lock', [CompletionResultType]::ParameterValue, 'Lock people, logins, containers, agents or everything, at once and whatever the policies allow')
            [CompletionResult]::new('ca', 'ca', [CompletionResultType]::ParameterValue, 'Show and renew the keys of the certificate authorities')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'Check, test and explain policies, and put changed ones in force')
            break
        }
        'ztbroker;serve' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen at ADDR instead of where the configuration says')
            [CompletionResult]::new('--public-url', '--public-url', [CompletionResultType]::ParameterName, 'Be called URL by people and agents')
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'Use the policy file, or the folder of policies, at PATH')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('--anew', '--anew', [CompletionResultType]::ParameterName, 'Make WHAT anew although this broker has served with it: it is lost for good')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;dev' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen at ADDR; with port 0 at any that is free')
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'Use the policy file, or the folder of policies, at PATH [default: everybody may do everything]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user that is made')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What is written to stderr')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;user' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a person; the password is asked for, or read as one line from stdin')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the people and their groups')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a person, with every login and session')
            [CompletionResult]::new('groups', 'groups', [CompletionResultType]::ParameterValue, 'Put a person into other groups, in place of those before: logins go on, open sessions at this broker end')
            [CompletionResult]::new('passwd', 'passwd', [CompletionResultType]::ParameterValue, 'Give a person another password, which ends their logins; open sessions go on (`ztbroker lock add --user` ends them)')
            [CompletionResult]::new('totp', 'totp', [CompletionResultType]::ParameterValue, 'Handle the second factors of people')
            break
        }
        'ztbroker;user;add' {
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Put the person into GROUP, which policies can name')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;user;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;user;rm' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;user;groups' {
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Be in GROUP from now on')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--none', '--none', [CompletionResultType]::ParameterName, 'Be in no group')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;user;passwd' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;user;totp' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Take away the second factor of a person whose app and recovery codes are lost')
            break
        }
        'ztbroker;user;totp;reset' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;token' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Make a token and print it, once')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the tokens, without their secrets')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Revoke a token')
            break
        }
        'ztbroker;token;create' {
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'For NAME to log in with on a machine, as ZTCTL_TOKEN')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'For how long it may be used: 90s, 5m, 8h, 30d')
            [CompletionResult]::new('--uses', '--uses', [CompletionResultType]::ParameterName, 'How many agents may join')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The cluster that the agents'' containers are in, which policies can rely on')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'A namespace that the agents'' containers may be in, which policies can rely on; `*` for any letters')
            [CompletionResult]::new('--runtime', '--runtime', [CompletionResultType]::ParameterName, 'The only runtime that the agents may report: process, host, docker or kubernetes')
            [CompletionResult]::new('--action', '--action', [CompletionResultType]::ParameterName, 'Allow only this action: list, shell, exec, logs, copy or forward')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Allow only containers with such a name or app, `*` for any letters')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--join', '--join', [CompletionResultType]::ParameterName, 'For agents to join with')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;token;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;token;rm' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;audit' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only what happened since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z')
            [CompletionResult]::new('--session', '--session', [CompletionResultType]::ParameterName, 'Only what is about this session: its id, or how that begins, as `ztctl sessions` shows it')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Only what is about this user: a name, or NAME@IDP')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'The last N that fit')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on with what happens from now on')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with what happens from now on')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Verify the journal, or a file with an export or a copy of it')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write events out for somebody who verifies them with the public key alone')
            [CompletionResult]::new('key', 'key', [CompletionResultType]::ParameterValue, 'Print the public key that the journal''s checkpoints and exports are signed with')
            [CompletionResult]::new('sinks', 'sinks', [CompletionResultType]::ParameterValue, 'List the places that get copies of the journal, and how far they are')
            break
        }
        'ztbroker;audit;verify' {
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'A file that has a checkpoint, of which the last counts: what it signs must be there')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The public keys to trust, as a file or as the line itself [default: the broker''s own]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--part', '--part', [CompletionResultType]::ParameterName, 'The file begins in the middle, as a sink''s does after it was rotated')
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'The file has to be an export, whose signed first line says what follows: a copy may have lost its end')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;audit;export' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only from this time on: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Only what happened before this time')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;audit;key' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;audit;sinks' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;sessions' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List who is where')
            [CompletionResult]::new('end', 'end', [CompletionResultType]::ParameterValue, 'End a session at once; a lock keeps its user from the next')
            break
        }
        'ztbroker;sessions;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;sessions;end' {
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why: whose session it is reads it')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;agents' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the agents')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove an agent: it is cut off, and comes back only with a join token or, in a cluster, with its account')
            break
        }
        'ztbroker;agents;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;agents;rm' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;cluster' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the clusters')
            [CompletionResult]::new('env', 'env', [CompletionResultType]::ParameterValue, 'Print what a cluster''s agent needs to know, as variables for its environment')
            break
        }
        'ztbroker;cluster;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;cluster;env' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;lock' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Lock something: its open sessions end within a second, and none begins')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List what is locked')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a lock; what it ended does not come back by itself')
            break
        }
        'ztbroker;lock;add' {
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Every session of a person: a name of the directory, or NAME@IDP')
            [CompletionResult]::new('--login', '--login', [CompletionResultType]::ParameterName, 'Every session as this Unix user; `default` is a container''s own, which in most images is root')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Every session in a container: its name, its id, or a pattern for apps and full names with `*` for any letters')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'Every session in the containers of an agent: its id, as `ztbroker agents ls` shows it')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'For how long: 90s, 5m, 8h, 30d [default: until it is removed]')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Until when, in UTC: 2026-01-31 or 2026-01-31T09:30:00Z')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why: whoever is cut off or refused reads it')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--everything', '--everything', [CompletionResultType]::ParameterName, 'Every session')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;lock;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;lock;rm' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;ca' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the keys: whom they vouch for, since when, until when')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Make new keys; the old ones stay beside them until agents and people have followed')
            [CompletionResult]::new('finish', 'finish', [CompletionResultType]::ParameterValue, 'End the rotation that is under way now: the old keys are deleted and count no more')
            break
        }
        'ztbroker;ca;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;ca;rotate' {
            [CompletionResult]::new('--overlap', '--overlap', [CompletionResultType]::ParameterName, 'For how long the old keys stay beside the new ones: 90m, 8h, 30d')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Only the key that vouches for users')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Only the key that vouches for hosts')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'Delete the old keys at once: they may have been stolen. A rotation that is under way ends with it')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;ca;finish' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;policy' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Look through policies without a broker: mistakes, and what may not be meant')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Hold policies against a file of expected decisions, without a broker')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Tell what the broker''s policies say of a person, a container and an action, and which of them decide')
            [CompletionResult]::new('reload', 'reload', [CompletionResultType]::ParameterValue, 'Load the policies again, at once; a mistake in them changes nothing')
            break
        }
        'ztbroker;policy;check' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--deny-warnings', '--deny-warnings', [CompletionResultType]::ParameterName, 'Fail where something may not be meant as well')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;policy;test' {
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'The policy file, or the folder of policies [default: the one of the configuration]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztbroker;policy;explain' {
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'In this group, and no other that is not said [default: the directory''s, or those of the last login]')
            [CompletionResult]::new('--login', '--login', [CompletionResultType]::ParameterName, 'As this Unix user; `default` is the container''s own')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'With this reason')
            [CompletionResult]::new('--command', '--command', [CompletionResultType]::ParameterName, 'With this as the one command')
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'From this address [default: 127.0.0.1]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'For people, or for programs')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('--mfa', '--mfa', [CompletionResultType]::ParameterName, 'With a second factor that has just been shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztbroker;policy;reload' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The broker''s configuration [default: /etc/ztbroker/ztbroker.toml]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The broker''s state folder, instead of the one that the configuration names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
