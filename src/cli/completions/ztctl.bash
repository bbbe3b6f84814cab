# Completion of ztctl for bash 3.2 and later:
#   source <(ztctl completions bash)

_ztctl() {
    # bash cuts words at : and =, which paths in containers have: what follows without a space is one word again.
    local -a words=()
    local line=${COMP_LINE:0:COMP_POINT} i word before
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then
            # Of the last one only what stands before the cursor.
            before=${line%%[![:space:]]*}
            word=${line#"$before"}
        else
            before=${line%%"$word"*}
            line=${line#"$before$word"}
        fi
        if ((i > 0)) && [[ -z $before ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    local index=$((${#words[@]} - 1))
    local current=${words[index]} held=
    # What bash holds to be other words already stays as it is.
    if [[ $COMP_WORDBREAKS == *:* && $current == *:* ]]; then
        held=${current%"${current##*:}"}
    fi
    if [[ $COMP_WORDBREAKS == *=* && ${current#"$held"} == *=* ]]; then
        local rest=${current#"$held"}
        held+=${rest%"${rest##*=}"}
    fi
    local value help
    local -a values=() helps=()
    while IFS=$'\t' read -r value help; do
        values+=("${value#"$held"}")
        helps+=("$help")
    done < <(ztctl complete --index "$index" -- "${words[@]}" 2>/dev/null)
    COMPREPLY=()
    for ((i = 0; i < ${#values[@]}; i++)); do
        value=${values[i]}
        if [[ $COMP_TYPE == 63 && ${#values[@]} -gt 1 && -n ${helps[i]} ]]; then
            # Only listed now, not inserted: there is room for what it is.
            value="$value  (${helps[i]})"
        elif [[ $current != [\"\']* && $value == *[!A-Za-z0-9_./:=,@%+~!-]* ]]; then
            printf -v value %q "$value"
        fi
        COMPREPLY+=("$value")
    done
    if [[ ${#values[@]} -eq 1 && ${values[0]} == *[/:=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

if ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))); then
    complete -o nosort -F _ztctl ztctl
else
    complete -F _ztctl ztctl
fi
