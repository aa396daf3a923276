# shellcheck shell=bash disable=SC2154 # variables are shared with the sourcing script
# What `deploy/test --full` needs besides: Chromium with its driver, spin and libfaketime (Debian packages), promtool, PgBouncer and a
# few Python packages, these three in .build and nowhere else. Sourced by bash after output.sh and packages.sh.

python_packages=(schemathesis==4.32.5 selenium==4.51.0 moto==5.2.5 flask==3.1.3 flask-cors==6.0.5
    botocore==1.44.5 standardwebhooks==1.1.0)

# install_test_tools: installs what is missing and names it in SYNC_TEST_PROMTOOL, SYNC_TEST_PGBOUNCER, SYNC_TEST_PYTHON,
# SYNC_TEST_SPIN and SYNC_TEST_FAKETIME.
install_test_tools() {
    local tools=$root/.build/test-tools
    mkdir -p "$tools"
    install_browser
    install_spin
    install_faketime
    find_promtool "$tools"
    find_pgbouncer "$tools"
    make_python "$tools"
}

install_browser() {
    if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then return; fi
    install_these chromium chromium-driver
}

# install_spin: the model checker, and a C compiler for what it writes. deploy/model uses both.
install_spin() {
    if ! command -v spin >/dev/null; then install_these spin; fi
    if ! command -v cc >/dev/null && ! command -v clang >/dev/null; then install_these gcc libc6-dev; fi
    SYNC_TEST_SPIN=$(command -v spin)
    export SYNC_TEST_SPIN
}

# install_faketime: a library by which a program sees another time.
install_faketime() {
    find_faketime || { install_these libfaketime && find_faketime; } || die "libfaketimeMT.so.1 was not found"
    export SYNC_TEST_FAKETIME
}

find_faketime() {
    SYNC_TEST_FAKETIME=$(compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' | head -n 1)
    [[ -n $SYNC_TEST_FAKETIME ]]
}

# install_these PACKAGE...: installs Debian packages as root, or says how to.
install_these() {
    step "Installing $*"
    if ! command -v apt-get >/dev/null; then
        die "this is no Debian or Ubuntu: install $* yourself, or leave --full out"
    elif ((EUID == 0)); then
        install_as_root "$@"
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        sudo bash -euo pipefail -c "$(declare -f install_as_root apt_get); install_as_root \"\$@\"" install "$@"
    else
        die "packages are missing, and this user cannot install them. As root, run:
    apt-get update && apt-get install -y --no-install-recommends $*"
    fi
}

find_promtool() {
    SYNC_TEST_PROMTOOL=$(command -v promtool || true)
    if [[ -z $SYNC_TEST_PROMTOOL ]]; then
        SYNC_TEST_PROMTOOL=$1/promtool
        extract_program prometheus ./usr/bin/promtool "$SYNC_TEST_PROMTOOL"
    fi
    export SYNC_TEST_PROMTOOL
}

find_pgbouncer() {
    SYNC_TEST_PGBOUNCER=$(PATH=$PATH:/usr/sbin command -v pgbouncer || true)
    if [[ -z $SYNC_TEST_PGBOUNCER ]]; then
        SYNC_TEST_PGBOUNCER=$1/pgbouncer
        extract_program pgbouncer ./usr/sbin/pgbouncer "$SYNC_TEST_PGBOUNCER"
        if ! "$SYNC_TEST_PGBOUNCER" --version >/dev/null 2>&1; then install_these libevent-2.1-7 libc-ares2; fi
    fi
    export SYNC_TEST_PGBOUNCER
}

# extract_program PACKAGE MEMBER FILE: one program out of a Debian package. Installed, the package would start a server.
extract_program() {
    local package=$1 member=$2 file=$3
    if [[ -x $file ]]; then return; fi
    step "Fetching ${file##*/}"
    (
        cd "$(dirname -- "$file")"
        apt-get -qq download "$package" >/dev/null || die "apt-get could not download the package $package; run apt-get update"
        dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x --strip-components=3 "$member"
        rm -f -- "$package"_*.deb
    )
}

# make_python TOOLS: a virtual environment with the packages at the versions named above.
make_python() {
    local python=$1/python
    if [[ "$(cat "$python/packages" 2>/dev/null)" != "${python_packages[*]}" ]]; then
        step "Installing ${python_packages[*]} into .build"
        rm -rf -- "$python"
        if ! python3 -m venv "$python" >/dev/null 2>&1; then
            install_these python3-venv
            python3 -m venv "$python"
        fi
        "$python/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}" </dev/null \
            || die "pip could not install ${python_packages[*]}"
        echo "${python_packages[*]}" >"$python/packages"
    fi
    export SYNC_TEST_PYTHON=$python/bin/python
}
