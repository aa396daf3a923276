# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# A private PostgreSQL cluster: own folder, own port on 127.0.0.1, own socket folder. Sourced by bash after output.sh and
# packages.sh; $state (a git-ignored folder) and $logs (a folder) must be set.
#
# Over TCP a password is asked for (scram-sha-256); the socket folder belongs to the server's user alone and needs none.
# As root the server runs as an ordinary user, since PostgreSQL refuses to run as root. $state/cluster holds the folder
# of the data and the socket, which carries a mark, so that nothing else is ever removed.

cluster_mark=.sync-service-cluster

# as_server COMMAND...: runs COMMAND as the server's user, in a folder that every user can be in.
as_server() {
    if [[ "$(id -un)" == "$cluster_user" ]]; then
        (cd / && "$@")
    else
        (cd / && runuser -u "$cluster_user" -- "$@")
    fi
}

# cluster_choose_user: sets cluster_user.
cluster_choose_user() {
    cluster_user=$(id -un)
    if ((EUID == 0)); then
        cluster_user=nobody
        if id postgres >/dev/null 2>&1; then cluster_user=postgres; fi
    fi
}

# cluster_make_folder: sets cluster_folder, a fresh one inside $state if the server's user can reach it and sockets in it
# have names of at most 107 bytes, else under /var/tmp.
cluster_make_folder() {
    cluster_folder=$state/server
    local socket="$cluster_folder/socket/.s.PGSQL.65535.lock"
    mkdir -p "$cluster_folder"
    if ((EUID == 0)); then chmod 755 "$state"; fi
    if ((${#socket} > 107)) || ! as_server test -x "$cluster_folder"; then
        rmdir "$cluster_folder"
        cluster_folder=$(mktemp -d /var/tmp/sync-service.XXXXXX)
        note "the database is kept in $cluster_folder, since $state is out of the server's reach"
    fi
    touch "$cluster_folder/$cluster_mark"
    mkdir "$cluster_folder/data" "$cluster_folder/socket"
    chmod 700 "$cluster_folder/data" "$cluster_folder/socket"
    if [[ "$(id -un)" != "$cluster_user" ]]; then chown -R "$cluster_user" "$cluster_folder"; fi
    echo "$cluster_folder" >"$state/cluster"
}

# free_port: prints a port of 127.0.0.1 on which nothing listens.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    return 1
}

# cluster_start: makes and starts a fresh cluster with an empty database of name $1. Sets cluster_url (with password, for
# the programs) and cluster_socket, cluster_port (for psql).
cluster_start() {
    local database=$1 password
    bin=$(server_bin) || die "no PostgreSQL server was found"
    cluster_choose_user
    cluster_make_folder
    cluster_socket=$cluster_folder/socket
    password=$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')
    cluster_initialize "$password"
    cluster_launch
    cluster_query postgres -c "CREATE DATABASE \"$database\"" >/dev/null
    cluster_url="postgresql://postgres:$password@127.0.0.1:$cluster_port/$database"
}

cluster_initialize() {
    local data=$cluster_folder/data secret=$cluster_folder/password
    (umask 077 && printf '%s\n' "$1" >"$secret")
    if [[ "$(id -un)" != "$cluster_user" ]]; then chown "$cluster_user" "$secret"; fi
    as_server "$bin/initdb" -D "$data" -U postgres --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --no-sync --no-instructions \
        >"$logs/postgresql-initdb.log" 2>&1 </dev/null || die "initdb failed; see $logs/postgresql-initdb.log"
    rm -f "$secret"
}

# cluster_launch: starts the server; another port is tried when someone else was quicker to take the one chosen.
cluster_launch() {
    local log=$cluster_folder/server.log
    for _ in {1..5}; do
        cluster_port=$(free_port) || die "no free port was found"
        if as_server "$bin/pg_ctl" -D "$cluster_folder/data" -l "$log" -w -t 60 -s \
            -o "-c listen_addresses=127.0.0.1 -c timezone=UTC -c port=$cluster_port -c unix_socket_directories='$cluster_socket'" \
            start </dev/null >"$logs/postgresql-start.log" 2>&1 9>&-; then
            return 0
        fi
        grep -q 'could not bind\|Address already in use' "$log" || break
    done
    tail -n 5 "$log" >&2 || true
    die "the PostgreSQL server did not start; see $log"
}

# cluster_query DATABASE ARGUMENTS...: runs psql over the private socket; unaligned, rows only, stops at an error.
cluster_query() {
    local database=$1
    shift
    psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$cluster_socket" -p "$cluster_port" -U postgres -d "$database" "$@"
}

# cluster_destroy: stops the cluster recorded in $state, be it of this run or of one that was killed, and removes it.
cluster_destroy() {
    [[ -f "$state/cluster" ]] || return 0
    local folder
    folder=$(cat "$state/cluster")
    if [[ -n "$folder" && -f "$folder/$cluster_mark" ]]; then
        cluster_choose_user
        if [[ -d "$logs" && -f "$folder/server.log" ]]; then cp "$folder/server.log" "$logs/postgresql.log"; fi
        # pg_ctl asks the process named in postmaster.pid; that one must be a server of this very folder.
        if cluster_is_running "$folder"; then
            as_server "$(server_bin)/pg_ctl" -D "$folder/data" -m fast -w -t 30 -s stop </dev/null >/dev/null 2>&1 \
                || as_server "$(server_bin)/pg_ctl" -D "$folder/data" -m immediate -w -t 30 -s stop </dev/null >/dev/null 2>&1 \
                || note "the PostgreSQL server in $folder could not be stopped"
        fi
        if ! cluster_is_running "$folder"; then rm -rf -- "$folder"; fi
    fi
    rm -f "$state/cluster"
}

# cluster_is_running FOLDER: whether the process in its postmaster.pid is alive and works in its data folder.
cluster_is_running() {
    local pid
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 1
    [[ -n "$pid" && "$(readlink "/proc/$pid/cwd" 2>/dev/null)" == "$(readlink -f "$1/data")" ]]
}
