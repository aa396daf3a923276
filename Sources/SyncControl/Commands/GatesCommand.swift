import ArgumentParser
import FlowControl
import Foundation
import JobQueue
import Support

/// `syncctl gates`.
struct GatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gates",
        abstract: "See what keeps calls of the peers back, and open or close it.",
        discussion: """
            Every call of a peer passes gates: that of the peer, and those of its Notion token and workspace or its Keep account. A \
            gate that refused a call stays closed for all workers as long as the peer asked for, and its calls come at a pace that \
            all workers keep to together. A peer that is out of order is called by one worker at a time, which finds out whether \
            it is back. The last part of a gate's name stands for a token or an account, which it does not tell.

            Examples:
              syncctl gates list
              syncctl gates open notion_writer/token/1f0c33e05d2bb1a4
              syncctl gates close notion_writer --for 30m --reason "The writer is being moved."
            """,
        subcommands: [GatesListCommand.self, GatesOpenCommand.self, GatesCloseCommand.self],
        defaultSubcommand: GatesListCommand.self
    )
}

extension GateName {
    /// The name of a gate as an argument.
    static func argument(_ text: String) throws -> GateName {
        let name = GateName(rawValue: text)
        guard name.isWellFormed else {
            throw ValidationError(
                "\"\(text.singleLine)\" is no gate: keep_extractor, notion_writer, or a name as syncctl gates list --all shows it."
            )
        }
        return name
    }
}

/// `syncctl gates list`.
struct GatesListCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the gates: which are closed, until when and why, and at what pace calls pass.",
        discussion: """
            Shown are the gates of peers, and those that are closed, slowed or have been used in the last ten minutes.

            Example:
              syncctl gates list --all
            """
    )

    @Flag(name: .customLong("all"), help: "Also gates that nothing has passed lately.")
    var isComplete = false
    @Option(parsing: .unconditional, help: "At most so many.")
    var limit = 100
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be 1 or more.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let gates = try await GateList(pool: session.pool).gates(isComplete: isComplete, limit: limit)
        if json.isWanted {
            try JSONValue.array(gates.map(Self.json)).print()
        } else if gates.isEmpty {
            StandardStream.error.note("Every gate is open, and none has been used lately.")
        } else {
            try StandardStream.output.write(Self.table(gates).text(width: StandardStream.output.width))
        }
        if !json.isWanted { try await tellOfPauses(PauseList(pool: session.pool)) }
    }

    /// What else keeps jobs from running.
    private func tellOfPauses(_ pauses: PauseList) async throws {
        for pause in try await pauses.pauses(limit: 10) where pause.scope.keepsEverything {
            StandardStream.error.note("No job begins: \(pause.text)")
        }
        guard let users = try await pauses.counts()["user"], users > 0 else { return }
        StandardStream.error.note("\(Count.of(users, "user")) \(users == 1 ? "is" : "are") paused. See: syncctl pauses")
    }

    private static func json(_ gate: GateRecord) -> JSONValue {
        [
            "gate": .string(gate.name.rawValue), "is_closed": .bool(gate.isClosed), "reason": .string(gate.reason),
            "closed_by": .string(gate.closedBy), "closed_at": .time(gate.closedAt),
            "closed_until": .time(gate.closedUntil),
            "out_of_order_since": .time(gate.openedAt), "next_probe_at": .time(gate.probeAt),
            "closed_seconds": .int(Int((gate.closedFor / .seconds(1)).rounded(.up))),
            "permits_per_second": gate.pace.map(JSONValue.double) ?? .null,
            "limit_per_second": gate.rate.map(JSONValue.double) ?? .null,
            "permits_last_minute": .int(gate.recentPermits), "used_at": .time(gate.usedAt),
        ]
    }

    private static func table(_ gates: [GateRecord]) -> TextTable {
        var table = TextTable([
            .init(title: "GATE", minimumWidth: 14), .init(title: "STATE"), .init(title: "SINCE"), .init(title: "OPENS"),
            .init(title: "PACE"), .init(title: "LAST MINUTE", alignment: .right),
        ])
        for gate in gates {
            table.add(
                [
                    gate.name.rawValue, gate.state, gate.since.map(TimeText.full) ?? "",
                    gate.isClosed
                        ? "in \(TimeText.rough(gate.closedFor))" : gate.openedAt == nil ? "" : "when a probe succeeds",
                    gate.paceText, "\(gate.recentPermits)",
                ],
                remarks: [gate.since == nil ? nil : gate.remark]
            )
        }
        return table
    }
}

