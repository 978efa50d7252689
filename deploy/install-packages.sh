#!/bin/sh
# Installs the Debian packages that Catena needs. Silent and instant when all are there.
#   deploy/install-packages.sh            to build, test and run
#   deploy/install-packages.sh runtime    only what the built program needs
#   deploy/install-packages.sh browser    what drives the playground in tests
set -eu

case "${1:-build}" in
build)
    # python3-venv, curl and openssl serve the training kit and the tests that drive the real server.
    packages="libopenblas-dev libssl-dev zlib1g-dev libpcre2-dev libhiredis-dev pkg-config make git curl openssl ca-certificates"
    python3 -c 'import venv, ensurepip' 2>/dev/null || packages="$packages python3 python3-venv"
    ;;
runtime)
    packages="libopenblas0-pthread libssl3 zlib1g libpcre2-8-0 libhiredis0.14"
    ;;
browser)
    packages="chromium chromium-driver"
    ;;
*)
    echo "install-packages.sh: unknown argument '$1': give 'build' (the default), 'runtime' or 'browser'" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-packages.sh: this is not Debian or Ubuntu. Install the equivalents of: $packages" >&2
    exit 1
fi

missing=""
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=""
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "install-packages.sh: these Debian packages are missing and installing them needs root:" >&2
    echo "    sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing Debian packages:$missing" >&2
# shellcheck disable=SC2086 # word splitting is what makes a list of packages of it
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "install-packages.sh: apt could not install:$missing" >&2
    exit 1
fi
