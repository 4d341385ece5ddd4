# shellcheck shell=bash
# The toy provider, as the lab and the suite see a provider.  See provider/README.md for what each function is.

toy() { local n=$1; shift; node "$n" "$NODE_QA/lab/toy/toy" "$@"; }

provider_check() { :; }
provider_install() { ln -sfn "$NODE_QA/lab/toy" "$LAB/$1/srv/ganeti/extstorage/toy"; }
provider_start() { toy "$1" start; }
provider_stop() {
  local device
  toy "$1" kill
  node_loops "$1" | while read -r device _; do losetup -d "$device"; done
}
provider_kill() { toy "$1" kill; }
provider_cleanup() { :; }

provider_objects() { toy "$1" list; }
provider_stored() { find "$LAB/shared/toy" -name '*.img' -printf '%P\n'; }
provider_strays() { :; }
provider_mapped() { toy "$1" mapped; }
provider_import() { toy "$1" import "$2" "$3"; }
provider_remove() { toy "$1" remove "$2"; }
provider_collect() { :; }
provider_size() { toy "$1" size "$2"; }
provider_socket() { echo "/run/toy/$1.sock"; }
provider_files() { node "$1" find /run/toy -mindepth 1 2>/dev/null || true; }
provider_helpers() { node "$1" pgrep -a qemu-nbd || true; }
