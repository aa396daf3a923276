# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# HTTP by bash alone, for the simulated peers on this machine. Sourced by bash after output.sh.

# http METHOD PORT PATH [JSON]: sends a request to 127.0.0.1, with a body of ASCII if one is given, and prints the body of a
# 2xx answer.
http() {
    local method=$1 port=$2 path=$3 body=${4:-} answer='' status
    exec 4<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
        "$method" "$path" "$port" "${body:+Content-Type: application/json$'\r\n'}" "${#body}" "$body" >&4
    # Ends at the end of the answer (or after 30 seconds), which `read` reports as a failure.
    IFS= read -r -d '' -t 30 answer <&4 || true
    exec 4>&-
    status=${answer#* }
    [[ "${status%% *}" == 2?? ]] || return 1
    printf '%s\n' "${answer#*$'\r\n\r\n'}"
}
