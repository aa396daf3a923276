import CurlHTTP
import Foundation
import Postgres

/// The checks that find what is wrong now.
struct ConditionChecks: Sendable {
    let pool: PostgresPool
    let rules: AlertRules
    let kindsOff: Set<AlertKind>
    let probe: PeerProbe
    /// Says why the tables are not current; nil if they are.
    let schemaFault: @Sendable () async throws -> String?
    /// Says that the installation key is missing; nil if it is not.
    let keyFault: @Sendable () async throws -> String?

    /// Users looked at; of more than that a person can't look after each anyway.
    private static let userLimit = 2000

    /// Everything that is wrong, of the kinds that are on.
    func run() async throws -> [Condition] {
        var found: [Condition] = []
        if isOn(.schemaNotCurrent), let fault = try await schemaFault() {
            found.append(.fault(.schemaNotCurrent, fault))
        }
        if isOn(.installationKeyMissing), let fault = try await keyFault() {
            found.append(.fault(.installationKeyMissing, fault))
        }
        if isOn(.breakerOpen) { found += try await openBreakers() }
        if isOn(.peerDown) {
            // A breaker may close while the peers are asked.
            let keys = Set(found.map(\.key))
            found += try await downPeers().filter { !keys.contains($0.key) }
        }
        if isOn(.userFailing) { found += try await failingUsers() }
        if isOn(.userNotSynced), let limit = rules.userNotSyncedAfter { found += try await unsyncedUsers(limit) }
        if isOn(.notesFailing) { found += try await failingNotes() }
        if isOn(.jobSnoozed) {
            found += try await Self.summary(pool.query(.findSnoozedJobs(after: rules.jobSnoozedAfter)), .jobSnoozed)
        }
        if isOn(.unknownCreatesHeld) { found += try await heldCreates() }
        return found
    }

    private func isOn(_ kind: AlertKind) -> Bool { !kindsOff.contains(kind) }

    /// Peers that the workers have found out of order for so long.
    private func openBreakers() async throws -> [Condition] {
        try await pool.query(.findOpenBreakers(rules.peers, after: rules.peerDownAfter)).map { row in
            let peer: String = try row.decode("peer")
            return Condition(
                kind: .breakerOpen,
                key: Condition.peerPrefix + peer,
                error: try row.decode("reason"),
                since: try row.decode("since")
            )
        }
    }

    /// Peers that do not say that they are well. Of one that is out of order nobody is told twice.
    private func downPeers() async throws -> [Condition] {
        // Nobody calls a peer that is out of order but who finds out whether it is back.
        let query = PostgresQuery.findOpenBreakers(rules.peers, after: .zero)
        let open = try await pool.query(query).reduce(into: [String: PeerProbe.Fault]()) { open, row in
            open[try row.decode("peer")] = PeerProbe.Fault(
                reason: try row.decode("reason"),
                isSilence: try row.decode("is_silent")
            )
        }
        let answers = await withTaskGroup(of: (peer: String, fault: PeerProbe.Fault?).self) { group in
            for peer in rules.peers {
                if let fault = open[peer.name] {
                    group.addTask { (peer.name, fault) }
                } else {
                    group.addTask { (peer.name, await probe.fault(of: peer)) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for answer in answers { try await pool.execute(.recordHealth(of: answer.peer, fault: answer.fault)) }
        let downPeers = PostgresQuery.findDownPeers(
            rules.peers,
            after: rules.peerDownAfter,
            besidesBreakers: isOn(.breakerOpen)
        )
        return try await pool.query(downPeers).map { row in
            let peer: String = try row.decode("peer")
            return Condition(
                kind: .peerDown,
                key: Condition.peerPrefix + peer,
                error: try row.decode("reason"),
                since: try row.decode("since")
            )
        }
    }

    private func failingUsers() async throws -> [Condition] {
        let query = PostgresQuery.findFailingUsers(failures: rules.userFailures, limit: Self.userLimit)
        return try await pool.query(query).map { row in
            let user: String = try row.decode("user_id")
            return Condition(
                kind: .userFailing,
                key: "\(AlertKind.userFailing.rawValue):\(user)",
                count: rules.userFailures,
                jobID: try row.decode("job_id"),
                userID: user,
                users: [user],
                error: try row.decode("error"),
                since: try row.decode("since")
            )
        }
    }

    private func unsyncedUsers(_ limit: Duration) async throws -> [Condition] {
        try await Self.summary(pool.query(.findUnsyncedUsers(after: limit)), .userNotSynced)
    }

    private func failingNotes() async throws -> [Condition] {
        let query = PostgresQuery.findFailingNotes(share: rules.failingNotesShare, limit: Self.userLimit)
        guard let row = try await pool.query(query).first, let since = try row.decode("since", as: Date?.self) else {
            return []
        }
        let users: [String] = try row.decode("users")
        return [
            Condition(
                kind: .notesFailing,
                key: AlertKind.notesFailing.rawValue,
                count: try row.decode("count"),
                jobID: try row.decode("job_id"),
                userID: users.first,
                users: users,
                error: try row.decode("error"),
                since: since
            )
        ]
    }

    private func heldCreates() async throws -> [Condition] {
        let query = PostgresQuery.findHeldCreates(
            areHeldByDefault: rules.holdsUnknownCreates,
            limit: rules.unknownLimit
        )
        return try await Self.summary(pool.query(query), .unknownCreatesHeld)
    }

    /// One condition of all that a row sums up; none if it sums up nothing.
    private static func summary(_ rows: PostgresRows, _ kind: AlertKind) throws -> [Condition] {
        guard let row = rows.first, let since = try row.decode("since", as: Date?.self) else { return [] }
        let users: [String] = try row.decode("users")
        return [
            Condition(
                kind: kind,
                key: kind.rawValue,
                count: try row.decode("count"),
                userID: users.first,
                users: users,
                since: since
            )
        ]
    }
}

extension Condition {
    static func fault(_ kind: AlertKind, _ fault: String) -> Condition {
        Condition(
            kind: kind,
            key: kind.rawValue,
            error: fault,
            since: Date()
        )
    }
}
