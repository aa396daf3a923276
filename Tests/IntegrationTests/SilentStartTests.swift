import Foundation
import TestSupport
import Testing

@testable import Chaos

extension IntegrationTests {
    /// Connections that go silent while a worker starts, in the middle of its first statement.
    @Suite struct SilentStartTests {
        /// The text of the first statement.
        private static let firstStatement = "to_regclass"

        private func launch(_ installation: Installation, through link: FaultyLink) throws -> ProgramRun {
            let url = "postgresql://postgres@127.0.0.1:\(link.port)/\(installation.database.name)"
            return try installation.launchWorker("worker", ["DATABASE_URL": url])
        }

        @Test func oneConnectionCostsAFewSecondsAndNotTheStart() async throws {
            try await Installation.with(notes: 1) { installation in
                let link = try await FaultyLink.start(to: installation.database.cluster.port)
                link.holdAnswers(after: Self.firstStatement)
                let began = ContinuousClock.now
                let worker = try launch(installation, through: link)
                try await eventually(within: .seconds(20), "the first statement") {
                    link.state.condition == .holdAnswers
                }
                link.swallow()
                link.set(.pass)
                let line = try await worker.waitForLine(containing: "does not answer", within: .seconds(15))
                #expect(line.contains("WARNING") && line.contains("127.0.0.1:\(link.port)"), "\(line)")
                #expect(line.contains(/waiting for it until \d\d:\d\d:\d\d UTC/), "\(line)")
                try await worker.waitForLine(containing: "Ready.", within: .seconds(15))
                #expect(ContinuousClock.now - began < .seconds(20), "\(worker.transcript)")
                try await worker.stop()
                await link.stop()
            }
        }

        @Test func aDatabaseThatStaysSilentIsToldOfSoonAndAtTheEnd() async throws {
            try await Installation.with(notes: 1) { installation in
                let link = try await FaultyLink.start(to: installation.database.cluster.port)
                link.holdAnswers(after: Self.firstStatement)
                let worker = try launch(installation, through: link)
                try await worker.waitForLine(containing: "does not answer; waiting for it until", within: .seconds(15))
                #expect(try await worker.waitForExit(within: .seconds(60)) == .code(69))
                let said = worker.standardError.joined()
                #expect(said.contains("The database does not answer") && said.contains("DATABASE_URL"), "\(said)")
                await link.stop()
            }
        }
    }
}
