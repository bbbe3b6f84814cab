# Completion of ztctl for fish 3 and later:
#   ztctl completions fish | source

function __ztctl_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    ztctl complete --index (count $words) -- $words (commandline --current-token --cut-at-cursor) 2>/dev/null
end

complete --command ztctl --no-files --keep-order --arguments '(__ztctl_complete)'
