
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ztctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ztctl'
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
        'ztctl' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in at a broker, in the browser or with a code')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'End the login and remove what it left on this machine')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the broker, the user, when the login ends and where the tokens are')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the containers that you may reach')
            [CompletionResult]::new('shell', 'shell', [CompletionResultType]::ParameterValue, 'Open a shell in a container')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run one command in a container, without a terminal unless -t asks for one')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what a container has written to its outputs')
            [CompletionResult]::new('cp', 'cp', [CompletionResultType]::ParameterValue, 'Copy files and folders from a container or to it')
            [CompletionResult]::new('forward', 'forward', [CompletionResultType]::ParameterValue, 'Connect to ports inside a container, or let it connect to ports here')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Show what you may do in a container, by which policies, or why not')
            [CompletionResult]::new('sessions', 'sessions', [CompletionResultType]::ParameterValue, 'List your live sessions, or end one')
            [CompletionResult]::new('ssh-config', 'ssh-config', [CompletionResultType]::ParameterValue, 'Let stock ssh, scp, sftp, rsync, git and what runs on them reach containers as NAME.zt')
            [CompletionResult]::new('proxy', 'proxy', [CompletionResultType]::ParameterValue, 'Connect stock ssh to a container: its ProxyCommand, which `ztctl ssh-config` sets')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show the settings and where they come from, and the profiles, or change them')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show the version of this program and of its protocol')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Try it: a broker, two containers and a shell, on this machine alone')
            break
        }
        'ztctl;login' {
            [CompletionResult]::new('--ca', '--ca', [CompletionResultType]::ParameterName, 'Trust this private TLS root: a PEM file, or sha256: and its fingerprint [env: ZTCTL_CA]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'Keep the tokens here, instead of in the first of these that works [env: ZTCTL_STORE]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Log in with a code that is entered in a browser elsewhere [env: ZTCTL_DEVICE]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;logout' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;status' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;ls' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Only rows with these labels: app=tomcat,env!=prod,team,!canary')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Only rows with these labels: app=tomcat,env!=prod,team,!canary')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Only rows of this namespace, or Compose project')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Only rows of this namespace, or Compose project')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'The order')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('--wide', '--wide', [CompletionResultType]::ParameterName, 'Show more columns, as wide as they need')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Go on showing what changes, until Ctrl-C')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Go on showing what changes, until Ctrl-C')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;shell' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Pick from those with these labels: app=tomcat,env!=prod')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Pick from those with these labels: app=tomcat,env!=prod')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Set a variable there, where the policy allows it; without =VALUE, to what it is here')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set a variable there, where the policy allows it; without =VALUE, to what it is here')
            [CompletionResult]::new('--escape', '--escape', [CompletionResultType]::ParameterName, 'The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('--timing', '--timing', [CompletionResultType]::ParameterName, 'Show at the end where each millisecond of the way went')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;exec' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'With --all: only where these labels are: app=tomcat,env!=prod')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'With --all: only where these labels are: app=tomcat,env!=prod')
            [CompletionResult]::new('--parallel', '--parallel', [CompletionResultType]::ParameterName, 'With --all: how many at a time')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Set a variable there, where the policy allows it; without =VALUE, to what it is here')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set a variable there, where the policy allows it; without =VALUE, to what it is here')
            [CompletionResult]::new('--escape', '--escape', [CompletionResultType]::ParameterName, 'The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Run it in every container that you may reach, or in those of -l, after showing them')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'With --all: run without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'With --all: run without asking')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Run it at this terminal: for vim, top and the like')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Run it at this terminal: for vim, top and the like')
            [CompletionResult]::new('--timing', '--timing', [CompletionResultType]::ParameterName, 'Show at the end where each millisecond of the way went')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;logs' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only what was written since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Only the last N lines')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Only the last N lines')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on with what is written from now on, also after the container was started again')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with what is written from now on, also after the container was started again')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Begin each line with the time at which it was written')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Begin each line with the time at which it was written')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;cp' {
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Keep modes and times')
            [CompletionResult]::new('--preserve', '--preserve', [CompletionResultType]::ParameterName, 'Keep modes and times')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Go on with what an interrupted copy has left')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show no progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show no progress')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;forward' {
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Serve SOCKS 5 here: programs say themselves where they want to from inside')
            [CompletionResult]::new('--socks', '--socks', [CompletionResultType]::ParameterName, 'Serve SOCKS 5 here: programs say themselves where they want to from inside')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Listen on a port inside, and connect from here to HOST (by default localhost) and LOCAL')
            [CompletionResult]::new('--back', '--back', [CompletionResultType]::ParameterName, 'Listen on a port inside, and connect from here to HOST (by default localhost) and LOCAL')
            [CompletionResult]::new('--bind', '--bind', [CompletionResultType]::ParameterName, 'Listen on this address here')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;why' {
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'As this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'As this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;sessions' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('end', 'end', [CompletionResultType]::ParameterValue, 'End a session, from wherever it was opened')
            break
        }
        'ztctl;sessions;end' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;ssh-config' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('--print', '--print', [CompletionResultType]::ParameterName, 'Print the configuration and change no file')
            [CompletionResult]::new('--no-include', '--no-include', [CompletionResultType]::ParameterName, 'Leave ~/.ssh/config as it is')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;proxy' {
            [CompletionResult]::new('--identity-agent', '--identity-agent', [CompletionResultType]::ParameterName, 'Serve the certificate, and one signature, at the socket `agent` in this folder to the ssh that started this')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Be this Unix user inside, instead of the container''s own')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;config' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show every setting, its value, and where that comes from')
            [CompletionResult]::new('profiles', 'profiles', [CompletionResultType]::ParameterValue, 'List the profiles: the brokers that this machine knows')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Mean this profile whenever none is named')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Write a setting into the configuration')
            [CompletionResult]::new('unset', 'unset', [CompletionResultType]::ParameterValue, 'Take a setting out of the configuration')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Give a profile another name')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Forget a broker at which there is no login any more')
            break
        }
        'ztctl;config;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;config;profiles' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;config;use' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;config;set' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;config;unset' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ztctl;config;rename' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;config;remove' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;version' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ztctl;demo' {
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour [env: ZTCTL_COLOR, NO_COLOR]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what happens on the wire; -vv with the headers of requests. Secrets are never shown')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
