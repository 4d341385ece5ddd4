# shellcheck shell=bash disable=SC2034
# Archipelago from target/dist, as the lab and the suite see a provider.  See provider/README.md.

hook_budget_ms=300

archipelago_run() {
  local n=$1 program=$2
  shift 2
  node "$n" "$NODE_DIST/bin/$program" "$@"
}

provider_check() {
  [ -x "$TREE/target/dist/bin/archipelago" ] || die "no $TREE/target/dist/bin/archipelago: build and stage the tree first"
}

provider_install() {
  local n=$1 etc=$LAB/$1/etc store=$LAB/shared/archipelago
  ln -sfn "$NODE_DIST/extstorage/archipelago" "$LAB/$n/srv/ganeti/extstorage/archipelago"
  # its user, with one number on all nodes, as the store's owner
  grep -q '^archipelago:' "$etc/group" || echo 'archipelago:x:790:' >> "$etc/group"
  grep -q '^archipelago:' "$etc/passwd" || echo 'archipelago:x:790:790::/nonexistent:/usr/sbin/nologin' >> "$etc/passwd"
  mkdir -p "$etc/archipelago" "$store/blocks" "$store/maps"
  chown "$(sed -n 's/^archipelago:[^:]*:\([0-9]*\):\([0-9]*\):.*/\1:\2/p' "$etc/passwd")" "$store" "$store/blocks" "$store/maps"
  # /dev/shm is common to all nodes, so the segments need names of their own
  sed -e "s|/srv/archip/|$store/|" -e "s|^SEGMENT_NAME = .*|SEGMENT_NAME = 'archipelago-lab-$n'|" \
    "$TREE/target/dist/etc/archipelago.conf" > "$etc/archipelago/archipelago.conf"
}

provider_start() {
  archipelago_run "$1" archipelago status > /dev/null 2>&1 || archipelago_run "$1" archipelago start ||
    die "archipelago does not start on $1"
}

provider_stop() { timeout 60 "$QA/lab/lab" exec "$1" "$NODE_DIST/bin/archipelago" stop --force > /dev/null; }

# within the node's own process ids, so it cannot hit another's
provider_kill() {
  local pid
  for pid in $(node "$1" pgrep -x 'java|archipelagod'); do node "$1" kill -9 "$pid"; done
}

provider_cleanup() { rm -f /dev/shm/*archipelago-lab-n[1-9]*; }

provider_objects() { archipelago_run "$1" vlmc list --all --noheadings -o name; }
# What a snapshot or image has held stays after its removal until it is collected.
provider_collect() { archipelago_run "$1" vlmc gc; }
# All that is in the store, but for what collections write of themselves.
provider_stored() {
  find "$LAB/shared/archipelago" -type f ! -name archipelago.store ! -name 'gc-cursor-*' ! -name gc-pulse -printf '%P\n'
}
# Objects blockerm keeps beside the maps, KIND-ID: a lease is of a volume that is mapped; nobody here uses the administrator's lock.
provider_strays() {
  provider_stored | awk -v mapped=" $* " -v volumes="$(archipelago_run n1 vlmc list --all --noheadings -o id,name)" '
    BEGIN { for (n = split(volumes, line, "\n"); n > 0; n--) { split(line[n], field, " "); name[field[1]] = field[2] } }
    $0 ~ "^maps/[0-9a-f]+/(lock|shared|taken|doubt|admin)-" {
      sub(".*/", "")
      split($0, part, "-")
      volume = name[part[2]]
      if (volume == "") print $0, "of no volume"
      else if (part[1] ~ "^(taken|admin)$") print $0, "of", volume
      else if (part[1] != "doubt" && !index(mapped, " " volume " ")) print $0, "of", volume, "which is not mapped"
    }'
}
provider_mapped() {
  archipelago_run "$1" vlmc showmapped --noheadings -o volume,device | sed '/^No volumes mapped/d' |
    awk '{ print $1, (NF > 1 ? $2 : "-") }'
}
provider_import() { archipelago_run "$1" vlmc import "$2" "$3"; }
provider_remove() { archipelago_run "$1" vlmc remove "$2"; }
provider_size() { archipelago_run "$1" vlmc list --noheadings --bytes -o name,size | awk -v v="$2" '$1 == v { print $2 }'; }
provider_socket() { echo "/run/archipelago/nbd/$1.sock"; }
provider_files() { node "$1" find /run/archipelago/nbd /run/archipelago/loop /run/archipelago/nbd-devices /run/archipelago/mapped -mindepth 1 2>/dev/null || true; }
provider_helpers() { node "$1" pgrep -a -f '^archipelago-(loop|nbd) serve' || true; }
