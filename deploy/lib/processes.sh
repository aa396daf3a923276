# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# The processes that a script starts. Each is recorded in $state/processes with its start time, so that only our own are
# ever stopped, also by the run after one that was killed. Sourced by bash after output.sh; $state must be set.

# started_at PID: the start time of a process in clock ticks since boot; fails if there is none.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name in parentheses may hold blanks; the start time is field 22, the 20th after it.
    awk '{ print $20 }' <<<"${stat##*) }"
}

# launch NAME COMMAND...: starts COMMAND in the background with its output in $logs/NAME.log.
launch() {
    local name=$1 pid
    shift
    # Descriptor 9 is the lock of the run and must end with this script.
    "$@" >"$logs/$name.log" 2>&1 </dev/null 9>&- &
    pid=$!
    echo "$pid $(started_at "$pid" || echo gone) $name" >>"$state/processes"
}

# is_ours PID START: whether PID is still the process that was recorded, and has not ended. By one look: it may end between two.
is_ours() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    [[ "$stat" != Z* && "$(awk '{ print $20 }' <<<"$stat")" == "$2" ]]
}

# ended_process: prints the name of a launched process that has ended; fails if all are alive.
ended_process() {
    local pid start name
    while read -r pid start name; do
        if ! is_ours "$pid" "$start"; then
            echo "$name"
            return 0
        fi
    done <"$state/processes"
    return 1
}

# stop_processes: ends everything recorded: SIGTERM, and SIGKILL to what is still there after 30 seconds.
stop_processes() {
    [[ -f "$state/processes" ]] || return 0
    local pid start name deadline
    while read -r pid start name; do
        if is_ours "$pid" "$start"; then kill -TERM "$pid" 2>/dev/null || true; fi
    done <"$state/processes"
    deadline=$((SECONDS + 30))
    while read -r pid start name; do
        while is_ours "$pid" "$start"; do
            if ((SECONDS >= deadline)); then
                note "$name did not stop in time and is killed"
                kill -KILL "$pid" 2>/dev/null || true
                break
            fi
            sleep 0.1
        done
        # Reaps it where it is our child, so that bash reports nothing later.
        wait "$pid" 2>/dev/null || true
    done <"$state/processes"
    rm -f "$state/processes"
}
