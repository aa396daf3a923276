import Logging
import NIOCore
import Postgres
import Support
import TestSupport
import Testing

@testable import Chaos
@testable import JobQueue

/// Reports of what becomes of a worker by the way it connects.
@Suite(.timeLimit(.minutes(2)))
struct ConnectionReportTests {
    private func configuration(_ queue: FieldQueue, through link: FaultyLink) -> PostgresConfiguration {
        var configuration = queue.database.configuration
        configuration.connectionString = "postgresql://postgres@127.0.0.1:\(link.port)/\(queue.database.name)"
        return configuration
    }

    /// pgbus #238
    @Test func aWorkerWhoseFirstListenFailsListensAllTheSame() async throws {
        let queue = try await FieldQueue()
        let link = try await FaultyLink.start(to: queue.database.cluster.port)
        link.holdAnswers(after: "LISTEN")
        try await queue.withWorker(
            queue.configuration("w", poll: .seconds(3600)),
            at: configuration(queue, through: link)
        ) {
            _ in
            .completed
        } while: {
            try await eventually(within: .seconds(20), "the first LISTEN") { link.state.condition == .holdAnswers }
            link.cut()
            link.set(.pass)
            try await queue.wait(for: try await queue.insert("ada"), .completed)
            try await eventually(within: .seconds(30), "another LISTEN") {
                try await queue.count("SELECT count(*) FROM sync_workers WHERE listening") == 1
            }
            // By the notification, as nothing is polled for.
            try await queue.wait(for: try await queue.insert("ada"), .completed, within: .seconds(10))
        }
        await link.stop()
    }

    /// river #205: PgBouncer refuses a connection that sets anything else as it starts.
    @Test func nothingIsSetAtTheStartThatAPoolerRefuses() async throws {
        let queue = try await FieldQueue()
        let starts = Mutex<[[String]]>([])
        let link = try await FaultyLink.start(to: queue.database.cluster.port) { buffer in
            guard let names = Self.startupParameters(buffer) else { return }
            starts.withLock { $0.append(names) }
        }
        try await queue.withWorker(queue.configuration("w"), at: configuration(queue, through: link)) { _ in
            .completed
        } while: {
            try await queue.wait(for: try await queue.insert("ada"), .completed)
            try await eventually("the listener's, too") {
                try await queue.count("SELECT count(*) FROM sync_workers WHERE listening") == 1
            }
        }
        await link.stop()
        let seen = starts.withLock { $0 }
        #expect(seen.count >= 3, "jobs, leases, LISTEN")
        for names in seen {
            #expect(names.contains("database"))
            #expect(Set(names).isSubset(of: ["user", "database", "application_name", "client_encoding"]), "\(names)")
        }
    }

    /// The names that a message of protocol version 3 sets which begins a session; nil: it is none.
    ///
    /// Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", section "Message Formats",
    /// StartupMessage.
    private static func startupParameters(_ buffer: ByteBuffer) -> [String]? {
        let bytes = Array(buffer.readableBytesView)
        guard bytes.count > 8, bytes[4...7].elementsEqual([0, 3, 0, 0]) else { return nil }
        let words = bytes[8...].split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        return stride(from: 0, to: words.count, by: 2).map { words[$0] }.filter { !$0.isEmpty }
    }
}
