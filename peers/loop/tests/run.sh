#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The loop command against nbdkit, qemu-nbd and servers that misbehave: tests/run.sh path/to/loop [STEP...]
# Needs root, /dev/fuse, loop devices; nbdkit, fio, e2fsprogs (and qemu-utils, qemu-system-common for two steps).
# Without STEP all but those that measure: memory, speed. Two may run at the same time.
# shellcheck disable=SC2015 # A && B || die: it is to die where either fails
here=$(cd "$(dirname "$0")" && pwd)
loop=$(realpath "${1:-$here/../build/loop}")
[ $# = 0 ] || shift
[ -x "$loop" ] || { echo "there is no $loop: make"; exit 1; }
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for tool in nbdkit fio mkfs.ext4 python3; do
	command -v $tool >/dev/null || { echo "needs $tool"; exit 77; }
done

# a mount namespace of its own: else another one, made meanwhile, keeps a copy of our mounts
[ -n "${LOOP_TEST_NAMESPACE-}" ] || LOOP_TEST_NAMESPACE=1 exec unshare -m --propagation private "$0" "$loop" "$@"

export ARCHIPELAGO_ROOT
ARCHIPELAGO_ROOT=$(mktemp -d /tmp/loop-test.XXXXXX)
run=$ARCHIPELAGO_ROOT/run
disk=$ARCHIPELAGO_ROOT/disk.img
mnt=$ARCHIPELAGO_ROOT/mnt
v=v$$		# the volume; another run may be under way
mkdir -p "$run/nbd" "$mnt"
passed=0 failed=0
cd "$ARCHIPELAGO_ROOT" || exit 1	# fio leaves a file where it runs

die() { echo "    line ${BASH_LINENO[0]}: $*"; exit 1; }
cmd() { timeout -k 1 100 "$loop" "$@"; }

# ---- servers: started in a step's subshell, ended by what stop_server finds ----
server_pid() { cat "$ARCHIPELAGO_ROOT/pid.$1" 2>/dev/null; }
await_file() {
	for _ in $(seq 200); do
		[ -e "$1" ] && return
		sleep 0.03
	done
	die "no server: $1 does not come"
}
serve() {	# NAME [nbdkit's arguments...]; without: the file plugin on the disk
	local name=$1
	shift
	[ $# = 0 ] && set -- file "$disk"
	rm -f "$run/nbd/$name.sock" "$run/ready"
	nbdkit -f -U "$run/nbd/$name.sock" -P "$run/ready" "$@" </dev/null >/dev/null 2>&1 &
	echo $! >"$ARCHIPELAGO_ROOT/pid.$name"
	await_file "$run/ready"
}
serve_badly() {	# NAME MODE [SIZE]
	rm -f "$run/nbd/$1.sock"
	python3 "$here/bad_server.py" "$2" "$run/nbd/$1.sock" ${3:+"$3"} </dev/null 2>"$ARCHIPELAGO_ROOT/bad.log" &
	echo $! >"$ARCHIPELAGO_ROOT/pid.$1"
	await_file "$run/nbd/$1.sock"
}
stop_server() {	# NAME [signal]
	local pid
	pid=$(server_pid "$1") || return 0
	kill -"${2:-KILL}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	rm -f "$ARCHIPELAGO_ROOT/pid.$1" "$run/nbd/$1.sock"
}
fresh_disk() { rm -f "$disk"; truncate -s "${1:-256M}" "$disk"; }
helper() { cut -d' ' -f1 "$run/loop/$1.pid"; }
ended() { for _ in $(seq 200); do [ -e "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || return 0; sleep 0.05; done; return 1; }
nothing_left() {	# NAME
	compgen -G "$run/loop/$1.*" >/dev/null && die "records left: $(ls "$run/loop")"
	grep -q "$run/loop/$1.file" /proc/self/mountinfo && die "mount left"
	losetup -n -O BACK-FILE | grep -q "$run/loop/$1.file" && die "loop device left"
	true
}

# ---- steps ----
step_names() {
	local n
	for n in ../x 'a;b' '' . -a 'a b' "$(printf x%.0s $(seq 81))" $'a\nb' a/b; do
		cmd attach "$n" >/dev/null 2>&1
		[ $? = 64 ] || die "name '$n' was taken"
	done
	cmd >/dev/null 2>&1; [ $? = 64 ] || die usage
	cmd fly a >/dev/null 2>&1; [ $? = 64 ] || die action
	cmd serve a </dev/null >/dev/null 2>&1 && die "serve by hand"
	cmd detach nothing || die "detach of nothing"
	cmd list || die list
	[ "$(cmd resize nothing 2>&1 >/dev/null | grep -c 'no loop device')" = 1 ] || die "resize of nothing"
	cmd attach nothing 2>"$run/err" >/dev/null; [ $? = 75 ] || die "attach without a server: $(cat "$run/err")"
	grep -q "cannot connect to the NBD socket $run/nbd/nothing.sock: No such file" "$run/err" || die "$(cat "$run/err")"
	nothing_left nothing
	if id nobody >/dev/null 2>&1 && command -v setpriv >/dev/null; then
		cp "$loop" "$ARCHIPELAGO_ROOT/loop"; chmod 755 "$ARCHIPELAGO_ROOT" "$ARCHIPELAGO_ROOT/loop"
		setpriv --reuid nobody --regid nogroup --clear-groups "$ARCHIPELAGO_ROOT/loop" attach a 2>/dev/null
		[ $? = 77 ] || die "not root"
	fi
}

step_folder() {
	rm -rf "$run/loop"
	ln -s /tmp "$run/loop"; cmd attach "$v" >/dev/null 2>&1 && die "followed a link"
	rm "$run/loop"; mkdir -m 777 "$run/loop"; chmod 777 "$run/loop"
	cmd attach "$v" 2>&1 | grep -q "not root's alone" || die "folder of everybody's"
	rmdir "$run/loop"; mkdir "$run/loop"; chmod 700 "$run/loop"
	ln -s "$ARCHIPELAGO_ROOT/elsewhere" "$run/loop/$v.pid"; ln -s "$ARCHIPELAGO_ROOT/elsewhere" "$run/loop/$v.file"
	fresh_disk; serve "$v"
	cmd attach "$v" >/dev/null || die "attach over links"
	[ -e "$ARCHIPELAGO_ROOT/elsewhere" ] && die "wrote through a link"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_basic() {
	local d start end
	fresh_disk; serve "$v"
	start=$(date +%s%N)
	d=$(cmd attach "$v") || die attach		# returns: the helper does not hold the pipe
	end=$(date +%s%N)
	[ -b "$d" ] || die "'$d' is no block device"
	[ "$(cmd attach "$v")" = "$d" ] || die "attach is not idempotent"
	[ "$(blockdev --getsize64 "$d")" = 268435456 ] || die size
	[ "$(blockdev --getss "$d")" = 512 ] || die "block size"
	[ "$(losetup -n -O DIO "$d" | tr -d ' ')" = 1 ] || die "no direct I/O"
	[ "$(cmd list)" = "$v $d 268435456 $(helper "$v") attached" ] || die "$(cmd list)"
	find "/proc/$(helper "$v")/fd" -lname 'pipe:*' -o -lname '/dev/pts/*' | grep . && die "the helper holds the caller's descriptors"
	[ "$(readlink "/proc/$(helper "$v")/cwd")" = / ] || die cwd
	echo "    attach $(((end - start) / 1000000)) ms; idle helper: $(awk '/VmRSS|RssAnon/ { printf "%s %s kB ", $1, $2 }' "/proc/$(helper "$v")/status")"
	cmd detach "$v" && cmd detach "$v" || die detach
	nothing_left "$v"
}

step_filesystem() {
	local d used
	fresh_disk 512M; serve "$v"
	d=$(cmd attach "$v") || die attach
	mkfs.ext4 -q -F "$d" && mount -o discard "$d" "$mnt" || die mkfs
	cp -a /usr/share/doc/[a-d]* "$mnt" 2>/dev/null; head -c 100M /dev/urandom >"$mnt/big"
	(cd "$mnt" && find . -type f -print0 | xargs -0 sha1sum) >"$run/sums"
	umount "$mnt" && cmd detach "$v" && d=$(cmd attach "$v") && mount "$d" "$mnt" || die "attach again"
	(cd "$mnt" && sha1sum --quiet -c "$run/sums") || die checksums
	used=$(stat -c %b "$disk")
	rm -rf "${mnt:?}"/*; sync; fstrim -v "$mnt" | sed 's/^/    /' || die fstrim
	[ "$(stat -c %b "$disk")" -lt $((used / 2)) ] || die "fstrim freed nothing: $used, $(stat -c %b "$disk")"
	umount "$mnt"; fsck.ext4 -fn "$d" >"$run/fsck" 2>&1 || die "$(cat "$run/fsck")"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_zeroes() {
	local d
	fresh_disk 64M; tr '\0' x </dev/zero | head -c 64M >"$disk"; serve "$v"
	d=$(cmd attach "$v") || die attach
	blkdiscard -o 1M -l 8M "$d" && blkdiscard -z -o 16M -l 8M "$d" || die blkdiscard
	dd if="$d" bs=1M skip=1 count=8 iflag=direct status=none | cmp -n 8388608 - /dev/zero || die "a discarded range does not read as zeros"
	dd if="$d" bs=1M skip=16 count=8 iflag=direct status=none | cmp -n 8388608 - /dev/zero || die "a zeroed range does not"
	[ "$(dd if="$d" bs=1M skip=9 count=7 iflag=direct status=none | tr -d x | wc -c)" = 0 ] || die "too much was zeroed"
	[ "$(dd if="$d" bs=512 skip=2047 count=1 iflag=direct status=none | tr -d x | wc -c)" = 0 ] || die "too much was zeroed"
	cmd detach "$v" || die detach
	stop_server "$v"; fresh_disk 8G; serve "$v"; d=$(cmd attach "$v") || die attach
	blkdiscard "$d" || die "discard of 8 GiB"
	cmd detach "$v" || die detach
}

step_limits() {
	local d
	fresh_disk 64M
	serve "$v" --filter=blocksize-policy file "$disk" blocksize-minimum=4096 blocksize-preferred=4096 blocksize-maximum=64k blocksize-error-policy=error
	d=$(cmd attach "$v") || die attach
	[ "$(blockdev --getss "$d")" = 4096 ] || die "block size"
	fio --name=x --filename="$d" --direct=1 --rw=write --bs=1m --size=32m --verify=crc32c --ioengine=libaio --iodepth=8 >"$run/fio" 2>&1 || die "$(tail -5 "$run/fio")"
	cmd detach "$v" || die detach
	stop_server "$v"; serve "$v" -r file "$disk"
	d=$(cmd attach "$v") || die "attach read-only"
	[ "$(blockdev --getro "$d")" = 1 ] || die "not read-only"
	dd if=/dev/zero of="$d" bs=4k count=1 oflag=direct 2>/dev/null && die "wrote to a read-only device"
	cmd detach "$v" || die detach
	stop_server "$v"; truncate -s $((64 * 1048576 + 100)) "$disk"; serve "$v"
	d=$(cmd attach "$v") || die attach
	[ "$(blockdev --getsize64 "$d")" = 67108864 ] || die "an odd size"
	dd if="$d" of=/dev/null bs=1M status=none || die read
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_crashes() {	# of the server, under a writer that verifies
	local d job
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") || die attach
	fio --name=x --filename="$d" --direct=1 --rw=randrw --bsrange=4k-256k --size=256m --io_size=2g --ioengine=libaio --iodepth=24 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=64 --fsync=50 --time_based --runtime=6 --output="$run/fio" &
	job=$!
	for _ in $(seq 10); do
		sleep 0.3
		stop_server "$v"
		sleep 0.$((RANDOM % 4))
		serve "$v"
	done
	wait $job || die "I/O errors: $(tail -20 "$run/fio")"
	grep -q 'err= 0' "$run/fio" || die "$(cat "$run/fio")"
	[ "$(grep -c 'connected again' "$run/loop/$v.log")" -ge 10 ] || die "$(cat "$run/loop/$v.log")"
	[ "$(cmd attach "$v")" = "$d" ] || die "another device"
	echo "    $(grep -E 'read:|write:' "$run/fio" | tr -s ' ' | cut -d'(' -f1 | tr '\n' ' ')"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_outage() {		# attach, list, detach while the server is dead; a long one
	local d start job
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") || die attach
	rm "$run/nbd/$v.sock"; stop_server "$v"		# in this order, so that nobody is let in by one who is about to die
	start=$(date +%s%N)
	[ "$(cmd attach "$v")" = "$d" ] || die "attach while the server is dead"
	[ $((($(date +%s%N) - start) / 1000000)) -lt 8000 ] || die "attach was slow"
	cmd resize "$v" 2>&1 | grep -q "cannot ask" || die "resize while the server is dead"
	dd if="$d" of="$run/out" bs=1M count=4 iflag=direct status=none & job=$!
	sleep 1
	kill -0 $job || die "the read did not wait"
	serve "$v"; wait $job || die "the read failed"
	[ "$(grep -c 'tried again\|connection lost' "$run/loop/$v.log")" = 1 ] || die "not one line an outage: $(cat "$run/loop/$v.log")"
	stop_server "$v"
	start=$(date +%s%N)
	cmd detach "$v" || die "detach while the server is dead"
	echo "    detach with a dead server $((($(date +%s%N) - start) / 1000000)) ms"
	nothing_left "$v"
}

step_stuck() {		# killed processes with I/O on a dead server must not keep the device for ever
	local d one two
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") || die attach
	stop_server "$v"
	dd if=/dev/zero of="$d" bs=64k count=10 oflag=direct status=none 2>/dev/null & one=$!
	python3 -c '
import mmap, os, sys, threading
m = mmap.mmap(-1, 4096)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
for i in range(3): threading.Thread(target=os.pwrite, args=(fd, m, i * 4096)).start()' "$d" 2>/dev/null & two=$!
	for _ in $(seq 100); do	# till all of them wait in the kernel
		[ "$(cat /proc/$one/status /proc/$two/task/*/status 2>/dev/null | grep -c '^State:.D')" = 4 ] && break
		sleep 0.1
	done
	cmd detach "$v" 2>"$run/err"; [ $? = 5 ] || die "detach of a busy device: $(cat "$run/err")"
	grep -q "open in process $one (dd)" "$run/err" && grep -q "open in process $two (python" "$run/err" || die "$(cat "$run/err")"
	disown $one $two; kill -KILL $one $two; sleep 0.3
	ended_quickly=$(ls /proc/$one /proc/$two >/dev/null 2>&1 && echo no)
	[ "$ended_quickly" = no ] || die "nothing was stuck: the test shows nothing"
	cmd detach "$v" 2>"$run/err" || die "detach: $(cat "$run/err")"
	sed 's/^/    /' "$run/err"
	ended $one && ended $two || die "still stuck"
	nothing_left "$v"
}

step_grow() {
	local d job
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") && mkfs.ext4 -q -F "$d" && mount "$d" "$mnt" || die mkfs
	fio --name=x --directory="$mnt" --rw=randwrite --bs=16k --size=100m --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c \
		--time_based --runtime=3 --output="$run/fio" & job=$!
	sleep 1; truncate -s 512M "$disk"
	[ "$(cmd resize "$v")" = 536870912 ] || die resize
	[ "$(cmd resize "$v")" = 536870912 ] || die "resize again"
	[ "$(blockdev --getsize64 "$d")" = 536870912 ] || die "size $(blockdev --getsize64 "$d")"
	if ! resize2fs "$d" >"$run/err" 2>&1; then	# online: the kernel wants CAP_SYS_RESOURCE, which a container may lack
		grep -q "Permission denied" "$run/err" || die "$(cat "$run/err")"
		wait $job || die "$(tail "$run/fio")"
		umount "$mnt"; fsck.ext4 -fy "$d" >"$run/fsck" 2>&1; resize2fs "$d" >"$run/err" 2>&1 || die "$(cat "$run/err")"
		mount "$d" "$mnt" || die mount
	fi
	wait $job || die "$(tail "$run/fio")"
	[ "$(df --output=size -m "$mnt" | tail -1)" -gt 400 ] || die "$(df "$mnt")"
	dd if=/dev/urandom of="$mnt/fill" bs=1M count=280 oflag=direct status=none || die "cannot fill it"
	stop_server "$v"; truncate -s 768M "$disk"; serve "$v"	# grown while the server was away
	[ "$(cmd resize "$v")" = 805306368 ] || die "resize after a crash"
	umount "$mnt"; fsck.ext4 -fn "$d" >"$run/fsck" 2>&1 || die "$(cat "$run/fsck")"
	truncate -s 300M "$disk"; cmd resize "$v" 2>&1 | grep -q "does not shrink" || die "it shrank"
	truncate -s 768M "$disk"; stop_server "$v"; serve "$v" --filter=delay file "$disk" delay-open=700ms; sleep 1
	truncate -s 800M "$disk"
	[ "$(cmd resize "$v")" = 838860800 ] || die "resize while it takes long to connect"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_grow_busy() {	# under writes: what was added can be read at once
	local d i job
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") || die attach
	fio --name=x --filename="$d" --direct=1 --rw=randwrite --bs=16k --size=64m --ioengine=libaio --iodepth=16 --time_based --runtime=60 \
		--output="$run/fio" & job=$!
	sleep 0.5
	for i in $(seq 257 276); do
		truncate -s "${i}M" "$disk"
		[ "$(cmd resize "$v")" = $((i << 20)) ] || die "resize to $i MiB"
		dd if="$d" of="$run/out" bs=1M skip=$((i - 1)) count=1 iflag=direct status=none || die "the MiB that was added by grow $((i - 256)) cannot be read"
	done
	kill $job; wait $job
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_together() {
	local i n job=()
	fresh_disk; serve "$v"
	for i in $(seq 8); do
		cmd attach "$v" >"$run/out.$i" 2>&1 & job+=($!)
	done
	wait "${job[@]}"
	[ "$(sort -u "$run"/out.* | wc -l)" = 1 ] && [ -b "$(cat "$run/out.1")" ] || die "$(cat "$run"/out.*)"
	[ "$(pgrep -cf "^archipelago-loop serve $v\$")" = 1 ] || die "more than one helper"
	job=(); rm "$run"/out.*
	for i in $(seq 8); do
		ln -sf "$v.sock" "$run/nbd/$v.$i.sock"; cmd attach "$v.$i" >"$run/out.$i" 2>&1 & job+=($!)
	done
	wait "${job[@]}"
	[ "$(sort -u "$run"/out.* | grep -c '^/dev/loop')" = 8 ] || die "$(cat "$run"/out.*)"
	job=()
	for i in $(seq 8); do cmd detach "$v" & job+=($!); cmd detach "$v.$i" & job+=($!); done
	for n in "${job[@]}"; do wait "$n" || die "a detach failed"; done
	rm -f "$run"/out.* "$run/nbd/$v".[1-8].sock
	nothing_left "$v"; nothing_left "$v.1"
}

step_killed() {		# commands killed at random points
	local d i
	fresh_disk; serve "$v"
	for i in $(seq 40); do
		"$loop" attach "$v" >/dev/null 2>&1 & sleep "0.0$(printf %02d $((RANDOM % 30)))"; kill -KILL $! 2>/dev/null
		[ $((i % 4)) = 0 ] && { d=$(cmd attach "$v") && dd if="$d" of=/dev/null bs=1M count=1 iflag=direct status=none || die "attach $i"; }
		"$loop" detach "$v" >/dev/null 2>&1 & sleep "0.0$(printf %02d $((RANDOM % 30)))"; kill -KILL $! 2>/dev/null
		[ $((i % 5)) = 0 ] && { cmd detach "$v" || die "detach $i"; nothing_left "$v"; }
	done 2>/dev/null
	cmd attach "$v" >/dev/null || die attach
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_busy() {
	local d holder
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") && mkfs.ext4 -q -F "$d" && mount "$d" "$mnt" || die mkfs
	cmd detach "$v" 2>"$run/err"; [ $? = 5 ] || die "detached a mounted device"
	grep -q "mounted at $mnt" "$run/err" || die "$(cat "$run/err")"
	umount "$mnt"
	sleep 100 3<"$d" & holder=$!
	cmd detach "$v" 2>"$run/err"; [ $? = 5 ] || die "detached an open device"
	grep -q "open in process $holder (sleep)" "$run/err" || die "$(cat "$run/err")"
	kill $holder; wait $holder 2>/dev/null
	mknod "$run/hidden" b 7 "${d#/dev/loop}"	# a holder that the search does not see
	sleep 100 3<"$run/hidden" & holder=$!
	cmd detach "$v" 2>"$run/err"; [ $? = 5 ] || die "detached an open device"
	[ "$(losetup -n -O AUTOCLEAR "$d" | tr -d ' ')" = 0 ] || die "autoclear was left on"
	kill $holder; wait $holder 2>/dev/null
	dd if="$d" of=/dev/null bs=1M count=1 iflag=direct status=none || die "the device went"
	losetup -d "$d" 2>/dev/null; [ "$(cmd list | cut -d' ' -f5)" = half ] || die "$(cmd list)"
	d=$(cmd attach "$v") && dd if="$d" of=/dev/null bs=1M count=1 status=none || die "attach after losetup -d"
	exec 9<"$d"; losetup -d "$d"	# autoclear, by somebody else
	[ "$(cmd attach "$v")" = "$d" ] || die attach
	exec 9<&-; dd if="$d" of=/dev/null bs=1M count=1 iflag=direct status=none || die "an attached device vanished"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_helper_dies() {
	local d pid
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") || die attach
	pid=$(helper "$v"); kill -KILL "$pid"; ended "$pid"
	[ "$(cmd list | cut -d' ' -f5)" = dead ] || die "$(cmd list)"
	d=$(cmd attach "$v") && dd if="$d" of=/dev/null bs=1M count=1 iflag=direct status=none || die "attach after it"
	mkfs.ext4 -q -F "$d" && mount "$d" "$mnt" || die mkfs
	pid=$(helper "$v"); kill -KILL "$pid"; ended "$pid"
	cmd attach "$v" 2>"$run/err"; [ $? = 5 ] || die "attach over a mounted dead device"
	grep -q "its helper died.*unmount" "$run/err" || die "$(cat "$run/err")"
	umount "$mnt" 2>/dev/null || umount -l "$mnt"
	d=$(cmd attach "$v") || die attach
	umount -l "$run/loop/$v.file"		# by somebody else: the device works on
	[ "$(cmd attach "$v")" = "$d" ] && dd if="$d" of=/dev/null bs=1M count=1 iflag=direct status=none || die "after umount -l"
	cmd detach "$v" || die detach
	nothing_left "$v"
	d=$(cmd attach "$v") || die attach
	umount -l "$run/loop/$v.file"; pid=$(helper "$v"); kill -KILL "$pid"; ended "$pid"
	cmd detach "$v" || die "detach after both"
	nothing_left "$v"
}

step_foreign() {	# records that point at somebody else's device, process, mount
	local d other holder
	fresh_disk; serve "$v"
	truncate -s 8M "$run/other.img"; other=$(losetup -f --show "$run/other.img")
	sleep 100 & holder=$!
	mkdir -p "$run/loop"; chmod 700 "$run/loop"
	echo "$other $(stat -c %d "$run") 0" >"$run/loop/$v.device"
	echo "$holder 12345 $(cat /proc/sys/kernel/random/boot_id)" >"$run/loop/$v.pid"
	d=$(cmd attach "$v") || die attach
	[ "$d" != "$other" ] && [ -n "$(losetup -n -O BACK-FILE "$other")" ] && kill -0 $holder || die "touched what is not ours"
	cmd detach "$v" || die detach
	printf 'x%.0s' $(seq 100) >"$run/loop/$v.device"; echo "-1 0 x" >"$run/loop/$v.pid"
	cmd detach "$v" || die "detach with broken records"
	echo "$other 1 18446744073709551615" >"$run/loop/$v.device"; echo "$holder 0 $(cat /proc/sys/kernel/random/boot_id)" >"$run/loop/$v.pid"
	cmd detach "$v" || die "detach with wrong records"
	[ -n "$(losetup -n -O BACK-FILE "$other")" ] && kill -0 $holder || die "touched what is not ours"
	kill $holder; losetup -d "$other"
	nothing_left "$v"
}

step_lock() {
	local start
	fresh_disk; serve "$v"
	mkdir -p "$run/loop"; chmod 700 "$run/loop"
	( flock 9; echo $BASHPID >&9; sleep 1 ) 9>"$run/loop/$v.lock" &
	sleep 0.2; start=$(date +%s%N)
	cmd attach "$v" >/dev/null || die attach
	[ $((($(date +%s%N) - start) / 1000000)) -gt 700 ] || die "did not wait for the lock"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_abandoned() {	# a child that is stuck keeps the lock, but nobody's pipe
	local d start child text
	fresh_disk; serve "$v"
	d=$(cmd attach "$v") || die attach
	exec 9<"$d"
	start=$(date +%s%N)
	("$loop" detach "$v"; echo "code $?") >"$run/out" 2>&1 9<&- &
	child=
	while [ -z "$child" ] && [ $((($(date +%s%N) - start) / 1000000)) -lt 1500 ]; do
		child=$(pgrep -P "$(cat "$run/loop/$v.lock")" 2>/dev/null)
	done
	[ -n "$child" ] && kill -STOP "$child" || die "no child that looks for holders"
	find "/proc/$child/fd" -lname "$run/out" | grep . && die "the child has the caller's descriptors"
	exec 9<&-
	wait $!
	[ $((($(date +%s%N) - start) / 1000000)) -lt 40000 ] || die "detach did not give up"
	grep -q "process $child waits for it" "$run/out" && grep -q "code 1" "$run/out" || die "$(cat "$run/out")"
	[ "$(cat "$run/loop/$v.lock")" = "$child" ] || die "the lock names $(cat "$run/loop/$v.lock"), not $child"
	kill -CONT "$child"
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_bad_negotiation() {
	local mode text
	for mode in garbage short oldstyle hugeanswer wronganswer refuse nosize bigblock; do
		serve_badly "$v" $mode
		text=$(cmd attach "$v" 2>&1 >/dev/null) && die "attached to $mode"
		[ "$(wc -l <<<"$text")" = 1 ] || die "$mode: $text"
		echo "    $mode: ${text#*.sock: }"
		stop_server "$v"
		nothing_left "$v"
	done
	serve_badly "$v" silent
	text=$(cmd attach "$v" 2>&1 >/dev/null); [ $? = 75 ] || die "silent: $text"
	grep -q "it does not answer" <<<"$text" || die "$text"
	stop_server "$v"
}

step_bad_requests() {
	local d
	serve_badly "$v" all
	d=$(cmd attach "$v") || die attach
	fio --name=x --filename="$d" --direct=1 --rw=randwrite --bsrange=4k-128k --size=64m --io_size=48m --ioengine=libaio --iodepth=16 \
		--verify=crc32c --verify_fatal=1 --output="$run/fio" || die "$(tail -20 "$run/fio") $(cat "$ARCHIPELAGO_ROOT/bad.log")"
	echo "    $(grep -c 'connected again' "$run/loop/$v.log") connections broken, no error"
	[ "$(stat -c %s "$run/loop/$v.log")" -lt 70000 ] || die "a long log"
	cmd detach "$v" || die detach
	stop_server "$v"
	serve_badly "$v" error
	d=$(cmd attach "$v") || die attach
	dd if=/dev/zero of="$d" bs=4k count=1 oflag=direct 2>"$run/err" && die "an error was lost"
	grep -qi "no space" "$run/err" || die "$(cat "$run/err")"
	dd if="$d" of=/dev/null bs=4k count=1 iflag=direct status=none || die "reads fail too"
	cmd detach "$v" || die detach
	stop_server "$v"
	nothing_left "$v"
}

step_other_volume() {	# what comes back after an outage must still be the volume
	local d job
	fresh_disk 64M; serve "$v"
	d=$(cmd attach "$v") || die attach
	stop_server "$v"; truncate -s 32M "$disk"; serve "$v"
	sleep 1; grep -q "it has shrunk" "$run/loop/$v.log" || die "$(cat "$run/loop/$v.log")"
	dd if="$d" of="$run/out" bs=4k count=1 skip=15000 iflag=direct status=none & job=$!
	sleep 0.5; kill -0 $job || die "an error out of a wrong server"
	stop_server "$v"; truncate -s 64M "$disk"; serve "$v"
	wait $job || die read
	cmd detach "$v" || die detach
}

step_qemu_nbd() {
	command -v qemu-nbd >/dev/null || { echo "    skipped: no qemu-nbd"; return; }
	local d
	fresh_disk; rm -f "$run/nbd/$v.sock"
	qemu-nbd -t -e 8 -f raw -x "$v" -k "$run/nbd/$v.sock" --discard=unmap --detect-zeroes=unmap "$disk" & echo $! >"$ARCHIPELAGO_ROOT/pid.$v"
	await_file "$run/nbd/$v.sock"; sleep 0.3
	d=$(cmd attach "$v") || die attach
	fio --name=x --filename="$d" --direct=1 --rw=randwrite --bsrange=4k-1m --size=128m --ioengine=libaio --iodepth=16 --verify=crc32c --output="$run/fio" || die "$(tail "$run/fio")"
	blkdiscard "$d" || die blkdiscard
	cmd detach "$v" || die detach
	nothing_left "$v"
}

step_memory() {		# many writes on a dead server: bounded; given back afterwards
	local d rss job
	fresh_disk 1G; serve "$v"
	d=$(cmd attach "$v") || die attach
	stop_server "$v"
	fio --name=x --filename="$d" --direct=1 --rw=write --bs=1m --size=512m --ioengine=libaio --iodepth=128 --output="$run/fio" & job=$!
	for _ in $(seq 30); do
		sleep 0.5; rss=$(awk '/RssAnon/ { print $2 }' "/proc/$(helper "$v")/status")
		[ "$rss" -gt 30000 ] && sleep 1 && break
	done
	rss=$(awk '/RssAnon/ { print $2 }' "/proc/$(helper "$v")/status")
	echo "    $rss kB held during the outage"
	[ "$rss" -lt 71680 ] || die "more than 70 MiB"
	stat "$run/loop/$v.file" >/dev/null || die stat
	serve "$v"; wait $job || die "$(tail "$run/fio")"
	sleep 2.5; rss=$(awk '/VmRSS/ { print $2 }' "/proc/$(helper "$v")/status")
	echo "    $rss kB when idle again"
	[ "$rss" -lt 2048 ] || die "more than 2 MiB"
	cmd detach "$v" || die detach
}

figures() {	# DEVICE
	local depth
	for depth in 32 1; do
		fio --name=x --filename="$1" --direct=1 --rw=randread --bs=4k --ioengine=libaio --iodepth=$depth --time_based --runtime=3 --output-format=json |
			python3 -c 'import json,sys; r=json.load(sys.stdin)["jobs"][0]["read"]; print("    %s, depth %s: %.0f reads of 4 KiB a second, %.0f us" % (sys.argv[1], sys.argv[2], r["iops"], r["lat_ns"]["mean"]/1e3))' "$2" $depth
	done
}
step_speed() {
	local d pid
	fresh_disk; head -c 256M /dev/urandom >"$disk"; serve "$v"
	d=$(cmd attach "$v") || die attach
	figures "$d" "this one"
	if command -v qemu-storage-daemon >/dev/null; then
		touch "$run/qsd"
		qemu-storage-daemon --blockdev nbd,node-name=n,server.type=unix,server.path="$run/nbd/$v.sock" \
			--export fuse,id=e,node-name=n,mountpoint="$run/qsd",writable=on & pid=$!
		sleep 1
		d=$(losetup -f --show --direct-io=on "$run/qsd") && figures "$d" "qemu-storage-daemon's FUSE export" && losetup -d "$d"
		kill $pid; wait $pid
	fi
	cmd detach "$v" || die detach
}

steps=(names folder basic filesystem zeroes limits crashes outage stuck grow grow_busy together killed busy helper_dies foreign lock
	bad_negotiation bad_requests other_volume qemu_nbd)
meanwhile=(abandoned)	# it waits for 30 s

end_jobs() {
	local p
	for p in $(jobs -p); do kill -KILL "$p"; done
} 2>/dev/null
ours_bound() {	# loop devices that carry a name of ours; those whose mount was detached have lost their file's
	python3 -c '
import fcntl, glob, os, sys
for path in glob.glob("/sys/block/loop*/loop/backing_file"):
    try:
        with open("/dev/" + path.split("/")[3], "rb") as device:
            status = bytearray(232)
            fcntl.ioctl(device, 0x4C05, status)
    except OSError:
        continue
    if status[56:120].split(b"\0")[0].split(b".")[0] == sys.argv[1].encode():
        print(path)' "$v"
}
clean_up() {	# of a failed step too
	local p
	for p in "$run"/loop/*.pid; do
		[ -e "$p" ] && kill -KILL "$(cut -d' ' -f1 "$p")"	# I/O that waits ends
	done
	mountpoint -q "$mnt" && umount -l "$mnt"
	for p in "$ARCHIPELAGO_ROOT"/pid.*; do [ -e "$p" ] && kill -KILL "$(cat "$p")"; rm -f "$p"; done
	for p in "$run"/loop/*.pid; do [ -e "$p" ] && cmd detach "$(basename "$p" .pid)"; done
	rm -rf "$run/loop" "$run"/nbd/*
} 2>/dev/null

if [ $# = 0 ]; then
	set -- "${steps[@]}"
	exec 8< <("$here/run.sh" "$loop" "${meanwhile[@]}" 2>&1)	# no job of ours, which a step would end
fi
for step in "$@"; do
	start=$(date +%s%N)
	if (trap end_jobs EXIT; "step_$step"); then passed=$((passed + 1)) word=ok; else failed=$((failed + 1)) word=FAILED; fi
	clean_up
	printf '%-18s %-6s %6d ms\n' "$step" "$word" $((($(date +%s%N) - start) / 1000000))
done
if grep -q "$ARCHIPELAGO_ROOT" /proc/self/mountinfo || losetup -n -O BACK-FILE | grep -q "$ARCHIPELAGO_ROOT" || ours_bound | grep -q . ||
   pgrep -f '^archipelago-loop serve' | sed 's,.*,/proc/&/environ,' | xargs -r grep -slz "ARCHIPELAGO_ROOT=$ARCHIPELAGO_ROOT" | grep -q .; then
	echo "left over: a mount, a loop device or a helper"
	failed=$((failed + 1))
fi
rm -rf "$ARCHIPELAGO_ROOT"
if [ -e /proc/self/fd/8 ]; then
	text=$(cat <&8)
	echo "$text"
	if [[ $text =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	else
		failed=$((failed + 1))
	fi
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
