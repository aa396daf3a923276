import ArgumentParser
import JobQueue

/// A job as a person names it: by its identifier, or by the beginning of it if no other job begins so.
enum JobReference: Sendable, CustomStringConvertible {
    case id(JobID)
    case prefix(JobIDPrefix)

    /// Identifiers that are shown where several jobs begin so.
    private static let candidates = 5

    static func argument(_ text: String) throws -> JobReference {
        if let id = JobID(parsing: text) { return .id(id) }
        guard let prefix = JobIDPrefix(text) else {
            throw ValidationError(
                "\"\(text.singleLine)\" is no job id; expected a UUID such as 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11, or its "
                    + "first digits, \(JobIDPrefix.fewestDigits) at least. syncctl jobs lists them."
            )
        }
        return .prefix(prefix)
    }

    /// - Throws: `SyncControlError` with code `notFound` if no job begins so, `usage` if several do; `PostgresError`.
    func resolved(_ jobs: JobClient) async throws -> JobID {
        switch self {
        case .id(let id): return id
        case .prefix(let prefix):
            let found = try await jobs.ids(beginningWith: prefix, limit: Self.candidates + 1)
            if let only = found.first, found.count == 1 { return only }
            guard !found.isEmpty else {
                throw SyncControlError(
                    .notFound,
                    "There is no job whose id begins with \(prefix). See the newest with: syncctl jobs"
                )
            }
            let shown = found.prefix(Self.candidates).map(\.description).joined(separator: ", ")
            let more = found.count > Self.candidates ? " and more" : ""
            throw SyncControlError(
                .usage,
                "The ids of several jobs begin with \(prefix): \(shown)\(more). Give more digits of the one you mean."
            )
        }
    }

    var description: String {
        switch self {
        case .id(let id): id.description
        case .prefix(let prefix): prefix.description
        }
    }
}
