# shellcheck shell=bash disable=SC2034
# What every phase starts with.  A phase is a script of its own: it makes the instances that it needs if they are not
# there yet, and ends at the first thing that is not as it should be.  Its output is its log; `fail` says why.
set -euo pipefail
# shellcheck source=../lab/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lab/common.sh"

IMAGE=qa-image IMAGE_MB=64
DEBIAN=qa-debian
CACHE=${ARCHIPELAGO_QA_CACHE:-/var/cache/archipelago-qa}
SUM_OF_NOTHING=$(head -c 1M /dev/zero | sha256sum)

fail() {
  echo "FAIL: $*"
  [ -z "${QA_WHY:-}" ] || cut -c1-1000 <<< "$*" > "$QA_WHY"
  exit 1
}

skip() {
  [ -z "${QA_WHY:-}" ] || echo "$*" > "$QA_WHY"
  exit 77
}

# told ...: something worth a line beside the phase's result
told() {
  echo "NOTE: $*"
  [ -z "${QA_NOTES:-}" ] || echo "$*" >> "$QA_NOTES"
}

# must COMMAND...: on the master
must() {
  local out code=0 begin=${EPOCHREALTIME/./}
  out=$(node n1 "$@" < /dev/null 2>&1) || code=$?
  printf '+ %s\n%s\n(%d ms)\n' "$*" "$out" $(((${EPOCHREALTIME/./} - begin) / 1000))
  [ $code = 0 ] || fail "'$*' ended with $code: $(tail -n 2 <<< "$out" | tr '\n' ' ' | cut -c1-600)"
}

# refused TEXT COMMAND...: on the master; fails, and says TEXT (a regular expression)
refused() {
  local text=$1 out code=0
  shift
  echo "+ (refused) $*"
  out=$(node n1 "$@" < /dev/null 2>&1) || code=$?
  printf '%s\n' "$out"
  [ $code != 0 ] || fail "'$*' succeeded; it should say '$text'"
  grep -qiE "$text" <<< "$out" || fail "'$*' does not say '$text' but: $(tail -n 2 <<< "$out" | tr '\n' ' ')"
}

# until_true SECONDS COMMAND...
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

same() { [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"; }

cluster() { "$QA/tools/cluster" "$LAB/n1/lib-ganeti/config.data" "$@"; }

# --- instances

instance_there() { grep -q "^$1 " <<< "$(cluster instances)"; }
object_there() { grep -qxF "$1" <<< "$(provider_objects n1)"; }
node_of() { cluster instances | awk -v i="$1" '$1 == i { print $2 }'; }
volume_of() { cluster disk "$1" "${2:-0}" | cut -d' ' -f2; }
device_of() { provider_mapped "$(node_of "$1")" | awk -v v="$(volume_of "$1" "${2:-0}")" '$1 == v && $2 != "-" { print $2 }'; }

# other_node n1: the next one, for a move
other_node() {
  [ "$NODES" -gt 1 ] || skip "needs two nodes"
  echo "n$((${1#n} % NODES + 1))"
}

# add NAME HYPERVISOR OS DISK [ARGUMENT...]: DISK without its provider
add() {
  local name=$1 hv=$2 os=$3 disk=$4
  shift 4
  must gnt-instance add -t ext --disk "0:provider=$PROVIDER,$disk" -o "$os+default" -n "n1.$DOMAIN" -H "$hv" \
    --no-ip-check --no-name-check --no-nics -B memory=32M,vcpus=1 "$@" "$name"
}

state_of() { cluster instances | awk -v i="$1" '$1 == i { print $4 }'; }

# need_up INSTANCE: it is there already; a phase that failed may have left it stopped
need_up() { [ "$(state_of "$1")" = up ] || must gnt-instance start "$1"; }

need_blank() {
  if instance_there blank; then need_up blank; else add blank fake noop size=64M; fi
}

need_image() {
  ! object_there "$IMAGE" || return 0
  local file=$LAB/shared/image
  # a file system made from real files
  [ -s "$file" ] || { truncate -s ${IMAGE_MB}M "$file"; mke2fs -q -t ext4 -d "$QA" "$file"; }
  provider_import n1 "$file" "$IMAGE"
  echo "$IMAGE" >> "$LAB/images"
}

need_clone() {
  need_image
  if instance_there clone; then need_up clone; else add clone fake noop "size=96M,origin=$IMAGE"; fi
}

# need_counter kernelspace|userspace: instance "kernelspace" or "userspace"
need_counter() {
  if instance_there "$1"; then need_up "$1"; else add "$1" kvm counter "size=64M,access=$1"; fi
}

need_kvm() { case ,$HVS, in *,kvm,*) ;; *) skip "the lab has no kvm" ;; esac; }

# --- data

