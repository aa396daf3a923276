extension PostgresQuery {
    /// The first statement of a batch whose others find their rows by index, a few at a time: for the rest of the
    /// transaction no plan is made that reads whole tables.
    ///
    /// Without it the plan depends on when it was made: for a table that is empty, or has grown since it was last analyzed,
    /// the planner takes a scan and a sort for as good as an index. A claim of 100 jobs out of 20,000 then sorts all 20,000.
    /// JIT is off as well: a plan that has no choice but a forbidden node counts as so costly that it would be compiled.
    /// Plans are made for any values, so that a prepared statement is planned once a session.
    public static func planningByIndex() -> PostgresQuery {
        """
        SELECT set_config('plan_cache_mode', \("force_generic_plan"), true), count(set_config(setting, 'off', true))
        FROM unnest(ARRAY[
            'enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_hashjoin', 'enable_mergejoin', 'jit'
        ]) AS setting
        """
    }
}
