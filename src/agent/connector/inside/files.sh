# Does to files what it is asked for on stdin, one line a request, with what a small image has: stat, dd, mkdir and their like.
#
#   sh -c "$THIS" SHELL NONCE
#
# A request is a word and its arguments; a path is written so that printf %b gives it back. The answer is what there is to say, a line
# break, NONCE and the status in three digits.
LC_ALL=C
export LC_ALL
n=$1
f='%f %s %u %g %X %Y %h'
say() { printf '\n%s %03d\n' "$n" "$1"; }
path() { r=$(printf '%b.' "$1"); r=${r%.}; }
run() { m=$("$@" 2>&1); s=$?; printf '%s' "$m"; say $s; }
not() { printf '%s' "$1"; say 1; }
rows() {
  cd -- "$r" || return
  if command -v xargs >/dev/null 2>&1; then
    for e in ./* ./.*; do printf '%s\0' "$e"; done | xargs -0 stat -c "@$n $f %n" 2>/dev/null
  else
    stat -c "@$n $f %n" ./* ./.* 2>/dev/null
  fi
  return 0
}
make() {
  case $2 in
    new) (set -C; : >"$r") ;;
    empty) : >"$r" ;;
    *) : >>"$r" ;;
  esac || return
  [ "$1" = - ] || chmod "$1" "$r"
}
while read -r o a b c; do
  [ -n "$a" ] && path "$a"
  case $o in
    hello)
      for t in stat dd mkdir mv rm; do command -v $t >/dev/null 2>&1 || { not "this container has no $t"; continue 2; }; done
      run stat -c "$f" .
      ;;
    look) run stat -c "$f" -- "$r" ;;
    follow) run stat -L -c "$f" -- "$r" ;;
    rows) if [ -d "$r" ] && ! { [ -r "$r" ] && [ -x "$r" ]; }; then not 'Permission denied'; else run rows; fi ;;
    may) if [ -r "$r" ]; then run stat -L -c "$f" -- "$r"; else not 'Permission denied'; fi ;;
    make)
      [ -e "$r" ] && [ "$c" != new ] && b=-
      m=$(make "$b" "$c" 2>&1) && run stat -L -c "$f" -- "$r" || not "$m"
      ;;
    read) dd if="$r" bs=4096 skip="$b" count="$c" 2>/dev/null; say $? ;;
    add)
      if m=$({ : >>"$r"; } 2>&1); then
        m=$(dd bs="$b" count=1 iflag=fullblock 2>&1 >>"$r")
        s=$?
        [ $s = 0 ] || printf '%s' "$m"
        say $s
      else
        dd bs="$b" count=1 iflag=fullblock >/dev/null 2>&1
        not "$m"
      fi
      ;;
    mkdir) run mkdir -m "$b" -- "$r" ;;
    rmdir) run rmdir -- "$r" ;;
    rm) if [ -d "$r" ] && ! [ -L "$r" ]; then not 'Is a directory'; else run rm -f -- "$r"; fi ;;
    chmod) run chmod "$b" -- "$r" ;;
    chown) run chown -h "$b" -- "$r" ;;
    size) run truncate -s "$b" -- "$r" ;;
    changed) run touch -c -m -d "@$b" -- "$r" ;;
    used) run touch -c -a -d "@$b" -- "$r" ;;
    move | replace)
      p=$r
      path "$b"
      if [ "$o" = move ] && { [ -e "$r" ] || [ -L "$r" ]; }; then not 'the new name is taken'
      elif [ -d "$r" ]; then not 'Is a directory'
      else run mv -f -- "$p" "$r"; fi
      ;;
    link | hard)
      p=$r
      path "$b"
      if [ -e "$r" ] || [ -L "$r" ]; then not 'File exists'
      elif [ "$o" = link ]; then run ln -s -- "$p" "$r"
      else run ln -- "$p" "$r"; fi
      ;;
    target) run readlink -n -- "$r" ;;
    real)
      if [ -d "$r" ]; then run eval 'cd -P -- "$r" && pwd -P'
      else
        case $r in */*) p=${r%/*}; p=${p:-/} ;; *) p=. ;; esac
        run eval 'cd -P -- "$p" && p=$(pwd -P) && printf "%s/%s" "${p%/}" "${r##*/}"'
      fi
      ;;
    *) not 'what is this' ;;
  esac
done
