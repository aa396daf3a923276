# shellcheck shell=bash disable=SC2154 # variables are shared with the sourcing script
# Deliberately broken workers: a copy of the sources with Tests/ChaosTests/Mutants/mutants.patch, built once; the environment
# says which fault it has. Sourced by bash after output.sh.

mutant_folder=$root/.build-mutants
mutant_worker=$mutant_folder/build/debug/sync-worker
mutant_patch=Tests/ChaosTests/Mutants/mutants.patch

# build_mutants: builds the patched sync-worker, if sources or patch have changed since.
build_mutants() {
    step "Building the broken workers (some minutes the first time)"
    local source=$mutant_folder/source stamp now
    stamp=$mutant_folder/stamp
    now=$(find Package.swift Sources migrations "$mutant_patch" -type f -print0 | sort -z | xargs -0 cat | sha256sum)
    if [[ -x $mutant_worker && "$(cat "$stamp" 2>/dev/null)" == "$now" ]]; then
        note "built before"
        return
    fi
    rm -rf -- "$source" "$stamp"
    mkdir -p "$source"
    cp -a Package.swift Sources migrations "$source/"
    if [[ -f Package.resolved ]]; then cp -a Package.resolved "$source/"; fi
    apply_mutants "$source"
    keep_product "$source/Package.swift"
    with_progress "$mutant_folder/build.log" \
        swift build --package-path "$source" --scratch-path "$mutant_folder/build" --product sync-worker || {
        grep -E 'error:' "$mutant_folder/build.log" | head -n 10 || true
        die "the patched sources do not build ($mutant_folder/build.log): $(refresh_advice)"
    }
    echo "$now" >"$stamp"
}

# apply_mutants SOURCE: outside of the repository as far as git knows, which would skip an ignored folder without a word.
apply_mutants() {
    GIT_CEILING_DIRECTORIES=$mutant_folder git -C "$1" apply "$root/$mutant_patch" \
        || die "$mutant_patch does not apply to the sources any more: $(refresh_advice)"
    [[ -f $1/Sources/JobQueue/Mutant.swift ]] || die "$mutant_patch was not applied to $1"
}

# keep_product MANIFEST: leaves out the test targets, whose folders are not copied, and the benchmark, which uses one of them.
keep_product() {
    cat >>"$1" <<'SWIFT'

package.products.removeAll { $0.name == "sync-bench" }
package.targets.removeAll { $0.path?.hasPrefix("Tests/") == true || $0.type == .test || $0.name == "SyncBench" }
SWIFT
}

refresh_advice() {
    cat <<TEXT
bring it up to date, in a clean checkout (CONTRIBUTING.md, The attack):
    git apply --3way $mutant_patch    # settle the conflicts as after a merge
    git add Sources && git diff --cached -- Sources >/tmp/mutants.patch
    git reset -q --hard && mv /tmp/mutants.patch $mutant_patch
TEXT
}

# attack_mutants: runs seeds against each mutant until it is caught for the reason it should be.
attack_mutants() {
    local mutant rules attackers escaped=()
    while read -r mutant rules attackers; do
        if [[ -z $mutant || $mutant == '#'* ]]; then continue; fi
        step "$mutant: until $rules"
        "$programs/ChaosRunner" --seeds "$seeds" --first "$first" --parallel "$parallel" \
            --until "$rules" ${attackers:+--attackers "$attackers"} --mutant "$mutant" --worker "$mutant_worker" </dev/null || escaped+=("$mutant")
    done <Tests/ChaosTests/Mutants/expected
    if ((${#escaped[@]})); then die "not caught within $seeds seeds: ${escaped[*]}"; fi
    step "Every mutant was caught"
}
