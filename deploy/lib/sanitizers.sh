# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# Builds with AddressSanitizer or ThreadSanitizer, each in a folder of its own. Sourced by bash after output.sh.

# Suites whose tests measure times or start many programs: a sanitizer makes them several times slower, past their deadlines. And a
# test that measures memory, of which AddressSanitizer keeps what was freed for a while; and one that reads 50 MB byte by byte.
not_for_sanitizers='IntegrationTests|ChaosTests|PlanTests|StatusAPITests|SyncControlTests|PeerSimulatorTests|Nothing.is.left.of|aNoteOf50Megabytes|manyNotesCostTheMemory'

# use_sanitizer KIND: adds to $arguments what `swift test` needs. Programs that the tests start report too: each process writes a
# file of its own into $sanitizer_reports, and exits as it would have.
use_sanitizer() {
    local kind=$1 folder=$root/.build-$1
    case $kind in
        address | thread) ;;
        *) die "--sanitize is address or thread, and not '$kind'" ;;
    esac
    sanitizer_reports=$folder/reports
    rm -rf -- "$sanitizer_reports"
    mkdir -p "$sanitizer_reports"
    if ((${#arguments[@]} == 0)); then
        note "left out: $not_for_sanitizers; --filter runs what it names"
        arguments=(--skip "$not_for_sanitizers")
    fi
    arguments+=(--sanitize "$kind" --scratch-path "$folder")
    local common="log_path=\"$sanitizer_reports/report\" exitcode=0"
    if [[ $kind == thread ]]; then
        export SYNC_SANITIZE_THREADS=1
        export TSAN_OPTIONS="$common suppressions=\"$root/deploy/lib/thread-sanitizer.supp\""
    else
        export ASAN_OPTIONS="$common"
        export LSAN_OPTIONS="suppressions=\"$root/deploy/lib/leak-sanitizer.supp\" print_suppressions=0"
    fi
}

# sanitizer_findings: prints what was reported; fails if there is anything.
sanitizer_findings() {
    [[ -n "$(find "$sanitizer_reports" -type f -size +0)" ]] || return 0
    step "What the sanitizer found (whole: $sanitizer_reports)"
    find "$sanitizer_reports" -type f -exec grep -h "SUMMARY: " {} + | sort | uniq -c | sort -rn | head -n 40
    return 1
}
