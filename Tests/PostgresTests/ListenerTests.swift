import Foundation
import Logging
import Postgres
import ServiceLifecycle
import TestSupport
import Testing

/// LISTEN, its recovery and its end.
@Suite(.database(), .timeLimit(.minutes(2)))
struct ListenerTests {
    private func makeListener(
        _ configuration: PostgresConfiguration,
        hearingInterval: Duration = .seconds(30)
    ) -> (PostgresListener, AsyncStream<PostgresListener.Event>) {
        let (events, continuation) = AsyncStream<PostgresListener.Event>.makeStream()
        let listener = PostgresListener(
            configuration: configuration,
            channels: ["jobs", "Odd \"channel\""],
            addressee: "é🙂",
            hearingInterval: hearingInterval,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { continuation.yield($0) }
        return (listener, events)
    }

    /// The next event as a text, without what is chance in it.
    private func next(_ iterator: inout AsyncStream<PostgresListener.Event>.Iterator) async -> String {
        switch await iterator.next(isolation: #isolation) {
        case .listening: "listening"
        case .notification(let channel, let isAddressed): "\(channel)\(isAddressed ? ": to me" : "")"
        case .disconnected(let error): "disconnected: \(error.code)"
        case .pooled: "pooled"
        case nil: "end"
        }
    }

    @Test func hearsNotificationsAndRecovers() async throws {
        let database = try TestDatabase.current
        let (listener, events) = makeListener(database.configuration)
        let running = Task { try await listener.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await next(&iterator) == "listening")
        try await database.pool.execute("SELECT pg_notify('jobs', 'first'), pg_notify('Odd \"channel\"', 'é🙂')")
        #expect(await next(&iterator) == "jobs")
        #expect(await next(&iterator) == "Odd \"channel\": to me")
        for round in 0..<2 {
            try await database.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^(LISTEN|NOTIFY)' AND datname = current_database()"
            )
            #expect(await next(&iterator) == "disconnected: connection lost")
            #expect(await next(&iterator) == "listening")
            try await database.pool.execute("SELECT pg_notify('jobs', \("again \(round)"))")
            #expect(await next(&iterator) == "jobs")
        }
        running.cancel()
        try await running.value
    }

    @Test func hearsItselfAndKeepsWhatArrivesMeanwhile() async throws {
        let database = try TestDatabase.current
        let (listener, events) = makeListener(database.configuration, hearingInterval: .milliseconds(20))
        let running = Task { try await listener.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await next(&iterator) == "listening")
        try await eventually {
            try await !database.pool.query(
                "SELECT FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = current_database()"
            ).isEmpty
        }
        for number in 0..<200 {
            try await database.pool.execute("SELECT pg_notify('jobs', \(String(number)))")
            #expect(await next(&iterator) == "jobs")
        }
        running.cancel()
        try await running.value
    }

    /// However many come at once, a channel is told of once, and that one of them was for the listener.
    @Test func manyAreToldOfAsOne() async throws {
        let database = try TestDatabase.current
        let (listener, events) = makeListener(database.configuration)
        let running = Task { try await listener.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await next(&iterator) == "listening")
        try await database.pool.execute(
            """
            SELECT pg_notify('jobs', CASE n WHEN 50000 THEN '' ELSE n::text END), pg_notify('other', n::text)
            FROM generate_series(1, 100000) AS n
            """
        )
        try await database.pool.execute("SELECT pg_notify('Odd \"channel\"', 'last')")
        var told: [String] = []
        while told.last != "Odd \"channel\"" { told.append(await next(&iterator)) }
        #expect(told.contains("jobs: to me"))
        #expect(told.count < 1000, "\(told.count) for 100,000")
        running.cancel()
        try await running.value
    }

    /// A stopped process keeps its socket open and says nothing, as a router that has forgotten the connection.
    @Test func noticesThatItHearsNothing() async throws {
        let database = try TestDatabase.current
        let (listener, events) = makeListener(database.configuration, hearingInterval: .milliseconds(100))
        let running = Task { try await listener.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await next(&iterator) == "listening")
        let rows = try await database.pool.query(
            "SELECT pid FROM pg_stat_activity WHERE query ~ '^(LISTEN|NOTIFY)' AND datname = current_database()"
        )
        let process: Int32 = try #require(rows.first).decode("pid")
        kill(process, SIGSTOP)
        defer { kill(process, SIGCONT) }
        let began = ContinuousClock.now
        #expect(await next(&iterator) == "disconnected: connection lost")
        #expect(.now - began < .seconds(10))
        #expect(await next(&iterator) == "listening")
        try await database.pool.execute("SELECT pg_notify('jobs', 'heard')")
        #expect(await next(&iterator) == "jobs")
        running.cancel()
        try await running.value
    }

    /// One for all: the notification by which a listener hears itself is heard by the others, which then need none.
    @Test func listenersHearEachOther() async throws {
        let database = try TestDatabase.current
        let (eager, _) = makeListener(database.configuration, hearingInterval: .milliseconds(50))
        let (calm, events) = makeListener(database.configuration, hearingInterval: .seconds(2))
        let running = Task { try await eager.run() }
        let calmly = Task { try await calm.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await next(&iterator) == "listening")
        let sent: PostgresQuery =
            "SELECT FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = current_database()"
        let end = ContinuousClock.now + .seconds(3)
        try await eventually(within: .seconds(20), "three seconds of notifications") {
            let count = try await database.pool.query(sent).count
            #expect(count <= 1)
            return .now > end
        }
        running.cancel()
        calmly.cancel()
        try await running.value
        try await calmly.value
    }

    @Test func startsBeforeTheServerAndEndsGracefully() async throws {
        let cluster = try await PrivateCluster.start()
        try await cluster.stop()
        let (listener, events) = makeListener(cluster.configuration(database: "postgres"))
        let group = ServiceGroup(services: [listener], logger: Logger(label: "test"))
        let running = Task { try await group.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await next(&iterator) == "disconnected: connection failed")
        try await cluster.start()
        var event = await next(&iterator)
        while event.hasPrefix("disconnected") { event = await next(&iterator) }
        #expect(event == "listening")
        await group.triggerGracefulShutdown()
        try await running.value
        try await cluster.remove()
    }
}
