import FlowControl
import Foundation
import Logging
import Postgres
import Support
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync

/// A worker that alone does not reach a peer claims nothing until it does.
@Suite(.database(migrations: SyncSchema.migrations), .timeLimit(.minutes(1)))
struct ClaimHoldTests {
    /// What a call of the worker's own shows, before the watch would ask again.
    enum Success: CaseIterable, CustomTestStringConvertible {
        case succeeded, lookedUp, answered

        var testDescription: String { "\(self)" }
    }

    @Test(arguments: Success.allCases) func itEndsWithAnySuccessOfItsOwn(_ success: Success) async throws {
        let database = try TestDatabase.current
        // Others are there, and have met nothing: it is this one that is ill.
        try await database.pool.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, version, present_until)
            SELECT gen_random_uuid(), 'w', 1, '1', clock_timestamp() + interval '1 hour' FROM generate_series(1, 2)
            """
        )
        var configuration = FlowConfiguration.unpaced
        configuration.breaker = BreakerConfiguration()
        configuration.breaker.cooldown = .seconds(600)
        configuration.breaker.longestCooldown = .seconds(600)
        let flow = FlowControl(pool: database.pool, configuration: configuration)
        let claims = ClaimHold()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let watch = PeerWatch(flow: flow, claims: claims, logger: logger) { _ in .unreached }
        let context = JobContext(
            job: NeverSentTests.claimed(JobID()),
            lease: LeaseGuard(validUntil: .now + .seconds(600)),
            stop: StopSignal(),
            logger: logger
        )
        let credentials = Credentials(googleToken: "g", notionToken: "n", databaseID: "d")
        let gates = JobGates(user: context.job.userID, credentials: credentials, hasher: ContentHasher(key: [1]))
        let gate = gates.writes(flow, watch)
        let failure = CallGate.PeerFailure(isUnreached: true, isSilence: false, began: .now, reason: "Refused.")
        let outage = await watch.outage(of: .notionWriter, caller: gates.token, failure)
        #expect(outage != nil && claims.remaining != nil)
        try await gate.pass(context) {}
        switch success {
        case .succeeded: await gate.callEnded(began: .now, context)
        case .lookedUp: await gate.callEnded(began: .now, provesPeer: false, context)
        case .answered: await gate.peerAnswered(began: .now)
        }
        #expect(claims.remaining == nil)
    }

    /// A login that was cut off with a silent extractor which is back. One user's calls that end so again and again are
    /// the user's own matter.
    @Test func aCallThatWasWaitedForIsForgivenTwiceAnHour() async throws {
        let database = try TestDatabase.current
        var configuration = FlowConfiguration.unpaced
        configuration.breaker = BreakerConfiguration()
        let flow = FlowControl(pool: database.pool, configuration: configuration)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let watch = PeerWatch(flow: flow, claims: ClaimHold(), logger: logger) { _ in .well }
        func outage(_ user: String, lasted: Duration, isSilence: Bool = true) async -> NoteSyncError? {
            let failure = CallGate.PeerFailure(
                isUnreached: false,
                isSilence: isSilence,
                began: .now - lasted,
                reason: "Cut off.",
                lasted: lasted
            )
            return await watch.outage(of: .notionWriter, caller: GateName(.keepExtractor, .account, key: user), failure)
        }
        #expect(await outage("ada", lasted: .seconds(1)) == nil, "it failed at once")
        for _ in 1...2 { #expect(await outage("ada", lasted: .seconds(30))?.disposition.spendsNone == true) }
        #expect(await outage("ada", lasted: .seconds(30)) == nil)
        #expect(await outage("bob", lasted: .seconds(30), isSilence: false)?.disposition.spendsNone == true)
    }
}

extension NoteSyncError.Disposition {
    fileprivate var spendsNone: Bool { if case .outage = self { true } else { false } }
}