extension GateRecord {
    /// `3/s`, or `1.5 of 3/s` where it is slowed.
    fileprivate var paceText: String {
        guard let rate, let pace else { return "" }
        let limit = "\(Self.text(rate))/s"
        return isSlowed ? "\(Self.text(pace)) of \(limit)" : limit
    }

    fileprivate var state: String {
        if openedAt != nil { return isProbed ? "out of order, probed" : "out of order" }
        return isClosed ? "closed" : isSlowed ? "slowed" : "open"
    }

    fileprivate var since: Date? { openedAt ?? (isClosed ? closedAt : nil) }

    private static func text(_ number: Double) -> String {
        number.formatted(
            .number.precision(.fractionLength(0...2)).grouping(.never).locale(Locale(identifier: "en_US_POSIX"))
        )
    }

    fileprivate var remark: String? {
        reason.map { reason in closedBy.map { "\(reason) Closed by \($0)." } ?? reason }
    }
}

/// `syncctl gates open`.
struct GatesOpenCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open a gate and let it go on at its full pace.",
        discussion: """
            Jobs that were put off because of it become due, many of them spread over a minute. What refuses again closes it again.

            Example:
              syncctl gates open notion_writer
            """
    )

    @Argument(help: "The gate, as syncctl gates list shows it.", transform: GateName.argument)
    var gate: GateName

    var outcomeCheck: String? { "syncctl gates list" }

    func run(_ session: DatabaseSession) async throws {
        let gates = GateList(pool: session.pool)
        guard let (closedFor, wasBroken) = try await gates.open(gate) else {
            throw SyncControlError(
                .notFound,
                "There is no gate \(gate.rawValue.singleLine): nothing has closed it or passed it at a pace."
            )
        }
        let jobs = try await gates.releaseJobs(behind: gate)
        let state =
            wasBroken
            ? "Opened; it was out of order."
            : closedFor > .zero
                ? "Opened; it was closed for \(TimeText.rough(closedFor)) more." : "It was open already."
        try StandardStream.output.line(
            jobs == 0 ? state : "\(state) \(Count.of(jobs, "job")) that waited for it \(jobs == 1 ? "is" : "are") due."
        )
    }
}

/// `syncctl gates close`.
struct GatesCloseCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract:
            "Close a gate for a while: no worker calls, and jobs that come to it wait without spending an attempt.",
        discussion: """
            Workers see it within some seconds. A call under way is heard out.

            Example:
              syncctl gates close notion_writer --for 30m --reason "The writer is being moved."
            """
    )

    @Argument(
        help: "The gate: keep_extractor, notion_writer, or a name that syncctl gates list shows.",
        transform: GateName.argument
    )
    var gate: GateName
    @Option(
        name: .customLong("for"),
        parsing: .unconditional,
        help: "How long, e.g. 90s, 30m, 2h or 7d.",
        transform: Duration.argument
    )
    var duration: Duration
    @Option(help: "Why, for whoever looks at the list.")
    var reason: String

    var outcomeCheck: String? { "syncctl gates list" }

    private static let longest = Duration.seconds(30 * 86400)

    func validate() throws {
        guard duration <= Self.longest else { throw ValidationError("--for must be 30d or less.") }
        guard !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("--reason must not be empty.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let gates = GateList(pool: session.pool)
        guard let until = try await gates.close(gate, for: duration, reason: String(reason.prefix(1000))) else {
            throw SyncControlError(
                .notFound,
                "There is no gate \(gate.rawValue.singleLine). Of a peer there always is one; others are listed by: syncctl gates list --all"
            )
        }
        try StandardStream.output.line("Closed until \(TimeText.full(until)).")
    }
}
