# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the sourcing script
# What deploy/demo checks, by the peers' own counts and the tables. Sourced by bash; uses the variables of deploy/demo.
# JSON is read by PostgreSQL, so that no other program is needed.

failures=0

# check TEXT ACTUAL EXPECTED
check() {
    if [[ "$2" == "$3" ]]; then
        passed "$1"
    else
        failed "$1: expected ${3:-nothing}, found ${2:-nothing}"
        failures=$((failures + 1))
    fi
}

# job_field JOB COLUMN
job_field() {
    cluster_query "$database" -v job="$1" -v column="$2" <<'SQL'
SELECT to_jsonb(j) ->> :'column' FROM sync_jobs j WHERE job_id = :'job';
SQL
}

job_seconds() {
    cluster_query "$database" -v job="$1" <<'SQL'
SELECT round(extract(epoch FROM completed_at - created_at)::numeric, 3) FROM sync_jobs WHERE job_id = :'job';
SQL
}

# writer_calls METHOD [STATUS]: how many calls of the Notion Writer there were, with any status or with one.
writer_calls() {
    local report
    report=$(http GET "$writer_port" /simulator/requests) || die "the simulator does not answer"
    cluster_query "$database" -v report="$report" -v method="$1" -v status="${2:-}" <<'SQL'
SELECT coalesce(sum(calls.count::int), 0)
FROM jsonb_each(:'report'::jsonb #> '{writer,routes}') AS route (name, statuses),
     jsonb_each_text(route.statuses) AS calls (status, count)
WHERE route.name LIKE :'method' || ' /internal/%' AND :'status' IN ('', calls.status);
SQL
}

check_full_sync() {
    notes=$(job_field "$full_job" total_notes)
    created=$(writer_calls POST 201)
    ((notes > 0)) || die "there is no note to sync in $takeout (trashed and archived ones are left out)"
    check "the job is completed" "$(job_field "$full_job" status)" completed
    check "all $notes notes were processed" "$(job_field "$full_job" processed_notes)" "$notes"
    check "no note failed" "$(job_field "$full_job" failed_notes)" 0
    check "the Notion Writer was asked for one page per note" "$(writer_calls POST)" "$notes"
    check "and created them" "$created" "$notes"
    check "no page was written twice" "$(writer_calls PATCH)" 0
    check "sync_state holds one page for each note" "$(
        cluster_query "$database" -v user_id="$user" <<'SQL'
SELECT count(DISTINCT notion_page_id) FROM sync_state WHERE user_id = :'user_id';
SQL
    )" "$notes"
}

# touch_notes: edits three notes in the simulated Keep, and remembers which and when.
touch_notes() {
    local answer
    edits=3
    if ((notes < 3)); then edits=$notes; fi
    edited_after=$(cluster_query "$database" -c "SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    answer=$(http POST "$keep_port" "/simulator/notes/touch?count=$edits") || die "the simulator does not answer"
    edited=$(
        cluster_query "$database" -v answer="$answer" <<'SQL'
SELECT string_agg(id, ' ' ORDER BY id) FROM jsonb_array_elements_text(:'answer'::jsonb -> 'ids') AS id;
SQL
    )
    note "edited: $edited"
}

check_incremental_sync() {
    updated=$(writer_calls PATCH 200)
    fetched=$(job_field "$incremental_job" total_notes)
    check "the job is completed" "$(job_field "$incremental_job" status)" completed
    check "no note failed" "$(job_field "$incremental_job" failed_notes)" 0
    check "the Notion Writer was asked for exactly $edits updates" "$(writer_calls PATCH)" "$edits"
    check "and made them" "$updated" "$edits"
    check "no page was created" "$(writer_calls POST)" "$notes"
    check "the pages written are those of the edited notes" "$(
        cluster_query "$database" -v user_id="$user" -v edited_after="$edited_after" <<'SQL'
SELECT string_agg(keep_note_id, ' ' ORDER BY keep_note_id)
FROM sync_state WHERE user_id = :'user_id' AND last_synced_at >= :'edited_after'::timestamp;
SQL
    )" "$edited"
}

# print_table: what the two jobs did, and how fast.
print_table() {
    local full_seconds incremental_seconds
    full_seconds=$(job_seconds "$full_job")
    incremental_seconds=$(job_seconds "$incremental_job")
    printf '\n'
    row '' 'full sync' incremental
    row notes "$notes" "$fetched"
    row 'pages created' "$created" "$(($(writer_calls POST 201) - created))"
    row 'pages updated' 0 "$updated"
    row skipped "$((notes - created - $(job_field "$full_job" failed_notes)))" \
        "$((fetched - updated - $(job_field "$incremental_job" failed_notes)))"
    row failed "$(job_field "$full_job" failed_notes)" "$(job_field "$incremental_job" failed_notes)"
    row seconds "$full_seconds" "$incremental_seconds"
    row notes/s "$(rate "$notes" "$full_seconds")" "$(rate "$fetched" "$incremental_seconds")"
    printf '\n'
}

row() { printf '    %-14s %12s %12s\n' "$1" "$2" "$3"; }

rate() { awk -v notes="$1" -v seconds="$2" 'BEGIN { printf "%.1f", (seconds > 0 ? notes / seconds : 0) }'; }
