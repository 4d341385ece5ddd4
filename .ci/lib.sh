# shellcheck shell=bash
# What ./demo, ./check and .ci/run share.

# need PACKAGE...: installs what is missing
need() {
	local package missing=()
	for package; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	if [ "$(id -u)" != 0 ]; then
		echo "missing packages, and only root can install them: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	echo "installing ${missing[*]}"
	apt-get -o DPkg::Lock::Timeout=600 -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends \
		"${missing[@]}" >/dev/null
}

need_build() {
	need openjdk-17-jdk-headless maven gcc libc6-dev make
}

# build: the staged tree in target/dist, without running tests
build() {
	need_build
	mvn -B -q -DskipTests package
}

# seconds since $1, as 1.2
since() {
	awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'
}
