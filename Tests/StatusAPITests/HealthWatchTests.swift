import Foundation
import Logging
import Support
import TestSupport
import Testing

@testable import StatusAPI

@Suite("What is known of the dependencies when nobody asks")
struct HealthWatchTests {
    @Test func sinceIsWhenAPeerWentDownAndTheReturnOfTheDatabaseIsLogged() async throws {
        let isUp = Mutex(true)
        let questions = Mutex(0)
        let probes = Dependency.listed.map { dependency in
            HealthProbe(dependency: dependency) {
                questions.withLock { $0 += 1 }
                return isUp.withLock { $0 }
            }
        }
        let monitor = HealthMonitor(probes: probes, freshness: .milliseconds(10))
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        let watch = Task {
            try await HealthWatch(health: monitor, logger: logger, interval: .milliseconds(20)).run()
        }
        func count() -> Int { questions.withLock { $0 } }
        try await eventually("a first look") { count() >= 2 * probes.count }
        isUp.withLock { $0 = false }
        let down = Date()
        try await eventually("word of the outage") { log.lines.contains { $0.contains("The database is away") } }
        let later = Date()
        let asked = count()
        try await eventually("further looks") { count() >= asked + 4 * probes.count }
        let since = try #require(await monitor.states()[.notionWriter]?.since)
        #expect((down...later).contains(since), "not when somebody looked")
        isUp.withLock { $0 = true }
        try await eventually("word of the return") { log.lines.contains { $0.contains("The database is back") } }
        watch.cancel()
        _ = await watch.result
    }
}
