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
              syncctl gates close notion_writer --for 30m --reason "It is being moved."
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
            Shown are the gates of peers, and those that are closed, slowed or have been used in the last ten minutes. --json has what \
            is paused too.

            Example:
              syncctl gates list --all
            """
    )

    @Flag(name: .customLong("all"), help: "Also gates that nothing has passed lately.")
    var isComplete = false
    @OptionGroup var list: ListOptions

    func run(_ session: DatabaseSession) async throws {
        let gates = try await GateList(pool: session.pool).gates(isComplete: isComplete, limit: list.readLimit)
        // What else keeps jobs from running.
        let held = PauseList(pool: session.pool)
        let (pauses, users) = (try await held.ofEverything(), try await held.counts()["user"] ?? 0)
        try list.print(
            gates,
            ifNone: "Every gate is open, and none has been used lately.",
            json: Self.json,
            table: Self.table
        ) { gates in
            ["gates": gates, "pauses": .array(pauses.map(\.json)), "paused_users": .int(users)]
        }
        if !list.json.isWanted { Self.tell(of: pauses, users) }
    }

    private static func tell(of pauses: [Pause], _ users: Int) {
        for pause in pauses { StandardStream.error.note("No job begins: \(pause.text)") }
        guard users > 0 else { return }
        StandardStream.error.note("\(Count.of(users, "user")) \(users == 1 ? "is" : "are") paused. See: syncctl pauses")
    }

    private static func json(_ gate: GateRecord) -> JSONValue {
        [
            "gate": .string(gate.name.rawValue), "is_closed": .bool(gate.isClosed), "reason": .string(gate.reason),
            "closed_by": .string(gate.closedBy), "closed_at": .time(gate.closedAt),
            "closed_until": .time(gate.closedUntil),
            "out_of_order_since": .time(gate.brokenSince), "out_of_order_reason": .string(gate.openedReason),
            "out_of_order_found_by": .string(gate.openedBy), "next_probe_at": .time(gate.probeAt),
            "closed_seconds": .int(Int((gate.closedFor / .seconds(1)).rounded(.up))),
            "permits_per_second": gate.pace.map(JSONValue.double) ?? .null,
            "limit_per_second": gate.rate.map(JSONValue.double) ?? .null,
            "permits_last_minute": .int(gate.recentPermits), "used_at": .time(gate.usedAt),
        ]
    }

    private static func table(_ gates: [GateRecord]) -> TextTable {
        // The name is what the other commands want, so it is never cut; with the longest the table has 80 columns, as a
        // rule.
        var table = TextTable([
            .init(title: "GATE"), .init(title: "STATE", style: Style.ofState), .init(title: "OPENS"),
            .init(title: "PACE"),
            .init(title: "1 MIN", alignment: .right),
        ])
        for gate in gates {
            table.add(
                [gate.name.rawValue, gate.state, gate.opening, gate.paceText, "\(gate.recentPermits)"],
                remarks: [gate.remark]
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

    var state: String {
        if openedAt != nil { return "out of order" }
        return isClosed ? "closed" : isSlowed ? "slowed" : "open"
    }

    /// When it opens, if it is closed.
    var opening: String {
        if closedFor > .zero { return "in \(TimeText.rough(closedFor))" }
        if openedAt == nil { return "" }
        if isProbed { return "is probed" }
        guard let probeIn, probeIn > .zero else { return "by a probe now" }
        return "by a probe in \(TimeText.rough(probeIn))"
    }

    private static func text(_ number: Double) -> String {
        number.formatted(
            .number.precision(.fractionLength(0...2)).grouping(.never).locale(Locale(identifier: "en_US_POSIX"))
        )
    }

    /// Of a gate that no call passes: since when, why, and by whom; of a peer that is out of order and closed besides
    /// both.
    fileprivate var remark: String? {
        let found = brokenSince.map { since in
            "since \(TimeText.full(since)), out of order, as \(openedBy ?? "a worker") found: \(openedReason ?? "")"
        }
        let closed =
            closedFor > .zero
            ? closedAt.map { since in
                "since \(TimeText.full(since)), closed by \(closedBy ?? "nobody on record"): \(reason ?? "")"
            } : nil
        let remarks = [found, closed].compactMap(\.self)
        return remarks.isEmpty ? nil : remarks.joined(separator: "; ")
    }
}

/// `syncctl gates open`.
struct GatesOpenCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open a gate and let it go on at its full pace.",
        discussion: """
            Jobs that were snoozed for it become due, many of them spread over a minute. What refuses again closes it again.

            Example:
              syncctl gates open notion_writer
            """
    )

    @Argument(help: "The gate, as syncctl gates list shows it.", transform: GateName.argument)
    var gate: GateName
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl gates list" }

    func run(_ session: DatabaseSession) async throws {
        let gates = GateList(pool: session.pool)
        // That of a peer is there, and open, before anything has been said of it.
        let absent: (Duration, Bool)? = gate.scope == .peer ? (.zero, false) : nil
        guard let (closedFor, wasBroken) = try await gates.open(gate) ?? absent else {
            throw SyncControlError(
                .notFound,
                "Nothing is closed: of a gate \(gate.rawValue.singleLine) nothing is known. If there is one, it is open. See: "
                    + "syncctl gates list --all"
            )
        }
        let jobs = try await gates.releaseJobs(behind: gate)
        let state =
            wasBroken
            ? "Opened; it was out of order."
            : closedFor > .zero
                ? "Opened; it was closed for \(TimeText.rough(closedFor)) more." : "It was open already."
        let words =
            jobs == 0 ? state : "\(state) \(Count.of(jobs, "job")) that waited for it \(jobs == 1 ? "is" : "are") due."
        guard json.isWanted else { return try StandardStream.report(words) }
        let answer: JSONValue = [
            "gate": .string(gate.rawValue), "was_out_of_order": .bool(wasBroken),
            "was_closed_seconds": .int(Int((closedFor / .seconds(1)).rounded(.up))), "due_jobs": .int(jobs),
        ]
        try answer.report(inWords: words)
    }
}

/// `syncctl gates close`.
struct GatesCloseCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract:
            "Close a gate for a while: no worker calls, and jobs that come to it wait without spending an attempt.",
        discussion: """
            Workers see it within some seconds. A call under way is heard out. A gate that is closed for longer already stays so, with \
            its own reason.

            Example:
              syncctl gates close notion_writer --for 30m --reason "It is being moved."
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
        transform: Duration.argument(upTo: .seconds(30 * 86400))
    )
    var duration: Duration
    @Option(help: "Why, for whoever looks at the list.")
    var reason: String
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl gates list" }

    func validate() throws {
        guard !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("--reason must not be empty.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let gates = GateList(pool: session.pool)
        guard let closing = try await gates.close(gate, for: duration, reason: String(reason.prefix(1000))) else {
            throw SyncControlError(
                .notFound,
                "Of a gate \(gate.rawValue.singleLine) nothing is known: no call has passed it lately. Those that are known are listed by: "
                    + "syncctl gates list --all"
            )
        }
        guard json.isWanted else { return try StandardStream.report(Self.text(closing)) }
        try json(closing).report(inWords: Self.text(closing))
    }

    private func json(_ closing: GateClosing) -> JSONValue {
        [
            "gate": .string(gate.rawValue), "is_changed": .bool(closing.isChanged),
            "closed_until": .time(closing.closedUntil),
            "earlier": closing.earlier.map { earlier in
                [
                    "closed_until": .time(earlier.closedUntil), "closed_by": .string(earlier.closedBy),
                    "reason": .string(earlier.reason),
                ]
            } ?? .null,
        ]
    }

    /// What is so now: the longer of both closings holds, with its reason.
    private static func text(_ closing: GateClosing) -> String {
        let until = TimeText.full(closing.closedUntil)
        guard let earlier = closing.earlier else { return "Closed until \(until)." }
        guard closing.isChanged else {
            return "It stays closed until \(until), which is longer. Closed by \(earlier.closedBy): \(earlier.reason)"
                .singleLine
        }
        let before = "until \(TimeText.full(earlier.closedUntil)), by \(earlier.closedBy): \(earlier.reason)"
        return "Closed until \(until). It was closed already, \(before)".singleLine
    }
}
