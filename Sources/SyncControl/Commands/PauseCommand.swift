import ArgumentParser
import FlowControl
import Foundation
import JobQueue
import Support

/// `syncctl pause`.
struct PauseCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let no job of a user, or none at all, begin for a while.",
        usage: """
            syncctl pause all --reason <reason> [--for <time>] [--json]
            syncctl pause --user <user> --reason <reason> [--for <time>] [--json]
            syncctl pause --peer <peer> --reason <reason> [--for <time>] [--json]
            """,
        discussion: """
            Jobs are enqueued as ever and wait, also through a restart of everything; those that run go on to their end. \
            To pause a peer is to pause all, as every job calls both; the list says which it was. What syncctl enqueue --force \
            enqueues runs all the same. An earlier pause of the same is replaced.

            Examples:
              syncctl pause --user anna@example.org --reason "Her pages are being sorted."
              syncctl pause --peer notion_writer --for 2h --reason "It moves."
              syncctl pause all --for 30m --reason "Maintenance of the database."
            """
    )

    @OptionGroup var target: PauseTarget
    @Option(
        name: .customLong("for"),
        parsing: .unconditional,
        help: "How long, e.g. 30m, 2h or 7d; left out: until syncctl resume.",
        transform: Duration.argument(upTo: .seconds(3650 * 86400), "Left out: until syncctl resume.")
    )
    var duration: Duration?
    @Option(help: "Why, for whoever looks at the list.")
    var reason: String
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl pauses" }

    func validate() throws {
        guard !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("--reason must not be empty.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let pauses = PauseList(pool: session.pool)
        let scope = try target.scope
        let (until, earlier) = try await pauses.pause(scope, for: duration, reason: String(reason.prefix(1000)))
        let end = until.map { "until \(TimeText.full($0))" } ?? "until syncctl resume"
        let words = "Paused \(end): \(scope.text)."
        guard !json.isWanted else {
            // It is paused, whether or not the rest can be found out.
            let (running, isKnown) = try await (pauses.running(scope), session.isKnown(scope))
            return try Self.json(scope, until, earlier, running: running, isKnown: isKnown).report(inWords: words)
        }
        try StandardStream.report(words)
        if let earlier {
            StandardStream.error.note("This takes the place of: \(earlier.text)")
        }
        if try await !session.isKnown(scope) {
            StandardStream.error.note(
                "There are no credentials, jobs or pages of a user of that name. Names are compared byte by byte. See: syncctl "
                    + "credentials list"
            )
        }
        let running = try await pauses.running(scope)
        if running > 0 {
            StandardStream.error.note(
                "\(Count.of(running, "job")) that \(running == 1 ? "runs goes" : "run go") on to \(running == 1 ? "its" : "their") end."
            )
        }
    }

    private static func json(
        _ scope: PauseScope,
        _ until: Date?,
        _ earlier: Pause?,
        running: Int,
        isKnown: Bool
    ) -> JSONValue {
        [
            "scope": .string(scope.kind), "key": .string(scope.key.isEmpty ? nil : scope.key),
            "paused_until": .time(until), "earlier": earlier?.json ?? .null, "running_jobs": .int(running),
            "is_known": .bool(isKnown),
        ]
    }
}

/// `syncctl resume`.
struct ResumeCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "End a pause: what has waited is run, the jobs of a user in their order.",
        usage: "syncctl resume (all | --user <user> | --peer <peer>) [--json]",
        discussion: """
            Examples:
              syncctl resume --user anna@example.org
              syncctl resume --peer notion_writer
              syncctl resume all
            """
    )

    @OptionGroup var target: PauseTarget
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl pauses" }

    func run(_ session: DatabaseSession) async throws {
        let pauses = PauseList(pool: session.pool)
        let scope = try target.scope
        let resumed = try await pauses.resume(scope)
        let overAlready = resumed == nil ? try await pauses.ended(scope) : nil
        guard let ended = resumed ?? overAlready else {
            throw SyncControlError(.notFound, "Not paused: \(scope.text). See: syncctl pauses")
        }
        let end = ended.pausedUntil.map { " at \(TimeText.full($0))" } ?? ""
        let words = resumed == nil ? "It has ended by itself\(end): \(ended.text)" : "Resumed. It was: \(ended.text)"
        guard !json.isWanted else {
            return try ended.json(endedByItself: resumed == nil).report(inWords: words)
        }
        try StandardStream.report(words)
        // What is resumed runs only if nothing else keeps it.
        for pause in try await pauses.ofEverything() {
            StandardStream.error.note("No job begins yet: \(pause.text)")
        }
    }
}

/// `syncctl pauses`.
struct PausesCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "pauses",
        abstract: "List what is paused: since when, until when, by whom and why.",
        discussion: """
            Example:
              syncctl pauses
            """
    )

    @OptionGroup var list: ListOptions

    func run(_ session: DatabaseSession) async throws {
        let pauses = try await PauseList(pool: session.pool).pauses(limit: list.readLimit)
        try list.print(pauses, ifNone: "Nothing is paused.", json: \.json) { pauses in
            var table = TextTable([
                .init(title: "PAUSED"), .init(title: "SINCE"), .init(title: "UNTIL"),
                .init(title: "BY", minimumWidth: 8),
            ])
            for pause in pauses {
                table.add(
                    pause.scope.text,
                    TimeText.full(pause.pausedAt),
                    pause.pausedUntil.map(TimeText.full) ?? "resumed",
                    pause.pausedBy,
                    remark: pause.reason
                )
            }
            return table
        }
    }
}

/// What is paused or resumed: one of `all`, `--user` and `--peer`.
struct PauseTarget: ParsableArguments {
    /// The word for everything.
    enum Everything: String, CaseIterable, ExpressibleByArgument {
        case all
    }

    @Argument(help: "The word all: every job.")
    var everything: Everything?
    @Option(help: "The jobs of this user.", transform: UserID.argument)
    var user: UserID?
    @Option(help: "Every job, because of this peer: keep_extractor or notion_writer.", transform: Peer.argument)
    var peer: Peer?

    func validate() throws { _ = try scope }

    var scope: PauseScope {
        get throws {
            switch (everything, user, peer) {
            case (.all?, nil, nil): .all
            case (nil, let user?, nil): .user(user)
            case (nil, nil, let peer?): .peer(peer.rawValue)
            default: throw ValidationError("Say what: all, --user USER or --peer PEER, one of them.")
            }
        }
    }
}

extension Peer {
    /// A peer as a person names it.
    static func argument(_ text: String) throws -> Peer {
        guard let peer = Peer(rawValue: text) else {
            let names = allCases.map(\.rawValue).joined(separator: " or ")
            throw ValidationError("\"\(text.singleLine)\" is no peer; expected \(names).")
        }
        return peer
    }
}
