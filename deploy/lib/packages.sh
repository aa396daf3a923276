# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# What the machine needs: a Swift toolchain, which must be there, and a few packages, which are installed when missing.
# Sourced by bash after output.sh.

oldest_swift=6.2

# require_swift: ends the script unless a new enough `swift` is on the PATH.
require_swift() {
    local advice="Install it from https://www.swift.org/install/linux/"
    if ! command -v swift >/dev/null; then
        if [[ -n "${SUDO_USER:-}" ]]; then
            advice="sudo takes the PATH away: run this without sudo (it uses sudo itself where it must), or sudo env \"PATH=\$PATH\" $0"
        fi
        die "swift was not found; Swift $oldest_swift or newer is needed. $advice"
    fi
    local text version
    text=$(swift --version 2>/dev/null </dev/null) || die "swift --version does not work: $(swift --version 2>&1 </dev/null | tail -n 1)"
    version=$(sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' <<<"$text" | head -n 1)
    [[ -n "$version" ]] || die "the version of swift cannot be told from: $text"
    if [[ "$(printf '%s\n' "$oldest_swift" "$version" | sort -V | head -n 1)" != "$oldest_swift" ]]; then
        die "Swift $version is too old; Swift $oldest_swift or newer is needed. $advice"
    fi
}

# server_bin: prints the folder of the newest PostgreSQL server's programs; fails if there is none.
server_bin() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    if [[ -x "$initdb" ]]; then
        dirname "$initdb"
    elif initdb=$(command -v initdb) && [[ -x "$(dirname "$(readlink -f "$initdb")")/postgres" ]]; then
        dirname "$(readlink -f "$initdb")"
    else
        return 1
    fi
}

# missing_packages: prints the Debian packages that are needed and not there.
missing_packages() {
    local package
    for package in libpq-dev libcurl4-openssl-dev libssl-dev; do
        dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || echo "$package"
    done
    # A server and a client of any origin will do.
    if ! server_bin >/dev/null || ! command -v psql >/dev/null; then echo postgresql; fi
    command -v git >/dev/null || echo git
}

# install_packages: installs what is missing; ends the script with the command to type where that is not possible.
install_packages() {
    if ! command -v dpkg >/dev/null || ! command -v apt-get >/dev/null; then
        note "this is no Debian or Ubuntu: libpq, libcurl, OpenSSL (with headers) and a PostgreSQL server must be there"
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0
    step "Installing ${missing[*]}"
    if ((EUID == 0)); then
        install_as_root "${missing[@]}"
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        sudo bash -euo pipefail -c "$(declare -f install_as_root apt_get keep_main_cluster_away let_main_cluster_be); install_as_root \"\$@\"" \
            install "${missing[@]}"
    else
        die "packages are missing, and this user cannot install them. As root, run:
    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    fi
}

# The functions below run as root.

apt_get() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

install_as_root() (
    apt_get update || echo "    apt-get update failed; trying with the package lists that are there" >&2
    case " $* " in
        *' postgresql '*)
            trap let_main_cluster_be EXIT
            keep_main_cluster_away
            ;;
    esac
    apt_get install -y --no-install-recommends "$@" >/dev/null
)

# Debian's package makes a cluster on port 5432 when it is installed for the first time. Nobody asked for one, so a
# drop-in says no while the installation goes on. A server that is already there is left alone.
keep_main_cluster_away() {
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/zz-sync-service.conf
}

let_main_cluster_be() {
    rm -f /etc/postgresql-common/createcluster.d/zz-sync-service.conf
    rmdir --ignore-fail-on-non-empty /etc/postgresql-common/createcluster.d
}
