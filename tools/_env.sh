# shellcheck shell=sh
# The environment of tools/run, tools/test and .ci/run; sourced, with `root` and `tool` set.
#   PYTHON        the interpreter to make it with (default: the first Python >= 3.11 found)
#   XLA_EVO_VENV  where it is (default: .venv in the repository)

tool=${tool:-tools}
root=${root:?set by the script that sources this}
venv=${XLA_EVO_VENV:-$root/.venv}

fail() {
    echo "$tool: $1" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Prints a Python >= 3.11, or fails.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer found; install one, or set PYTHON to its path"
}

# Runs a command with its output in the log; on failure says `$1` and the line that tells why.
logged() {
    what=$1
    shift
    if ! "$@" >>"$log" 2>&1; then
        reason=$(grep -oE '(ERROR|Error): .*' "$log" | tail -n 1)
        if grep -qE 'NewConnectionError|name resolution|ProxyError|Timeout|versions: none' "$log"; then
            reason="${reason:+$reason; }the package index cannot be reached or lacks it:"
            reason="$reason check the network and pip's settings"
        fi
        fail "$what failed: ${reason:-see the log} (log: $log)"
    fi
}

# Prints what is installed ("dev ..." or "run ...") when it is what `$1` asks for.
is_installed() {
    [ -x "$venv/bin/python" ] && [ -f "$stamp" ] || return 1
    recorded=$(cat "$stamp")
    case $recorded in
    "dev $wanted" | "$1 $wanted") return 0 ;;
    esac
    return 1
}

# Waits until no other process installs into this environment.
take_lock() {
    lock=$venv.lock
    told=
    mkdir -p "$(dirname -- "$lock")" 2>/dev/null || true
    until mkdir "$lock" 2>/dev/null; do
        [ -d "$(dirname -- "$lock")" ] && [ -w "$(dirname -- "$lock")" ] ||
            fail "cannot write to $(dirname -- "$lock"): set XLA_EVO_VENV to a folder that you own"
        holder=$(cat "$lock/pid" 2>/dev/null || true)
        if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
            rm -rf "$lock" # its process was killed
            continue
        fi
        [ -n "$told" ] || echo "$tool: waiting for another installation into $venv" >&2
        told=yes
        sleep 1
    done
    trap 'rm -rf "$lock"' EXIT
    trap 'exit 130' INT TERM
    echo $$ >"$lock/pid"
}

# ensure_env run|dev: makes the environment and installs the project, when something has changed.
ensure_env() {
    stamp=$venv/xla-evo.stamp
    recorded=
    wanted="$(cksum <"$root/pyproject.toml") $root"
    if is_installed "$1"; then
        return
    fi
    take_lock
    if ! is_installed "$1"; then
        install_env "$1"
    fi
    rm -rf "$lock"
    trap - EXIT INT TERM
}

install_env() {
    log=$(mktemp "${TMPDIR:-/tmp}/xla-evo-install.XXXXXX") || fail "cannot write to ${TMPDIR:-/tmp}"
    if [ ! -x "$venv/bin/python" ]; then
        python=$(find_python) || exit 1
        echo "$tool: making an environment in $venv with $("$python" -V 2>&1)" >&2
        logged "making the environment" "$python" -m venv --clear "$venv"
    elif [ -f "$stamp" ] && [ "${recorded%% *}" = dev ]; then
        set -- dev
    fi
    project=$root
    if [ "$1" = dev ]; then
        project="${root}[dev]"
    fi
    echo "$tool: installing xla-evo and what it needs; this takes a few minutes the first time" >&2
    logged "installing" "$venv/bin/python" -m pip install --disable-pip-version-check -e "$project"
    echo "$1 $wanted" >"$stamp"
    rm -f "$log"
}
