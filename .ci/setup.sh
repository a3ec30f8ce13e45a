#!/bin/sh
# Sets up a checkout: `.ci/setup.sh venv [test|dev]` and `.ci/setup.sh tools`, called by the Makefile.
#
# Nothing is fetched, and nothing written, when all is there already. PYTHON=... chooses the
# interpreter. As root, missing packages of Debian, Ubuntu, Fedora and Alpine are installed;
# everybody else is told the one command that does.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # ordinary users often lack the last two
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
VENV=.venv
STAMP=$VENV/.podmatrix-setup

say() { printf '%s\n' "podmatrix: $*"; }
die() {
    say "$@" >&2
    exit 1
}
is_root() { [ "$(id -u)" -eq 0 ]; }

# debian, fedora, alpine, or nothing where it is none of them and like none of them.
family() (
    ID='' ID_LIKE=''
    [ ! -r /etc/os-release ] || . /etc/os-release
    case " $ID $ID_LIKE " in
        *" debian "* | *" ubuntu "*) echo debian ;;
        *" fedora "* | *" rhel "*) echo fedora ;;
        *" alpine "*) echo alpine ;;
    esac
)

# The one command that installs the packages, for a person to read.
install_command() {
    root=$(is_root || echo 'sudo ')
    case $(family) in
        debian) echo "${root}apt-get install -y $*" ;;
        fedora) echo "${root}dnf install -y $*" ;;
        alpine) echo "${root}apk add $*" ;;
    esac
}

install_packages() {
    say "installing $*"
    case $(family) in
        debian)
            apt-get update -qq || say "the package lists could not be refreshed: trying those at hand"
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 \
                --no-install-recommends "$@"
            ;;
        fedora) dnf install -y -q "$@" ;;
        alpine) apk add -q -U "$@" ;;
        *) return 1 ;;
    esac
}

can_install() { is_root && [ -n "$(family)" ]; }

# ---------------------------------------------------------------- interpreter and environment

# Whether it is Python 3.11 or newer, with what a virtual environment needs.
usable() { "$1" -c 'import sys, ssl, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        usable "$PYTHON" || return 1
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

python_package() {
    case $(family) in
        debian) echo python3 python3-venv ;;
        *) echo python3 ;;
    esac
}

