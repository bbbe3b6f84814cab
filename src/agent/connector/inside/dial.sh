# Connects to HOST PORT from inside the container and joins the connection to its stdin and stdout, by the first program that is there
# and can do it.
#
#   sh -c "$THIS" SHELL HOST PORT
#
# It says "open" first: when the connection is there, or when a program begins that does not tell. It says "none" where nothing can.
has() { command -v "$1" >/dev/null 2>&1; }
if has python3; then
  exec python3 -c 'import os,socket,sys,threading
s=socket.create_connection((sys.argv[1],int(sys.argv[2])),10)
s.settimeout(None)
os.write(1,b"open\n")
def put():
 while 1:
  d=os.read(0,65536)
  if not d: break
  s.sendall(d)
 s.shutdown(1)
threading.Thread(target=put,daemon=True).start()
while 1:
 d=s.recv(65536)
 if not d: break
 while d: d=d[os.write(1,d):]' "$1" "$2"
fi
if has perl && perl -MIO::Socket::IP -e 1 2>/dev/null; then
  exec perl -MIO::Socket::IP -e '$s=IO::Socket::IP->new(PeerHost=>$ARGV[0],PeerPort=>$ARGV[1],Timeout=>10) or die "$@\n";
$s->blocking(1);
sub put{my($f,$b)=@_;my $o=0;while($o<length $b){my $n=syswrite($f,$b,length($b)-$o,$o);exit 1 unless $n;$o+=$n}}
put(*STDOUT,"open\n");
$c=fork;
if(!$c){while(sysread(STDIN,$b,65536)){put($s,$b)}shutdown($s,1);exit}
while(sysread($s,$b,65536)){put(*STDOUT,$b)}
kill 9,$c' "$1" "$2"
fi
if has socat; then
  echo open
  exec socat -t 86400 - "TCP:$1:$2"
fi
if has nc; then
  echo open
  case $(nc -h 2>&1) in
    *OpenBSD*) exec nc -N "$1" "$2" ;;
    *) exec nc "$1" "$2" ;;
  esac
fi
if has bash; then
  exec bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
echo open
exec 4<&0
cat <&4 >&3 &
cat <&3
kill $!' bash "$1" "$2"
fi
echo none
