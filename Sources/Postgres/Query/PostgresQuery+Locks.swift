extension PostgresQuery {
    /// Bounds how long the statements after this one in its transaction, or in its batch, wait for a lock each. One
    /// that waits longer fails with `lockNotAvailable`.
    ///
    /// Below `deadlock_timeout` (1 s by default) it makes sure that this transaction is the one that gives way when it
    /// and another wait for each other.
    ///
    /// Its row: `now`, the server's time.
    ///
    /// - Parameter limit: to the millisecond.
    public static func limitLockWait(_ limit: Duration) -> PostgresQuery {
        "SELECT set_config('lock_timeout', \("\(Int(limit / .milliseconds(1)))")::text, true), clock_timestamp() AS now"
    }
}
