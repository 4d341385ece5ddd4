# shellcheck shell=bash disable=SC2034
# What the lab and the suite share: settings, nodes, loop devices.
#
# LAB is the lab's folder of state; everything of the lab lies there:
#   settings            the options of `lab up`
#   shared/             the "shared storage" of all nodes
#   tree/               inside a node, the project's tree (bound there, since /root and /srv are the node's own)
#   switch/pid, nN/pid  process 1 of the switch's and of each node's namespaces
#   nN/{etc,root,...}   the node's own folders

QA=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
TREE=$(dirname "$QA")
LAB=${ARCHIPELAGO_LAB:-/var/tmp/archipelago-lab}
DOMAIN=lab.test
NET=10.199.0
CLUSTER=cluster.$DOMAIN

# the same folder, seen from inside a node
NODE_QA=$LAB/tree/${QA#"$TREE"/}
NODE_DIST=$LAB/tree/target/dist

NODES=3 HVS=kvm,fake PROVIDER=archipelago
# shellcheck disable=SC1091
[ ! -s "$LAB/settings" ] || . "$LAB/settings"

die() { echo "${0##*/}: $*" >&2; exit 1; }

nodes() { local i; for ((i = 1; i <= NODES; i++)); do echo "n$i"; done; }

# alive n1|switch: is its process 1 running, and ours?
alive() {
  local pid
  pid=$(cat "$LAB/$1/pid" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline" | grep -q "lab/node-init $LAB/$1 "
}

# node n1 CMD...: runs the command in the node with a clean environment
node() {
  local name=$1 pid
  shift
  pid=$(cat "$LAB/$name/pid" 2>/dev/null) || die "no node $name; is the lab up?"
  nsenter -t "$pid" -m -u -n -i -p -- env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# node_loops n1: "DEVICE BACKING-FILE" of each loop device whose file lies on a FUSE mount of this node's
# /run/archipelago, or in this node's folder of the toy provider.  Loop devices are common to all nodes; the
# device number of the mount tells whose they are.
node_loops() {
  local pid
  pid=$(cat "$LAB/$1/pid" 2>/dev/null) || return 0
  losetup -n -l -O NAME,BACK-MAJ:MIN,BACK-FILE 2>/dev/null |
    awk -v toy="$LAB/shared/toy/node/$1/" -v mounts="/proc/$pid/mountinfo" '
      BEGIN { while ((getline line < mounts) > 0) { split(line, f, " "); if (f[5] ~ "^/run/archipelago/") ours[f[3]] = 1 } }
      $2 in ours || index($3, toy) == 1 { print $1, $3 }'
}

# lost_loops: loop devices whose file system no process at all has mounted any more: what is left of a node, or of a
# mount that was taken away from under its device.  Those that were there before the lab are not the lab's.
lost_loops() {
  local device dev file
  losetup -n -l -O NAME,BACK-MAJ:MIN,BACK-FILE 2>/dev/null | while read -r device dev file; do
    case $file in
      / | /run/archipelago/*)
        grep -qxF "$dev" <<< "$(cut -d' ' -f3 /proc/[0-9]*/mountinfo 2>/dev/null)" ||
          grep -qxF "$(binding "$device")" "$LAB/loops-before" 2>/dev/null || echo "$device $file" ;;
    esac
  done
}

# binding /dev/loopN: names what it is bound to now; another file gives another name
binding() { echo "$1 $(cat "/sys/block/${1#/dev/}/diskseq" 2>/dev/null)"; }

[ -r "$QA/provider/$PROVIDER.sh" ] || die "unknown provider '$PROVIDER'; there are: $(cd "$QA/provider" && echo *.sh | sed 's/\.sh//g')"
# shellcheck source=/dev/null
. "$QA/provider/$PROVIDER.sh"
