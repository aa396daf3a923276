# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# Messages of the scripts. Sourced by bash.

# Decimal points and sort order must not depend on the caller's language.
export LC_ALL=C.UTF-8

if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' green='' red='' plain=''
fi

# step TEXT: the title of the next thing to be done.
step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }

# note TEXT: a detail of it.
note() { printf '    %s\n' "$*"; }

# passed TEXT / failed TEXT: the result of a check.
passed() { printf '    %sok%s      %s\n' "$green" "$plain" "$*"; }
failed() { printf '    %sFAILED%s  %s\n' "$red" "$plain" "$*"; }

# die TEXT: ends the script.
die() {
    printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
    exit 1
}

# with_progress LOG COMMAND...: runs COMMAND with its output in LOG and shows that it is alive. Returns its status.
# Meanwhile its process is in $building, for a trap to end it.
with_progress() {
    local log=$1 began=$SECONDS shown=0 pid status=0 last
    shift
    "$@" >"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    building=$pid
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        last=$(tail -n 1 "$log" | tr -d '\r' | cut -c 1-60)
        if [[ -t 1 ]]; then
            printf '\r    %4d s  %-60s' "$((SECONDS - began))" "$last"
        elif ((SECONDS - began - shown >= 15)); then
            shown=$((SECONDS - began))
            note "$shown s  $last"
        fi
    done
    wait "$pid" || status=$?
    building=''
    if [[ -t 1 ]]; then printf '\r%-78s\r' ''; fi
    return "$status"
}
