#!/usr/bin/env bash
# Builds everything with a sanitizer of the toolchain, runs every Swift test, and then a server under the soak's load. Every
# finding is an error. Optimised, as it is released: so the tests take a few minutes. From start to end, with 5 minutes of
# load, each took 16 to 17 minutes on 2 processors that had other work too, most of it to build.
#   Tests/Sanitizers/sanitize.sh address                 the tests, and 5 minutes of load
#   Tests/Sanitizers/sanitize.sh thread NetTests         the tests of one module, and no load
#   LOAD=60 Tests/Sanitizers/sanitize.sh thread load     the load alone, for a minute
# PYTHON is one that has the packages of Tests/EndToEnd/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."

sanitizer=${1:-}
case "$sanitizer" in
address | thread) shift ;;
*)
    echo "sanitize.sh: name a sanitizer: address or thread" >&2
    exit 2
    ;;
esac
if [ $# -gt 0 ]; then
    parts=("$@")
else
    mapfile -t parts < <(cd Tests && printf '%s\n' *Tests)
    parts+=(load)
fi
out=$PWD/.build/sanitize/$sanitizer
mkdir -p "$out"

# The tests look inside of modules, which an optimised build does not allow by itself.
flags=(-c release -Xswiftc -enable-testing --sanitize="$sanitizer" --scratch-path "$out")
swift build --build-tests "${flags[@]}" --explicit-target-dependency-import-check error

# The sanitizers' own reports have the stacks.
export SWIFT_BACKTRACE=enable=no
# Seconds that tests wait for what must come: everything is up to twenty times as slow.
export TEST_PATIENCE=120
if [ "$sanitizer" = thread ]; then
    # It says why.
    clang -O1 -Wall -Wextra -Werror -shared -fPIC -o "$out/edges.so" Tests/Sanitizers/edges.c
    export LD_PRELOAD=$out/edges.so
    # An error at the end, so that one run shows all there are.
    export TSAN_OPTIONS="halt_on_error=0 exitcode=66 suppressions=$PWD/Tests/Sanitizers/races.supp"
else
    export ASAN_OPTIONS="detect_stack_use_after_return=1 check_initialization_order=1"
    export LSAN_OPTIONS="suppressions=$PWD/Tests/Sanitizers/leaks.supp"
fi

failed=()
for part in "${parts[@]}"; do
    echo "== $sanitizer: $part"
    if [ "$part" = load ]; then
        "${PYTHON:-.venv/bin/python}" Tests/Soak/soak.py --catena "$out/release/catena" --seconds "${LOAD:-300}" \
            --clients 12 --any-memory || failed+=("$part")
    else
        # Tests that hold an answer back keep its server in a cycle, to the end; what the server leaks is seen by the load.
        # XCTest, of which there are no tests, leaks too.
        ASAN_OPTIONS="${ASAN_OPTIONS:-} detect_leaks=0" swift test --skip-build --disable-xctest "${flags[@]}" \
            --filter "^$part\\." || failed+=("$part")
    fi
done
[ ${#failed[@]} -eq 0 ] || { echo "sanitize.sh: $sanitizer: not clean: ${failed[*]}" >&2; exit 1; }
echo "$sanitizer: clean"
