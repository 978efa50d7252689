#!/usr/bin/env bash
# Builds the fuzz targets and runs them one after the other, each for some executions. Stops at the first finding, which
# is kept under .build/fuzz/findings.
#   Tests/Fuzz/fuzz.sh                         all targets, RUNS executions each, of inputs up to MAX_LEN bytes
#   RUNS=5000000 Tests/Fuzz/fuzz.sh FuzzGzip   one target
#   Tests/Fuzz/fuzz.sh --keep FuzzGzip         adds what was found to reach new code to the committed corpus
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${RUNS:-100000}
keep=no
if [ "${1:-}" = --keep ]; then
    keep=yes
    shift
fi
if [ $# -gt 0 ]; then
    targets=("$@")
else
    mapfile -t targets < <(cd Tests/Fuzz && echo Fuzz?* | tr ' ' '\n' | grep -v '^Fuzzing$')
fi

out=.build/fuzz
mkdir -p "$out/findings"
# -enable-testing: some targets look inside a module.
for target in "${targets[@]}"; do
    CATENA_FUZZ=1 swift build -c release --scratch-path "$out/build" --product "$target" \
        -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld -Xswiftc -enable-testing -Xcc -fsanitize=fuzzer-no-link
done

# Swift's own handler would report a crash in libFuzzer's place.
export SWIFT_BACKTRACE=enable=no
for target in "${targets[@]}"; do
    committed=Tests/Fuzz/corpus/$target
    found=$out/corpus/$target
    mkdir -p "$committed" "$found"
    options=()
    [ ! -f "Tests/Fuzz/words/$target.dict" ] || options+=("-dict=Tests/Fuzz/words/$target.dict")
    if [ "$keep" = yes ]; then
        # The fewest inputs that reach every edge.
        "$out/build/release/$target" -set_cover_merge=1 -use_counters=0 "$committed" "$found"
        continue
    fi
    echo "$target: $runs executions"
    "$out/build/release/$target" -runs="$runs" -max_len="${MAX_LEN:-1024}" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$out/findings/$target-" "${options[@]}" "$found" "$committed"
done
