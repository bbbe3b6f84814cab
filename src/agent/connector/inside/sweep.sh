# Signals every process of a session in this container, by nothing but what a POSIX shell has built in, and says which there are.
#
#   sh -c "$THIS" sh MARKER SIGNAL PID:START...
#
# A process is the session's when it has MARKER in its environment, when it is one of those named (process ids with the time at
# which they started) or in the Unix session of one, or when its parent is. The answer is one line of all that were found, in the same
# form. SIGNAL 0 only looks.
_marker=$1 _signal=$2
shift 2
_fields() { _state=$1 _parent=$2 _session=$4; shift 19; _start=$1; }
_stat() { { read -r _line <"/proc/$1/stat"; } 2>/dev/null && _fields ${_line##*) }; }

# A number that somebody else has by now means nobody.
_leaders=' '
for _leader in "$@"; do
  if ! _stat "${_leader%:*}" || [ "$_start" = "${_leader#*:}" ]; then _leaders="$_leaders${_leader%:*} "; fi
done

_all= _ours=' '
for _folder in /proc/[0-9]*; do
  _pid=${_folder#/proc/}
  [ "$_pid" = "$$" ] && continue
  _stat "$_pid" || continue
  [ "$_state" = Z ] && continue
  _all="$_all $_pid:$_parent:$_start"
  case $_leaders in
    *" $_pid "* | *" $_session "*)
      _ours="$_ours$_pid "
      continue
      ;;
  esac
  _environment=
  {
    # Zero bytes between the variables are passed over.
    while IFS= read -r _line || [ -n "$_line" ]; do _environment=$_environment$_line; done <"$_folder/environ"
  } 2>/dev/null
  case $_environment in *"$_marker"*) _ours="$_ours$_pid " ;; esac
done
_more=yes
while [ -n "$_more" ]; do
  _more=
  for _entry in $_all; do
    _pid=${_entry%%:*} _rest=${_entry#*:}
    case $_ours in
      *" $_pid "*) ;;
      *" ${_rest%:*} "*)
        _ours="$_ours$_pid "
        _more=yes
        ;;
    esac
  done
done
_found=
for _entry in $_all; do
  _pid=${_entry%%:*}
  case $_ours in *" $_pid "*) ;; *) continue ;; esac
  _found="$_found $_pid:${_entry##*:}"
  if [ "$_signal" != 0 ]; then
    kill -s "$_signal" "$_pid" 2>/dev/null
    # A stopped process sees a signal only when it goes on.
    [ "$_signal" = KILL ] || kill -s CONT "$_pid" 2>/dev/null
  fi
done
echo "found$_found"
