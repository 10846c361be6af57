# shellcheck shell=bash
# Sourced by apache/serve, apache/install and tests/setup: the folders of a server on this host, and by whom things are done.
#
# As root: code and virtual environment lie in /opt/tidegauge/$PORT and everything runs as the user tidegauge. Otherwise: the
# clone and its .venv, as you are.
set -euo pipefail
umask 022

say() { echo "tidegauge: $*"; }
fail() { say "$@" >&2; exit 1; }

clone=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export TIDEGAUGE_PORT=${TIDEGAUGE_PORT:-8080}
port=$TIDEGAUGE_PORT
[[ $port =~ ^[1-9][0-9]{,4}$ && $port -lt 65535 ]] || fail "the port is '$port': expected a number from 1 to 65534"

# Where your dashboard files are; as root they are copied.
dashboards=$(realpath -m -- "${TIDEGAUGE_DASHBOARDS:-$clone/my-dashboards}")
if ((EUID == 0)); then
    home=/opt/tidegauge/$port venv=$home/venv
    run=${TIDEGAUGE_RUN:-/run/tidegauge-$port}
    log=/var/log/tidegauge-$port.log data=/var/lib/tidegauge/$port
    served_dashboards=$home/my-dashboards
    user=(setpriv --reuid=tidegauge --regid=tidegauge --init-groups env HOME=/var/lib/tidegauge)
else
    home=$clone venv=$home/.venv
    run=${TIDEGAUGE_RUN:-${XDG_RUNTIME_DIR:-/dev/shm}/tidegauge-$port}
    log=${XDG_STATE_HOME:-$HOME/.local/state}/tidegauge/$port.log
    data=${XDG_DATA_HOME:-$HOME/.local/share}/tidegauge/$port
    served_dashboards=$dashboards
    user=()
fi
export log served_dashboards
export TIDEGAUGE_ROOT=$home TIDEGAUGE_VENV=$venv TIDEGAUGE_RUN=$run
export TIDEGAUGE_JOURNAL=${TIDEGAUGE_JOURNAL:-$data/journal.sqlite}
export TIDEGAUGE_JOURNAL_COPY=${TIDEGAUGE_JOURNAL_COPY:-$data/copy.sqlite}

# /dev/shm is everybody's: whose folder this is, tells whose pid files lie in it.
[[ $EUID == 0 || ! -e $run || (-O $run && ! -L $run) ]] ||
    fail "$run belongs to somebody else: set TIDEGAUGE_RUN to a folder of yours"

# Whatever is the product's or a package's runs through this, also what touches files and processes of that user.
as_user() { "${user[@]}" "$@"; }

# own FOLDER...: make folders that belong to the user.
own() { if ((${#user[@]})); then install -d -o tidegauge -g tidegauge "$@"; else mkdir -p "$@"; fi; }