# pattern INSTANCE OFFSET-MB: writes 4 MiB of noise there; same_pattern reads it back
pattern() {
  head -c 4M /dev/urandom > "$LAB/shared/pattern.$1"
  node "$(node_of "$1")" dd if="$LAB/shared/pattern.$1" of="$(device_of "$1")" bs=1M seek="$2" oflag=direct conv=notrunc status=none
}

same_pattern() {
  node "$(node_of "${3:-$1}")" dd if="$(device_of "${3:-$1}")" bs=1M skip="$2" count=4 iflag=direct status=none |
    cmp - "$LAB/shared/pattern.$1" || fail "instance ${3:-$1} has lost what was written at ${2} MiB"
}

device_mb() { echo $(($(node "$(node_of "$1")" blockdev --getsize64 "$(device_of "$1" "${2:-0}")") >> 20)); }

# --- the counter guest

# counter INSTANCE: its line of counter-read
counter() {
  local n volume access disk
  read -r n volume access < <(cluster disk "$1" 0)
  if [ "$access" = userspace ]; then disk=nbd:unix:$(provider_socket "$volume"); else disk=$(device_of "$1"); fi
  node "$n" "$NODE_QA/guest/counter/counter-read" "$disk"
}

counted() { counter "$1" | sed -n 's/^number=\([0-9]*\) .*/\1/p'; }
counted_beyond() { local now; now=$(counted "$1") && [ "${now:-0}" -ge "$2" ]; }

# counts INSTANCE [SECONDS]: it goes on, within the bound, and has met no error
counts() {
  local from line
  from=$(counted "$1") || fail "the disk of counter guest $1 cannot be read"
  until_true "${2:-20}" counted_beyond "$1" $((from + 10)) || fail "counter guest $1 stands still at $from"
  line=$(counter "$1")
  echo "$1: $line"
  [[ $line == *" errors=0 wrong=0 "*" lost=0" ]] || fail "counter guest $1: $line"
}

# --- the provider's scripts, called as ganeti-noded does

# hook NODE ACTION VOLUME [NAME=VALUE...]
hook() {
  local n=$1 action=$2 volume=$3
  shift 3
  node "$n" env -C "/srv/ganeti/extstorage/$PROVIDER" LC_ALL=C VOL_NAME="$volume" VOL_UUID=00000000-0000-0000-0000-000000000000 \
    EXTP_PROVIDER="$PROVIDER" EXTP_ACCESS=kernelspace "$@" timeout 60 "/srv/ganeti/extstorage/$PROVIDER/$action" < /dev/null
}

# --- what is left over

# expected_mapped n1: "VOLUME ACCESS" of what should be attached there
expected_mapped() { cluster mapped "$PROVIDER" | awk -v n="$1" '$1 == n { print $2, $3 }' | sort; }

# leftovers: a line for each thing that is there and should not be, or should be and is not
leftovers() {
  local n line volumes mapped=()
  diff <(cat <(cluster objects "$PROVIDER") "$LAB/images" 2>/dev/null | sort -u) <(provider_objects n1 | sort) |
    sed -n 's/^</missing object:/p; s/^>/leftover object:/p'
  for n in $(nodes); do
    volumes=$(expected_mapped "$n" | cut -d' ' -f1)
    mapfile -t -O ${#mapped[@]} mapped < <(provider_mapped "$n" | cut -d' ' -f1 | sort)
    diff <(echo "$volumes") <(provider_mapped "$n" | cut -d' ' -f1 | sort) |
      sed -n "s/^< \(..*\)/$n: not mapped: \1/p; s/^> \(..*\)/$n: leftover mapping: \1/p"
    diff <(provider_mapped "$n" | awk '$2 != "-" { print $2 }' | sort) <(node_loops "$n" | cut -d' ' -f1 | sort) |
      sed -n "s/^</$n: mapped, but no loop device of this node:/p; s/^>/$n: loop device that no volume is mapped to:/p"
    join <(expected_mapped "$n") <(provider_mapped "$n" | sort) |
      awk -v n="$n" '$2 == "kernelspace" && $3 == "-" { print n ": no device for", $1 }'
    { provider_files "$n"; provider_helpers "$n"; } | while read -r line; do
      [ -n "$volumes" ] && grep -qF "$volumes" <<< "$line" || echo "$n: leftover: $line"
    done
    node "$n" pgrep -a -f "extstorage/$PROVIDER/[a-z]+\$" | sed "s/^/$n: hook still running: /" || true
  done
  provider_strays "${mapped[@]}" | sed 's/^/leftover in the store: /'
  line=$(lost_loops)
  [ -z "$line" ] || echo "loop device whose file system is gone: $line"
}

no_leftovers() {
  local found
  for _ in 1 2 3 4 5 6; do
    found=$(leftovers)
    [ -n "$found" ] || return 0
    sleep 0.5
  done
  fail "left over: $found"
}
