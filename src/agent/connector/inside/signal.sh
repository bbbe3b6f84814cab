# Signals the foreground job of the terminal that the process PID leads, or the process and its group where it has none.
#
#   sh -c "$THIS" sh PID SIGNAL
_fields() { shift 5; _group=$1; }
_group=-1
if { read -r _line <"/proc/$1/stat"; } 2>/dev/null; then _fields ${_line##*) }; fi
[ "$_group" -gt 0 ] || _group=$1
kill -s "$2" -- "-$_group" 2>/dev/null || kill -s "$2" "$1"
