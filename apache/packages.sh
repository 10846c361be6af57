# shellcheck shell=bash
# Sourced by apache/install and tests/setup, after host.sh: Debian's packages, and Python's in a virtual environment.
#
# pip, which Debian's Python brings: uv takes 17 s where pip takes 32 s, most of them for mod_wsgi's compiler, but pip would have
# to install it first, and both run only where something has changed.

# need PACKAGE...: install those Debian packages that are missing. Services that they bring are not started now.
need() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    local sudo=() refusal=/usr/sbin/policy-rc.d failed=
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "as root, type: apt-get install --no-install-recommends ${missing[*]}"
        sudo=(sudo)
    fi
    say "installing ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    # Debian's way to say so; where there is one already, it is somebody's own decision.
    if [[ -e $refusal ]]; then refusal=; else
        "${sudo[@]}" install -m 755 /dev/stdin "$refusal" <<<$'#!/bin/sh\nexit 101'
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" || failed=1
    [[ -z $refusal ]] || "${sudo[@]}" rm "$refusal"
    [[ -z $failed ]] || fail "apt-get could not install ${missing[*]}"
}

# The server alone (apache2 would start another one on port 80), and what mod_wsgi is built with.
need_apache() { need apache2-bin apache2-dev gcc python3-dev python3-venv; }

# shellcheck disable=SC2154 # venv is host.sh's
# build_venv LOCK [REQUIREMENTS]: make the virtual environment $venv from requirements/LOCK of the working folder, and from
# REQUIREMENTS if there is such a file, unless these very files made the one that is there; $python is then in the one to use. It is
# built beside the old one, which a server may be running from; `use_venv` puts it in its place. From Debian's own Python: others
# may lie where Apache's user cannot read, or lack the shared library that mod_wsgi is linked to.
#
# dev.txt has all of serve.txt, so an environment that was made from it serves, too: an ordinary user has one for both, and a
# server that a test starts must not replace what the test runs in.
build_venv() {
    local lock=requirements/$1 yours=${2:-} new=$venv.new made_from
    made_from=$(/usr/bin/python3 -V; sha256sum requirements/{build,serve}.txt "$lock")
    [[ ! -f $yours ]] || made_from+=$'\n'$(sha256sum <"$yours")
    rm -rf "$new"
    python=$venv/bin/python
    if [[ -f $venv/made-from ]] && ! grep -qvxFf "$venv/made-from" <<<"$made_from"; then return 0; fi

    say "installing Python packages in $venv"
    own "$new"
    as_user /usr/bin/python3 -m venv "$new"
    python=$new/bin/python
    local pip=(as_user "$python" -m pip --quiet --disable-pip-version-check install)
    "${pip[@]}" --require-hashes -r requirements/build.txt
    # No cache: pip would take a mod_wsgi that was built for another Python of the same version.
    "${pip[@]}" --require-hashes --no-cache-dir --no-build-isolation --use-pep517 -r "$lock"
    if [[ -f $yours ]]; then
        # What Tidegauge pins they cannot move: pip explains the conflict.
        as_user "$python" -m pip freeze | as_user tee "$new/pinned.txt" >/dev/null
        "${pip[@]}" --constraint "$new/pinned.txt" -r "$yours"
    fi
    as_user find "$new/bin" -type f -exec sed -i "s|$new|${venv//[&|\\]/\\&}|g" {} +
    as_user tee "$new/made-from" <<<"$made_from" >/dev/null
    # The server must not be able to change what it runs.
    ((EUID != 0)) || chown -R root:root "$new"
}

# use_venv: put what `build_venv` has built, if anything, in its place.
use_venv() { [[ ! -d $venv.new ]] || exchange "$venv.new" "$venv"; }

# exchange NEW OLD: put NEW in OLD's place. A folder is gone for a moment only, and never half there.
exchange() {
    rm -rf "$2.old"
    [[ ! -d $2 ]] || mv "$2" "$2.old"
    mv "$1" "$2"
    rm -rf "$2.old"
}