choose_python() {
    found=$(find_python) && return
    [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is not a Python 3.11 or newer: name one that is"
    if can_install; then
        # shellcheck disable=SC2046
        install_packages $(python_package) >&2 && found=$(find_python) && return
    fi
    # shellcheck disable=SC2046
    command=$(install_command $(python_package))
    die "Python 3.11 or newer is needed and none was found${command:+: run \`$command\`}" \
        "or name one: make PYTHON=/path/to/python3.12 ..."
}

has_pip() { $VENV/bin/python -m pip --version >/dev/null 2>&1; }

# pip as a wheel, run from the wheel itself, puts itself into the environment.
pip_from_wheel() {
    for wheel in "$1"/pip-*.whl; do
        [ -r "$wheel" ] || continue
        PYTHONPATH=$wheel $VENV/bin/python -m pip install -q --no-index "$wheel" && return
    done
    return 1
}

# Any user may download a Debian package, and its signature is checked as ever. Debian's pip trusts
# the system's certificates alone: without them it is of no use.
pip_from_debian() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    [ -r /etc/ssl/certs/ca-certificates.crt ] || return 1
    folder=$(mktemp -d) || return 1
    (cd "$folder" && apt-get download -qq python3-pip-whl && dpkg-deb -x ./*.deb .) >/dev/null 2>&1 \
        && pip_from_wheel "$folder/usr/share/python-wheels"
    status=$?
    rm -rf "$folder"
    return $status
}

# Debian's python3 has no ensurepip unless python3-venv is installed.
add_pip() {
    pip_from_wheel /usr/share/python-wheels || true
    has_pip || "$1" -m pip --python $VENV/bin/python install -q pip >/dev/null 2>&1 || true
    if ! has_pip && can_install; then
        case $(family) in
            debian) install_packages python3-pip-whl >&2 && pip_from_wheel /usr/share/python-wheels ;;
            fedora) install_packages python3-pip >&2 && "$1" -m pip --python $VENV/bin/python install -q pip ;;
            alpine) install_packages py3-pip >&2 && "$1" -m pip --python $VENV/bin/python install -q pip ;;
        esac || true
    fi
    has_pip || pip_from_debian || true
    has_pip || die "$1 can make no virtual environment with pip (ensurepip is missing):" \
        "run \`$(install_command python3-venv)\` or name another one: make PYTHON=... "
}

version() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null; }

# Whether the environment's interpreter works and is the one that was asked for.
fitting() {
    usable $VENV/bin/python || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version $VENV/bin/python)" ]
}

# Programs in it name their interpreter by its path: not so after the checkout was moved or copied.
in_place() { grep -qsF "$(pwd -P)/$VENV/" $VENV/bin/pip; }

make_venv() {
    fitting && has_pip && in_place && return
    choose_python
    say "making $VENV with $("$found" --version) ($(command -v "$found"))"
    if ! "$found" -m venv --clear $VENV >/dev/null 2>&1; then
        "$found" -m venv --clear --without-pip $VENV || die "$found -m venv $VENV failed, see above"
        add_pip "$found"
    fi
}

# What the environment is made from, and where.
setup_key() { (cat requirements/*.txt pyproject.toml && pwd -P) | cksum; }

is_current() {
    [ -r $STAMP ] && [ -x $VENV/bin/podmatrix ] || return 1
    read -r made key <$STAMP
    [ "$key" = "$(setup_key)" ] || return 1
    [ "$made" = dev ] || [ "$made" = "$1" ] || return 1
    fitting
}

venv() {
    level=${1:-test}
    is_current "$level" && return
    [ -w . ] || die "$(pwd) cannot be written by $(id -un): make a clone of your own"
    [ ! -e $VENV ] || [ -w $VENV ] \
        || die "$VENV belongs to another user: remove it, or make a clone of your own"
    # Two runs at a time would spoil it.
    if command -v flock >/dev/null; then
        exec 9<"$0"
        flock 9
        is_current "$level" && return
    fi
    make_venv
    rm -f $STAMP
    say "installing requirements/$level.txt"
    $VENV/bin/python -m pip install -q --require-hashes -r "requirements/$level.txt" \
        || die "the locked dependencies could not be installed, see above: needed are a package" \
            "index (as pip is configured) and Python 3.11 or newer"
    # setuptools is locked too, so that this needs no network.
    $VENV/bin/python -m pip install -q --no-index --no-deps --no-build-isolation -e . \
        || die "podmatrix itself could not be installed, see above"
    echo "$level $(setup_key)" >$STAMP
}

# ---------------------------------------------------------------- system tools

# "tool package" of each that is missing, by the product's own list. Busybox stands in for ip, ping,
# nsenter and others on Alpine, without what the lab needs of them: not counted.
missing_tools() {
    PYTHONPATH=src "$found" -B - "$(family)" <<'EOF'
import shutil
import sys
from pathlib import Path

from podmatrix.lab.tools import missing_tools


def which(name: str, path: str | None = None) -> str | None:
    found = shutil.which(name, path=path)
    if found and name != "busybox" and Path(found).resolve().name.startswith("busybox"):
        return None
    return found


for tool in missing_tools(which=which):
    print(tool.name, getattr(tool, sys.argv[1], ""))
EOF
}

column() { printf '%s\n' "$1" | cut -d' ' -f"$2" | sort -u | tr '\n' ' ' | sed 's/ *$//'; }

tools() {
    [ "$(uname -s)" = Linux ] || die "the embedded lab needs Linux, this is $(uname -s). Against a" \
        "real cluster the suites run here too: make venv && .venv/bin/pytest --kubeconfig=FILE"
    choose_python
    missing=$(missing_tools)
    [ -n "$missing" ] || return 0
    if can_install; then
        # shellcheck disable=SC2046
        install_packages $(column "$missing" 2) || true
        missing=$(missing_tools)
        [ -n "$missing" ] || return 0
    fi
    packages=$(column "$missing" 2)
    # Asked for now, so that one command is enough.
    [ "$(family)" != debian ] || "$found" -c 'import ensurepip' 2>/dev/null \
        || packages="$packages python3-venv"
    command=$(install_command "$packages")
    [ -n "$command" ] && cure="run \`$command\`" || cure="install them with this system's package manager"
    die "missing: $(column "$missing" 1): $cure"
}

case ${1:-} in
    venv | tools) "$@" ;;
    *) die "usage: .ci/setup.sh venv [test|dev] | tools" ;;
esac
