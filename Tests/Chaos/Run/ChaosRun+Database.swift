import ChaosChecker
import Postgres
import TestSupport

extension ChaosRun {
    /// - Returns: whether there was something to do it to.
    func applyToDatabase(_ attack: Attack) async throws -> Bool {
        let began = Clock.now
        switch attack {
        case .terminateBackends(let choice):
            guard let (_, worker) = await fleet.worker(choice) else { return false }
            disturb(worker.name, from: began, until: began)
            try await ledger.terminateBackends(of: worker.name)
        case .terminateOneBackend(let choice):
            disturb(nil, from: began, until: began)
            try await ledger.terminateBackend(choice)
        case .cancelStatements(let choice, let length):
            guard let (_, worker) = await fleet.worker(choice) else { return false }
            defer { disturb(worker.name, from: began, until: Clock.now) }
            try await ledger.cancelStatements(of: worker.name, for: .milliseconds(length))
        case .restartDatabase(let down):
            defer { disturb(nil, from: began, until: Clock.now) }
            return try await servers.alone { try await $0.restart(downMilliseconds: down) } != nil
        case .readOnly(let length, let terminates):
            defer { disturb(nil, from: began, until: Clock.now) }
            return try await beReadOnly(for: length, terminates: terminates)
        case .limitStatements(let limit, let length):
            defer { disturb(nil, from: began, until: Clock.now) }
            try await limitStatements(to: limit, for: length)
        case .loseClaim(let choice, let length):
            guard let (_, worker) = await fleet.worker(choice) else { return false }
            return try await loseClaim(of: worker, within: .milliseconds(length))
        case .refuseEnd(let choice, let length):
            return try await refuseEnd(choice, for: length)
        case .failOver(let silence, let stale):
            try await failOver(silence: silence, stale: stale)
        default: return false
        }
        return true
    }

    /// Has a worker's next claim done and its answer lost.
    private func loseClaim(of worker: Worker, within limit: Duration) async throws -> Bool {
        let links = worker.links(.database)
        guard links.allSatisfy({ $0.state.condition == .pass }) else { return false }
        let end = ContinuousClock.now + limit
        try await ledger.slowClaims(of: worker.name, true)
        while try await !ledger.isClaiming(worker.name) {
            guard ContinuousClock.now < end else {
                try await ledger.slowClaims(of: worker.name, false)
                return false
            }
            await Clock.pause(milliseconds: 10)
        }
        let began = Clock.now
        links.forEach { $0.set(.holdAnswers) }
        try await ledger.slowClaims(of: worker.name, false)
        while try await ledger.isClaiming(worker.name) { await Clock.pause(milliseconds: 10) }
        // It is done a moment later, and its answer is on its way.
        await Clock.pause(milliseconds: 50)
        links.forEach { $0.cut() }
        links.forEach { $0.set(.pass) }
        disturb(worker.name, from: began, until: Clock.now)
        return true
    }

    /// Has the database refuse the end of a job for a while, of those that run in the next second.
    private func refuseEnd(_ choice: Int, for milliseconds: Int) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(1)
        repeat {
            if let job = try await ledger.refuseEnd(choice) {
                await Clock.pause(milliseconds: milliseconds)
                try await ledger.acceptEnd(of: job)
                return true
            }
            await Clock.pause(milliseconds: 20)
        } while ContinuousClock.now < end
        return false
    }

    /// What is still on its way at the end of it fails if the sessions are terminated, and else goes on.
    private func beReadOnly(for milliseconds: Int, terminates: Bool) async throws -> Bool {
        try await servers.alone { servers in
            let server = await servers.current
            try await server.setReadOnly(true)
            await Clock.pause(milliseconds: milliseconds)
            try await server.setReadOnly(false)
            if terminates { try await server.terminateClients() }
        } != nil
    }

    /// Sessions from now on have a limit for each statement, and so has nobody any more at the end: who has set it ends
    /// the sessions that have it.
    private func limitStatements(to limit: Int, for milliseconds: Int) async throws {
        try await ledger.limitStatements(to: .milliseconds(limit))
        try await ledger.terminateWorkers()
        await Clock.pause(milliseconds: milliseconds)
        try await ledger.limitStatements(to: nil)
        try await ledger.terminateWorkers()
    }

    /// Loses the server for another that takes over. It is then found again, read-only, and at last follows the other.
    private func failOver(silence: Int, stale: Int) async throws {
        do {
            let began = Clock.now
            _ = try await servers.alone(waits: true) { servers in
                let failover = try await servers.failOver(silence: silence)
                self.note("promoted")
                self.disturb(nil, from: began, until: Clock.now)
                let lost = try await servers.findLostServer()
                self.note("the lost server is there again")
                try await self.remember(lost, failover)
                await Clock.pause(milliseconds: stale)
                try await servers.rejoinLostServer()
            }
        } catch {
            // Without servers as they should be the run says nothing.
            fail(ChaosError("the failover could not be made: \(error)"))
        }
    }

    private func remember(_ server: PrivateCluster, _ failover: Servers.Failover) async throws {
        let connection = try await PostgresConnection.connect(
            server.unlimitedConfiguration(database: databaseName),
            logger: .silent
        )
        let known = try await Ledger.readLost(on: connection)
        await connection.close()
        remember(
            LostServer(
                times: failover,
                isSynchronous: servers.isSynchronous,
                changes: known.changes,
                leases: Dictionary(known.leases.map { ($0.lease, $0.expiresAt) }, uniquingKeysWith: { $1 })
            )
        )
    }
}
