# Becomes what a session asked for, inside the container and with nothing but what a POSIX shell has built in.
#
#   sh -c "$THIS" SHELL NONCE GATE COUNT NAME=VALUE... KIND LINE WORD...
#
# It says on stdout that it runs (NONCE, its process id, when that started), waits for a line on stdin when GATE is "gate" (the
# terminal gets its size meanwhile), exports the COUNT variables, finds the login's shell and becomes: a login shell (KIND "shell"),
# LINE in a shell (KIND "line"), or the program that the WORDs name, else LINE in a shell (KIND "words").
_zt_nonce=$1 _zt_gate=$2 _zt_count=$3
shift 3
_zt_started() { shift 19; _zt_start=$1; }
_zt_start=0
if { read -r _zt_line </proc/self/stat; } 2>/dev/null; then _zt_started ${_zt_line##*) }; fi
echo "$_zt_nonce $$ $_zt_start"
if [ "$_zt_gate" = gate ]; then
  read -r _zt_line || exit 126
fi
while [ "$_zt_count" -gt 0 ]; do
  export "$1"
  shift
  _zt_count=$((_zt_count - 1))
done
_zt_kind=$1 _zt_command=$2
shift 2

# Who this is, and the account that the container has for it.
_zt_uid= _zt_shell=
if [ -r /proc/self/status ]; then
  while read -r _zt_key _zt_value _zt_rest; do
    if [ "$_zt_key" = Uid: ]; then
      _zt_uid=$_zt_value
      break
    fi
  done </proc/self/status
fi
if [ -n "$_zt_uid" ] && [ -r /etc/passwd ]; then
  while IFS=: read -r _zt_name _zt_x _zt_id _zt_group _zt_text _zt_home _zt_own; do
    if [ "$_zt_id" = "$_zt_uid" ]; then
      export USER="$_zt_name" LOGNAME="$_zt_name"
      [ -n "$HOME" ] || export HOME="$_zt_home"
      _zt_shell=$_zt_own
      break
    fi
  done </etc/passwd
fi
# A shell that is there to say no is a distribution's word about logins, not this container's about its own user.
case ${_zt_shell##*/} in
  nologin | false | true | sync | halt | shutdown) _zt_shell= ;;
esac
for _zt_try in "$_zt_shell" /bin/bash /usr/bin/bash /usr/local/bin/bash /bin/sh /usr/bin/sh; do
  if [ -n "$_zt_try" ] && [ -x "$_zt_try" ]; then break; fi
  _zt_try=
done
_zt_shell=${_zt_try:-$(command -v bash || command -v sh || echo "$0")}
export SHELL="$_zt_shell"

case $_zt_kind in
  shell)
    case ${_zt_shell##*/} in
      busybox) exec "$_zt_shell" sh -l ;;
      bash | sh | dash | ash | zsh | ksh | mksh | fish) exec "$_zt_shell" -l ;;
      *) exec "$_zt_shell" ;;
    esac
    ;;
  words)
    case $1 in
      /*) [ -x "$1" ] && exec "$@" ;;
      ?*) case $(command -v "$1") in /*) exec "$@" ;; esac ;;
    esac
    ;;
esac
case ${_zt_shell##*/} in
  busybox) exec "$_zt_shell" sh -c "$_zt_command" ;;
  *) exec "$_zt_shell" -c "$_zt_command" ;;
esac
