#!/bin/bash
# Builds the container image, and runs it, with whatever engine there is.
#   deploy/image.sh build [TAG]        build the image (catena:latest)
#   deploy/image.sh run [TAG] [ARG...] run it as it should be run: read-only, without capabilities, port 8080 of loopback
#   deploy/image.sh bases              make both base images on this machine, for where no registry can be reached
# Docker or podman are used if they work. Else, on Debian as root, `build` installs and uses buildah, and `run` podman
# with runc. IMAGE_HOME is where those two keep their images then (default: /var/tmp/catena-images).
# `bases` bootstraps Debian 12, and makes "swift" of it with the toolchain of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

home=${IMAGE_HOME:-/var/tmp/catena-images}
tag=${2:-catena:latest}

has_docker() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

# Storage of its own and settings that work inside a container too: no systemd, no journal, and limits that the
# kernel grants here.
use_buildah() {
    command -v apt-get >/dev/null || { echo "image.sh: this needs Docker, or Debian with buildah and podman" >&2; exit 1; }
    local missing=()
    for package in buildah podman runc debootstrap; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        [ "$(id -u)" -eq 0 ] || { echo "image.sh: as root: apt-get install ${missing[*]}" >&2; exit 1; }
        apt-get update -q >&2
        apt-get install -qy --no-install-recommends "${missing[@]}" >&2
    fi
    mkdir -p "$home"
    cat >"$home/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$home/store"
runroot = "$home/run"
END
    local files
    files=$(ulimit -Hn)
    cat >"$home/containers.conf" <<END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
END
    export CONTAINERS_STORAGE_CONF="$home/storage.conf" CONTAINERS_CONF="$home/containers.conf" BUILDAH_ISOLATION=chroot
}

# Where the toolchain of this machine is, such as /opt/swift: `bases` does not copy its gigabytes, builds mount it.
toolchain() { dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")"; }

make_bases() {
    local mirror root="$home/debian"
    mirror=$(find /etc/apt \( -name '*.list' -o -name '*.sources' \) -exec \
        sed -nE 's/^(deb|URIs:) +(\[[^]]*\] +)?([^ ]+).*/\3/p' {} + | head -n 1)
    if ! [ -s "$home/debian.tar" ]; then
        rm -rf "$root"
        debootstrap --variant=minbase bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$home/debootstrap.log"
        # As in the official image: packages are not kept, and nothing is started on installing.
        cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Acquire::Languages "none";
END
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
        # The slim image has no manuals and translations either.
        tar -C "$root" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./dev/*' \
            --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
            -cf "$home/debian.tar" .
        rm -rf "$root"
    fi
    mkdir -p "$home/context"
    ln -f "$home/debian.tar" "$home/context/debian.tar"
    printf 'FROM scratch\nADD debian.tar /\nENV PATH=%s\nCMD ["bash"]\n' \
        /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin |
        buildah bud -q --format docker -f - -t docker.io/library/debian:bookworm-slim "$home/context"
    # What the Swift toolchain itself needs of Debian.
    buildah bud -q --format docker -f - -t docker.io/library/swift:6.3-bookworm "$home/context" <<'END'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends binutils git ca-certificates tzdata libc6-dev \
    libgcc-12-dev libstdc++-12-dev libcurl4-openssl-dev libxml2-dev libedit2 libsqlite3-0 libncurses6 zlib1g-dev \
    pkg-config && rm -rf /var/lib/apt/lists/*
ENV PATH=/toolchain/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END
}

case "${1:-}" in
build)
    if has_docker; then
        docker build -t "$tag" .
    else
        use_buildah
        options=()
        # Made by `bases`: then nothing is pulled, and the builder finds its toolchain in a mount.
        if buildah images -q swift:6.3-bookworm >/dev/null 2>&1; then
            options=(--pull=never -v "$(toolchain):/toolchain:ro")
        fi
        # The format that has HEALTHCHECK. IMAGE_OPTIONS: more of buildah's, such as mounts for a mirror of packages.
        # shellcheck disable=SC2086 # several options in one variable
        buildah bud --format docker --layers "${options[@]}" ${IMAGE_OPTIONS:-} -t "$tag" .
    fi
    ;;
run)
    shift $(($# > 1 ? 2 : 1))
    # --tmpfs is not needed: the server writes to standard error only, unless sessions.disk is set.
    if has_docker; then
        exec docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8080:8080 "$tag" "$@"
    fi
    use_buildah
    exec podman run --rm --pull=never --network=host --no-healthcheck --read-only --read-only-tmpfs=false --cap-drop all \
        --security-opt no-new-privileges "$tag" "$@"
    ;;
bases)
    use_buildah
    make_bases
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
