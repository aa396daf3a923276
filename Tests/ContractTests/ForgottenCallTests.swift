import FlowControl
import Logging
import Support
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync

/// Calls that are waited for while their peer is silent, and back.
@Suite(.database(migrations: SyncSchema.migrations), .timeLimit(.minutes(1)))
struct ForgottenCallTests {
    private static let caller = GateName(.keepExtractor, .account, key: "ada")

    /// - Parameter conditions: what the peer answers when it is asked, the last one from then on.
    private static func watch(_ conditions: [PeerCondition]) throws -> PeerWatch {
        var configuration = FlowConfiguration.unpaced
        configuration.breaker = BreakerConfiguration()
        let flow = FlowControl(pool: try TestDatabase.current.pool, configuration: configuration)
        let answers = Mutex(conditions)
        return PeerWatch(
            flow: flow,
            claims: ClaimHold(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            patience: .milliseconds(120)
        ) { _ in
            answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        }
    }

    /// Makes a call that is answered after so long.
    ///
    /// - Parameter bytesEvery: how often a part of its answer comes in.
    /// - Returns: whether it was heard out.
    private static func isHeardOut(
        _ watch: PeerWatch,
        after time: Duration,
        isLong: Bool = true,
        bytesEvery: Duration? = nil
    ) async throws -> Bool {
        let long = isLong ? PeerWatch.LongCall(caller: caller) : nil
        do {
            return try await watch.hear(out: .keepExtractor, long) {
                let end = ContinuousClock.now + time
                while .now < end {
                    try await DeadlineQueue.shared.sleep(for: min(bytesEvery ?? time, end - .now))
                    if bytesEvery != nil { long?.progress.bytesCame() }
                }
                return true
            }
        } catch let error as NoteSyncError {
            guard case .outage = error.disposition else { throw error }
            return false
        }
    }

    @Test(arguments: [true, false]) func aCallOfAPeerThatWasSilentIsBrokenOffWithoutAnAttempt(isLong: Bool) async throws
    {
        let watch = try Self.watch([.silent, .silent, .well])
        #expect(try await !Self.isHeardOut(watch, after: .seconds(20), isLong: isLong))
    }

    /// Its extractor serves one call at a time, and is silent because it is busy with this one.
    @Test func aFetchIsHeardOutAsLongAsItsPeerIsSilent() async throws {
        #expect(try await Self.isHeardOut(try Self.watch([.silent]), after: .seconds(3)))
    }

    @Test func aFetchIsHeardOutWhereItsPeerIsWellAllTheTime() async throws {
        #expect(try await Self.isHeardOut(try Self.watch([.well]), after: .seconds(2)))
    }

    /// The peer was asked between two calls of a line.
    @Test func oneWordThatItIsWellBreaksOffNoFetch() async throws {
        let line: [PeerCondition] = [.silent, .well, .silent, .well, .silent]
        #expect(try await Self.isHeardOut(try Self.watch(line), after: .seconds(3)))
    }

    @Test func aFetchThatMakesProgressIsHeardOut() async throws {
        let watch = try Self.watch([.silent, .well])
        #expect(try await Self.isHeardOut(watch, after: .seconds(3), bytesEvery: .milliseconds(20)))
    }

    /// Of several replicas another may have been silent, again and again.
    @Test func aUsersFetchIsBrokenOffTwiceAnHour() async throws {
        let silence: [PeerCondition] = [.silent, .well, .well]
        let watch = try Self.watch(silence + silence + silence)
        for _ in 1...2 { #expect(try await !Self.isHeardOut(watch, after: .seconds(20))) }
        #expect(try await Self.isHeardOut(watch, after: .seconds(3)))
    }
}
