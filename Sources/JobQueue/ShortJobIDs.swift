internal import Foundation
internal import Postgres

extension JobClient {
    /// Digits that a short identifier has at least.
    private static let fewestDigits = 8

    /// The beginnings of identifiers that tell each from those of all other jobs, eight digits at least.
    ///
    /// - Throws: `PostgresError`.
    public func shortIDs(of ids: [JobID]) async throws -> [JobID: String] {
        guard !ids.isEmpty else { return [:] }
        var short: [JobID: String] = [:]
        for row in try await pool.query(.neighbours(of: ids)) {
            let id = JobID(try row.decode("job_id"))
            let others = try ["previous", "next"].compactMap {
                try row.decode($0, as: UUID?.self).map { JobID($0).description }
            }
            let text = id.description
            let shared = others.map { zip($0, text).prefix { $0 == $1 }.count }.max() ?? 0
            short[id] = Self.beginning(of: text, atLeast: max(shared + 1, Self.fewestDigits))
        }
        return short
    }

    /// With one digit more where it would end with a dash.
    private static func beginning(of text: String, atLeast length: Int) -> String {
        let start = text.prefix(length)
        return String(start.hasSuffix("-") ? text.prefix(length + 1) : start)
    }

    /// The keys of the causes of those jobs that failed, see ``JobFilter/cause``.
    ///
    /// - Throws: `PostgresError`.
    public func causes(of ids: [JobID]) async throws -> [JobID: String] {
        guard !ids.isEmpty else { return [:] }
        let rows = try await pool.query(.causes(of: ids))
        return Dictionary(try rows.map { (JobID(try $0.decode("job_id")), try $0.decode("cause")) }) { first, _ in first
        }
    }
}
