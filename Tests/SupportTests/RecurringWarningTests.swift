import Logging
import Support
import Testing

struct RecurringWarningTests {
    private final class Lines: LogHandler, Sendable {
        let all = Mutex<[Logger.Metadata]>([])
        var logLevel: Logger.Level {
            get { .trace }
            set { _ = newValue }
        }
        var metadata: Logger.Metadata {
            get { [:] }
            set { _ = newValue }
        }
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { nil }
            set { _ = newValue }
        }
        func log(event: LogEvent) { all.withLock { $0.append(event.metadata ?? [:]) } }
    }

    @Test func itIsLoggedOnceAnIntervalWithTheNumberOfTheRest() {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in lines }
        let rare = RecurringWarning("The database is away.")
        for _ in 1...5 { rare.log(logger, ["error": "x"]) }
        #expect(lines.all.withLock { $0 } == [["error": "x"]])
        let frequent = RecurringWarning("The database is away.", interval: .zero)
        for _ in 1...2 { frequent.log(logger, [:]) }
        #expect(lines.all.withLock { $0.count } == 3, "what has waited its time is logged")
    }
}
