#!/bin/bash
# Checks every file under deploy/, and the Dockerfile, with the tool that would read it: deploy/lint.sh TOOLS
# TOOLS is the folder that deploy/get-lint-tools.sh made. Says each check; ends with 1 if one failed.
set -uo pipefail
[ $# -eq 1 ] || { echo "usage: $0 TOOLS" >&2; exit 2; }
tools=$(cd "$1" && pwd)
cd "$(dirname "$0")/.." || exit 1
PATH="$tools/bin:$tools/venv/bin:$PATH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME COMMAND...: quiet when all is well.
check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        sed 's/^/      /' "$work/log"
        failed=1
    fi
}

mapfile -t scripts < <(find deploy Tests training -name '*.sh' | sort)
check "shellcheck: ${#scripts[@]} scripts" shellcheck "${scripts[@]}" .ci/run
check "hadolint: Dockerfile" hadolint --config deploy/hadolint.yaml Dockerfile
mapfile -t yaml < <(find deploy -name '*.yaml' -o -name '*.yml' | sort)
check "yamllint: ${#yaml[@]} files" yamllint --strict -c deploy/yamllint.yaml "${yaml[@]}"

# The names of the replicas are only known to the containers' network.
check "haproxy -c: haproxy.cfg" env CATENA_1=127.0.0.1:8081 CATENA_2=127.0.0.1:8082 CATENA_3=127.0.0.1:8083 \
    haproxy -c -f deploy/haproxy/haproxy.cfg
sed -E "s/catena-[123]:8080/127.0.0.1:8081/; s#/run/nginx.pid#$work/nginx.pid#; s#/dev/stdout#$work/access.log#" \
    deploy/nginx/nginx.conf >"$work/nginx.conf"
check "nginx -t: nginx.conf" nginx -t -q -c "$work/nginx.conf" -p "$work" -g "error_log $work/error.log;"

check "promtool check rules" promtool check rules deploy/prometheus/rules.yml deploy/prometheus/alerts.yml
check "promtool test rules" promtool test rules deploy/prometheus/tests.yml
check "promtool check config" promtool check config --syntax-only deploy/prometheus/prometheus.yml

# The program of the unit need not be installed for the unit to be right.
sed 's#/usr/local/bin/catena#/bin/true#' deploy/systemd/catena.service >"$work/catena.service"
# It only warns of a value that is none, with status 0.
# shellcheck disable=SC2329 # invoked by check
silent() { "$@" 2>&1 | { ! grep .; }; }
check "systemd-analyze verify: catena.service" silent systemd-analyze verify --man=no "$work/catena.service"
# Exposure from 0 (none) to 100.
check "systemd-analyze security: catena.service" systemd-analyze security --offline=yes --threshold=15 "$work/catena.service"

# podman-compose asks podman for its version before it reads the file, and for nothing else.
printf '#!/bin/sh\necho podman version 4.3.1\n' >"$work/podman"
chmod +x "$work/podman"
check "podman-compose config: compose.yaml" podman-compose --podman-path "$work/podman" -f deploy/compose.yaml config
check "JSON: catena.json" python3 -m json.tool deploy/grafana/catena.json
check "Kubernetes schemas, drain times, series" "$tools/venv/bin/python" deploy/check-manifests.py
exit $failed
