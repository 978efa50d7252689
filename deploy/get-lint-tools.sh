#!/bin/sh
# Puts what `make lint-deploy` needs into a folder: deploy/get-lint-tools.sh FOLDER
# FOLDER/venv has the tools of requirements.txt. FOLDER/bin has haproxy, nginx, promtool, systemd-analyze, and redis-server,
# which the end-to-end tests run: the machine's own, or taken out of Debian's packages without installing these, as installed they would run services.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
folder=$(cd "$1" && pwd)

[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"

# A program in a package that is not installed needs the libraries from beside it.
provide() { # provide PROGRAM PACKAGE...
    program=$1
    shift
    [ ! -x "$folder/bin/$program" ] || return 0
    own=$(PATH="$PATH:/usr/sbin:/sbin" command -v "$program" || true)
    if [ -n "$own" ]; then
        ln -sf "$own" "$folder/bin/$program"
        return
    fi
    mkdir -p "$folder/debs"
    cd "$folder/debs"
    apt-get download -q "$@" >log 2>&1 || { apt-get update -q && apt-get download -q "$@"; } >>log 2>&1 || {
        cat log >&2
        echo "get-lint-tools.sh: apt could not download $*; put $program on the PATH yourself" >&2
        exit 1
    }
    for package in "$@"; do
        dpkg-deb -x "$package"_*.deb "$folder/root"
    done
    path=$(cd "$folder/root" && find usr/bin usr/sbin bin sbin -name "$program" 2>/dev/null | head -n 1)
    cat >"$folder/bin/$program" <<END
#!/bin/sh
for libraries in "$folder"/root/usr/lib/*-linux-gnu "$folder"/root/usr/lib/*-linux-gnu/systemd; do
    LD_LIBRARY_PATH="\$libraries:\${LD_LIBRARY_PATH:-}"
done
export LD_LIBRARY_PATH
exec "$folder/root/$path" "\$@"
END
    chmod +x "$folder/bin/$program"
}

provide haproxy haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1
provide nginx nginx
provide promtool prometheus
# The program itself is in redis-tools.
provide redis-server redis-server redis-tools libjemalloc2 liblzf1 libatomic1
provide systemd-analyze systemd libsystemd-shared libseccomp2 libapparmor1 libkmod2 libip4tc2 libcryptsetup12 libfdisk1 \
    libdevmapper1.02.1 libargon2-1 libjson-c5
