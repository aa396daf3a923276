extension PostgresQuery {
    /// How the server is to plan a statement.
    public enum Planning: Sendable {
        /// As the server thinks best, by what it knows of the tables.
        case free
        /// Without reading whole tables and without sorting, for a statement that finds its rows by index, a few at a
        /// time.
        ///
        /// Otherwise the plan depends on when it was made: for a table that is empty, or has grown since it was last
        /// analyzed, the planner takes a scan and a sort for as good as an index. A claim of 100 jobs out of 20,000
        /// then sorts all 20,000. JIT is off as well: a plan that has no choice but a forbidden node counts as so
        /// costly that it would be compiled. Plans are made for any values, so that a prepared statement is planned
        /// once a session.
        case byIndex
        /// As ``byIndex``, and waiting half a second for a lock at most: a statement that waits longer fails with
        /// `lockNotAvailable`.
        ///
        /// That is before PostgreSQL looks for deadlocks (`deadlock_timeout`, 1 s by default), so where such a
        /// statement and another session's wait for each other, the other is never the victim.
        case byIndexGivingWay
        /// Not at all, as COMMIT is not.
        case not
    }

    /// A statement to be planned by index. In a batch one such statement decides for all.
    public static func byIndex(_ query: PostgresQuery) -> PostgresQuery { query.planned(.byIndex) }

    /// A statement to be planned by index that gives way to other sessions' locks, see ``Planning/byIndexGivingWay``.
    /// In a batch one such statement decides for all.
    public static func byIndexGivingWay(_ query: PostgresQuery) -> PostgresQuery { query.planned(.byIndexGivingWay) }

    func planned(_ planning: Planning) -> PostgresQuery {
        var query = self
        query.planning = planning
        return query
    }
}

/// The settings behind ``PostgresQuery/Planning``.
enum PlanningSettings {
    private static let names = [
        "enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "enable_mergejoin", "jit",
    ]

    /// The statements that bring a session from one way of planning to another; none if there is nothing to change.
    ///
    /// - Parameter isLocal: for the rest of the transaction only.
    static func change(
        from old: PostgresQuery.Planning,
        to new: PostgresQuery.Planning,
        isLocal: Bool
    ) -> [PostgresQuery] {
        switch (old, new) {
        case (_, old), (_, .not): []
        case (.byIndexGivingWay, .byIndex): [reset("lock_timeout", isLocal: isLocal)]
        case (.byIndex, .byIndexGivingWay): [isLocal ? "SET LOCAL lock_timeout = 500" : "SET lock_timeout = 500"]
        case (_, .byIndex): [isLocal ? byIndexInTransaction : byIndexInSession]
        case (_, .byIndexGivingWay): [isLocal ? givingWayInTransaction : givingWayInSession]
        case (_, .free): isLocal ? freeInTransaction : freeInSession
        }
    }

    // One statement, which is less to parse than seven.
    private static let byIndexInTransaction = byIndex(isLocal: "true")
    /// Such statements read what others have changed and look at it again under lock, whatever isolation the database
    /// has as its default: for the transaction that this is the first statement of. SET LOCAL warns outside of a
    /// transaction block, which a batch is not; what is set here ends with the transaction all the same.
    static let readCommitted: PostgresQuery = "SET transaction_isolation TO 'read committed'"
    // For all transactions of the session that follow.
    private static let byIndexInSession = byIndex(
        isLocal: "false",
        ", set_config('default_transaction_isolation', 'read committed', false)"
    )
    private static let givingWayInTransaction = byIndex(isLocal: "true", ", set_config('lock_timeout', '500', true)")
    private static let givingWayInSession = byIndex(
        isLocal: "false",
        ", set_config('default_transaction_isolation', 'read committed', false), set_config('lock_timeout', '500', false)"
    )
    private static let freeInTransaction = all.map { reset($0, isLocal: true) }
    private static let freeInSession = all.map { reset($0, isLocal: false) }
    private static let all = names + ["plan_cache_mode", "lock_timeout"]

    /// To what the server, the database or the role says, not what PostgreSQL comes with.
    private static func reset(_ name: String, isLocal: Bool) -> PostgresQuery {
        PostgresQuery(stringLiteral: isLocal ? "SET LOCAL \(name) TO DEFAULT" : "RESET \(name)")
    }

    private static func byIndex(isLocal: String, _ further: String = "") -> PostgresQuery {
        let names = names.map { "'\($0)'" }.joined(separator: ", ")
        return PostgresQuery(
            stringLiteral: """
                SELECT set_config('plan_cache_mode', 'force_generic_plan', \(isLocal)),
                    count(set_config(setting, 'off', \(isLocal)))\(further)
                FROM unnest(ARRAY[\(names)]) AS setting
                """
        )
    }
}
