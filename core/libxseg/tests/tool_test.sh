#!/bin/sh
# The xseg command: what it prints, and its exit codes.  BUILD: where it is.
xseg=${BUILD:-build}/xseg
name=xseg-test-tool-$$
failed=0
trap 'rm -f /dev/shm/$name; [ -z "${echo:-}" ] || kill -9 $echo 2>/dev/null' EXIT
echo "tool: no SEED"

# expect CODE TEXT ARGUMENT...: it exits with CODE and prints TEXT
expect() {
	code=$1 text=$2
	shift 2
	out=$("$xseg" "$@" 2>&1)
	is=$?
	[ $is = "$code" ] || { echo "xseg $*: exit code $is, not $code: $out"; failed=1; }
	case $out in *"$text"*) ;; *) echo "xseg $*: no '$text' in: $out"; failed=1 ;; esac
}

expect 0 "usage: xseg" help
expect 0 "usage: xseg" --help
expect 2 "no command"
expect 2 "no such command: dance" dance
expect 2 "not a number" -g $name create --ports many
expect 2 "port's number" -g $name report
expect 2 "wrong option" -g $name report -1
expect 2 "too many" -g $name verify now
expect 2 "posix:NAME" posix:$name:4 create
expect 2 "posix:NAME" posix:$name:4:1:13 create
expect 3 "create" -g $name info
expect 3 "No such file" -g $name destroy
expect 1 "power of two" -g $name create --ring 3
expect 1 "name" -g ../$name create
expect 0 "" -g $name create --ports 4 --requests 32 --ring 8 --size 1 --mode 600
expect 1 "is there and belongs to user $(id -u)" -g $name create
expect 0 "ports     4," -g $name info
expect 0 "0 contradictions" -g $name verify
expect 0 "0 of 4 ports bound" -g $name reportall
expect 0 "port 3: free" -g $name report 3
expect 1 "ports 0 to 3" -g $name report 4
expect 0 "0 requests" -g $name recoverport 0
printf '\1' | dd of=/dev/shm/$name bs=1 seek=4096 conv=notrunc 2>/dev/null
printf '\033[2Jx' | dd of=/dev/shm/$name bs=1 seek=4160 conv=notrunc 2>/dev/null
expect 0 'port 0: \x1b[2Jx' -g $name report 0
expect 4 "is dead" -g $name verify
expect 0 "dead: recover it" -g $name report 0
expect 0 "" -g $name recoverport 0
expect 0 "0 contradictions" -g $name verify
expect 0 "" -g $name destroy
XSEG_SEGMENT=$name
export XSEG_SEGMENT
expect 3 $name info
unset XSEG_SEGMENT
expect 0 "" posix:$name:16:2:12 create
expect 0 "512 pages" posix:$name:16:2:12 info
expect 0 "" posix:$name:16:2:12 destroy
expect 2 "posix:NAME" posix:$name:17:16:2:12 create
expect 0 "" posix:$name:8:16:2:12 create
expect 0 "ports     16," posix:$name:8:16:2:12 join
expect 0 "" -g $name destroy
expect 0 "roundtrips" bench --seconds 0 --depth 1,3
expect 0 "    2 " bench --seconds 0 --depth 2 --file xseg.1
expect 1 "nowhere" bench --seconds 0 --file nowhere
expect 2 "depths are" bench --depth 1,65
expect 2 "depths are" bench --depth ,
expect 2 "port's number" bench --serve
expect 2 "or none" bench fast

# With a peer that lives: the example.  It is killed, and its requests come back.
expect 0 "" -g $name create --ports 4 --requests 32 --ring 8 --size 1 --mode 600
"${BUILD:-build}/echo" $name 0 &
echo=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	"$xseg" -g $name report 0 | grep -q alive && break
	sleep 0.1
done
out=$("${BUILD:-build}/echo" $name 1 0 'there and back')
[ "$out" = 'there and back' ] || { echo "echo: '$out'"; failed=1; }
expect 1 "bound by process $echo, which lives" -g $name destroy
expect 1 "lives" -g $name recoverlocks $echo
expect 2 "or none" -g $name recoverlocks me
expect 0 "  echo" -g $name top --seconds 0 --count 2
kill -STOP $echo
"${BUILD:-build}/echo" $name 1 0 'never back' 2>/dev/null &
asker=$!
sleep 0.3
kill -KILL $echo
wait $echo 2>/dev/null
expect 4 "is dead: recover it" -g $name verify
expect 0 "1 requests" -g $name recoverlocks $echo
wait $asker && { echo "echo: no answer, and it is content"; failed=1; }
expect 0 "0 requests" -g $name recoverlocks
expect 0 "0 contradictions" -g $name verify
printf '\7' | dd of=/dev/shm/$name bs=1 seek=4096 conv=notrunc 2>/dev/null
expect 4 "state 7" -g $name verify
expect 0 "1 contradictions mended" -g $name verify --fix
expect 0 "0 contradictions mended" -g $name verify-fix
"${BUILD:-build}/echo" $name 0 &
echo=$!
sleep 0.3
expect 1 "use destroy -f" -g $name destroy
expect 0 "" -g $name destroy -f
kill $echo
wait $echo || { echo "echo: ended with $?"; failed=1; }

# A client and a server of bench, in a segment that somebody made.
expect 0 "" -g $name create --ports 4 --requests 128 --ring 64 --size 1 --mode 600
"$xseg" -g $name bench --serve 2 &
echo=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	"$xseg" -g $name report 2 | grep -q alive && break
	sleep 0.1
done
expect 0 "   64 " -g $name bench --seconds 0 --depth 64 --target x --write 2
expect 1 "nobody serves port 1" -g $name bench --seconds 0 1
(sleep 0.5; kill -KILL $echo) &
expect 1 "port 2" -g $name bench --seconds 9 2
wait
expect 0 "" -g $name destroy
exit $failed
