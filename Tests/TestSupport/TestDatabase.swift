import Logging
public import Postgres
public import Testing

/// A fresh database of a private cluster and a pool of connections to it.
public final class TestDatabase: Sendable {
    public let name: String
    public let cluster: PrivateCluster
    /// Opens its connections when they are needed.
    public let pool: PostgresPool

    @TaskLocal static var bound: TestDatabase?

    init(name: String, cluster: PrivateCluster, poolSize: Int) {
        self.name = name
        self.cluster = cluster
        pool = PostgresPool(configuration: cluster.configuration(database: name), size: poolSize, logger: quiet)
    }

    /// The database of the running test; throws if the test has no ``DatabaseTrait``.
    public static var current: TestDatabase {
        get throws {
            guard let bound else { throw SpawnError(description: "the test has no trait .database()") }
            return bound
        }
    }

    public var configuration: PostgresConfiguration { cluster.configuration(database: name) }

    public var connectionString: String { cluster.connectionString(database: name) }

    /// A connection outside the pool.
    public func connect() async throws -> PostgresConnection {
        try await PostgresConnection.connect(configuration, logger: quiet)
    }

    /// Ends all sessions and removes the database. Leases of the pool still out are not waited for.
    public func drop() async throws {
        try await cluster.dropDatabase(name)
    }
}

/// A trait that gives each test a database of its own, as ``TestDatabase/current``, and drops it afterwards.
public struct DatabaseTrait: TestTrait, SuiteTrait, TestScoping {
    let migrations: [Migration]

    public var isRecursive: Bool { true }

    @concurrent
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: migrations)
        let outcome: Result<Void, any Error>
        do {
            try await TestDatabase.$bound.withValue(database) { try await function() }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        try await database.drop()
        try outcome.get()
    }
}

extension Trait where Self == DatabaseTrait {
    /// A database of the test's own, with the migrations applied.
    public static func database(migrations: [Migration] = []) -> Self {
        DatabaseTrait(migrations: migrations)
    }
}
