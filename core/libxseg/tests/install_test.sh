#!/bin/sh
# What make install puts there, as its users find it: the library's symbols and their
# version, pkg-config, header and example, the manual.
build=${BUILD:-build}
root=$(mktemp -d)
name=xseg-test-install-$$
failed=0
trap 'rm -rf "$root"; rm -f /dev/shm/$name; [ -z "${echo:-}" ] || kill -9 $echo 2>/dev/null' EXIT
echo "install: no SEED"

bad() {
	echo "install: $*"
	failed=1
}

# same WHAT A B: two lists, of words that are sorted here
same() {
	a=$(printf '%s\n' "$2" | sort -u) b=$(printf '%s\n' "$3" | sort -u)
	if [ -z "$a" ] || [ "$a" != "$b" ]; then
		bad "$1 differ, by: $(printf '%s\n' "$a" "$b" | sort | uniq -u | tr '\n' ' ')"
	fi
}

make -s install BUILD="$build" PREFIX=/usr DESTDIR="$root" || exit 1
lib=$root/usr/lib header=$root/usr/include/xseg/xseg.h manual=$root/usr/share/man/man1/xseg.1

# ----- the library: all that the header declares, with a version, and nothing else

# a declaration begins a line, after the comment that explains it
declared=$(sed -n 's/^[a-z].*[ *]\(xseg_[a-z_]*\)(.*/\1/p' "$header")
same "xseg.h and the library's symbols" "$(echo "$declared" | sed 's/$/@@XSEG_0/')" \
	"$(nm -D --defined-only "$lib/libxseg.so.0" | awk '$2 != "A" { print $3 }')"
undocumented=$(awk '/^[a-z].*[ *]xseg_[a-z_]*\(/ && before !~ /\*\/$/ { print } { before = $0 }' "$header")
[ -z "$undocumented" ] || bad "no comment before: $undocumented"
readelf -d "$lib/libxseg.so.0" | grep -q 'SONAME.*\[libxseg.so.0\]' || bad "its name is not libxseg.so.0"
[ "$(readlink "$lib/libxseg.so")" = libxseg.so.0 ] || bad "libxseg.so is no link to it"

# ----- a program of somebody else's

PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$lib/pkgconfig
export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
# shellcheck disable=SC2046 # flags are words
${CC:-gcc} -std=c11 -D_POSIX_C_SOURCE=200809L -pedantic -Wall -Wextra -Werror -o "$root/echo" \
	examples/echo.c $(pkg-config --cflags --libs xseg) || bad "the example does not compile"
same "what the example needs" libxseg.so.0 "$(readelf -d "$root/echo" | sed -n 's/.*NEEDED.*\[\(libxseg.*\)\]/\1/p')"
LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH
"$root/usr/bin/xseg" -g $name create --ports 2 --requests 2 --ring 2 --size 1 --mode 600 || bad "no segment"
"$root/echo" $name 0 &
echo=$!
for _ in $(seq 50); do
	"$root/usr/bin/xseg" -g $name report 0 | grep -q alive && break
	sleep 0.1
done
answer=$("$root/echo" $name 1 0 'there and back')
[ "$answer" = 'there and back' ] || bad "the example answers '$answer'"
kill $echo
wait $echo || bad "the example's server ended with $?"
echo=

# ----- the manual: the commands of the help, and every option

# a command is the first word of a line, or of what follows a comma there
commands() {
	sed 's/, \([a-z]\)/\n\1/g' | sed -n 's/^\([a-z-]*\).*/\1/p'
}
same "the help's and the manual's commands" \
	"$("$root/usr/bin/xseg" --help | sed -n 's/^  \([a-z].*\)/\1/p' | sed 's/  .*//' | commands)" \
	"$(sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/p' "$manual" |
		sed -n '/^\.TP/{n; s/^\.[BIR]* *//; s/[\\"]//g; s/ *, */, /g; p}' | commands)"
same "the tool's and the manual's options" \
	"$(grep -o '{ "[a-z]*", [01], NULL' tool.c | cut -d'"' -f2)" \
	"$(sed 's/\\//g' "$manual" | grep -o -- '--[a-z]*' | cut -c3-)"
exit $failed
