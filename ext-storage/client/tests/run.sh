#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The client against a fake server: tests/run.sh path/to/client
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/client_test.py" "$(realpath "${1:-$here/../build/client}")"
