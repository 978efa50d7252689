#!/bin/sh
# Puts promtool, which checks the metrics page, at a path: Tests/EndToEnd/get-promtool.sh PATH
# Takes it out of Debian's package without installing that: installed, it would run a Prometheus of its own.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 PATH" >&2; exit 2; }
if own=$(command -v promtool); then
    cp "$own" "$1"
    exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if ! apt-get download -q prometheus >log 2>&1; then
    # Lists of packages are often missing in a fresh container.
    { apt-get update -q && apt-get download -q prometheus; } >>log 2>&1 || {
        cat log >&2
        echo "get-promtool.sh: apt could not download the package 'prometheus'; put promtool on the PATH yourself" >&2
        exit 1
    }
fi
dpkg-deb -x prometheus_*.deb .
cd - >/dev/null
# A copy is newer than this script, for make.
cp "$folder/usr/bin/promtool" "$1"
