#!/bin/sh
# Makes the training kit's Python environment: training/make-venv.sh VENV_DIR
# Silent and instant when VENV_DIR/ready already stands for these requirements; safe to run again after a failure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 VENV_DIR" >&2; exit 2; }
venv=$1
python=${PYTHON:-python3}

wanted=$(cat "$here/requirements.txt" "$here/make-venv.sh" "$here/pyproject.toml" | sha256sum | cut -d' ' -f1)
if [ -f "$venv/ready" ] && [ "$(cat "$venv/ready")" = "$wanted" ]; then
    touch "$venv/ready" # newer than its inputs, for make
    exit 0
fi

command -v "$python" >/dev/null || { echo "Python 3.10 or newer is needed (apt install python3 python3-venv)" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    { echo "Python 3.10 or newer is needed, $python is $("$python" --version 2>&1)" >&2; exit 1; }
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    { echo "Python's venv module is missing (apt install python3-venv)" >&2; exit 1; }

echo "Making the Python environment in $venv (once; some minutes)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
log=$venv/install.log
install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >>"$log" 2>&1
}
fail() {
    echo "Installing $1 failed; the end of $log:" >&2
    tail -n 15 "$log" >&2
    exit 1
}
: >"$log"

torch=$(sed -n 's/^torch==//p' "$here/requirements.txt")
if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
    install "torch==$torch" || fail torch
else
    # The CPU build is a tenth of the size of the default one, which brings CUDA along.
    install "torch==$torch+cpu" ||
        install "torch==$torch+cpu" --extra-index-url https://download.pytorch.org/whl/cpu || fail torch
fi
install -r "$here/requirements.txt" || fail requirements
install --no-build-isolation --no-deps -e "$here" || fail colm

echo "$wanted" >"$venv/ready"
