import ArgumentParser
import JobQueue

/// The options by which jobs are found.
struct JobFilterOptions: ParsableArguments {
    /// The five words that workers know.
    static let statusWords = JobStatus.allCases.map(\.rawValue).joined(separator: ", ")

    @Option(
        name: .customLong("status"),
        help: "Jobs with this status: \(Self.statusWords), or another that somebody has written. Several with commas.",
        transform: JobStatus.listArgument
    )
    private var statusLists: [[JobStatus]] = []
    @Option(
        name: .customLong("since"),
        parsing: .unconditional,
        help: "Jobs that were created or ended no longer ago than this: 90m, 12h, 7d.",
        transform: Duration.argument
    )
    var age: Duration?
    @Option(
        help: .init(
            "Failed jobs of this cause, as syncctl alerts list shows it: job_failed:KEY or KEY.",
            valueName: "key"
        ),
        transform: Self.cause
    )
    var cause: String?
    @Option(help: .init("Jobs whose error has this text, in upper or lower case.", valueName: "text"))
    var error: String?
    @Option(
        name: .customLong("user"),
        help: .init("Jobs of this user. May be given several times.", valueName: "user"),
        transform: UserID.argument
    )
    var users: [UserID] = []

    var statuses: [JobStatus] { statusLists.flatMap(\.self) }

    /// Whether any is given.
    var isAnyGiven: Bool { !statuses.isEmpty || age != nil || cause != nil || error != nil || !users.isEmpty }

    func validate() throws {
        if let error, error.isEmpty { throw ValidationError("--error must not be empty.") }
        if cause != nil, let other = statuses.first(where: { $0 != .failed }) {
            throw ValidationError("--cause finds failed jobs: leave out --status \(other.rawValue.singleLine).")
        }
    }

    /// A filter for each user, or one for all.
    ///
    /// - Parameter statuses: those where none is given.
    func filters(statuses others: [JobStatus] = [], hasFailedNotes: Bool = false) -> [JobFilter] {
        let statuses = statuses.isEmpty ? others : statuses
        let users: [UserID?] = users.isEmpty ? [nil] : users.uniqued
        return users.map { user in
            JobFilter(
                user: user,
                statuses: statuses,
                age: age,
                cause: cause,
                error: error,
                hasFailedNotes: hasFailedNotes
            )
        }
    }

    private static func cause(_ text: String) throws -> String {
        let key = text.hasPrefix("job_failed:") ? String(text.dropFirst(11)) : text
        guard key.count == 12, key.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) else {
            throw ValidationError(
                "\"\(text.singleLine)\" is no cause; expected twelve digits such as 4f1a0c7be2d9. syncctl alerts list shows them "
                    + "behind job_failed:, and syncctl jobs --status failed --json as \"cause\"."
            )
        }
        return key
    }
}

extension [UserID] {
    /// Each once, in their order.
    fileprivate var uniqued: [UserID] {
        var seen: Set<UserID> = []
        return filter { seen.insert($0).inserted }
    }
}

extension JobStatus {
    /// Words with commas between them.
    static func listArgument(_ text: String) -> [JobStatus] {
        guard text.contains(",") else { return [argument(text)] }
        return text.split(separator: ",").map { argument(String($0.drop { $0 == " " })) }
    }
}
