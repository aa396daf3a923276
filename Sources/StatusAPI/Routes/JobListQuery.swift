import Foundation
import Hummingbird
import JobQueue

/// The query of `/internal/sync/jobs`.
struct JobListQuery: Sendable {
    var user: UserID?
    var status: JobStatus?
    var limit = 50
    var cursor: JobCursor?

    private static let names = ["user_id", "status", "limit", "cursor"]
    private static let limits = 1...200

    /// - Parameter query: as it stands in the address.
    /// - Throws: `BadRequest` that names the parameter and what it may be.
    init(_ query: String) throws {
        let parameters = Parameters(query.formParameters)
        for (name, _) in parameters where !Self.names.contains(String(name)) {
            let shown = name.count > 50 ? "\(name.prefix(50))…" : String(name)
            throw BadRequest(
                detail: "\(shown) is not a parameter of this list; there are \(Self.names.joined(separator: ", "))"
            )
        }
        for name in Self.names where parameters[values: Substring(name)].count > 1 {
            throw BadRequest(detail: "\(name) is given twice")
        }
        if let text = parameters["user_id"] {
            guard (1...255).contains(text.unicodeScalars.count), !text.utf8.contains(0) else {
                throw BadRequest(detail: "user_id must have 1 to 255 characters")
            }
            user = UserID(String(text))
        }
        if let text = parameters["status"] {
            guard let known = JobStatus(rawValue: String(text)) else {
                let all = JobStatus.allCases.map(\.rawValue).joined(separator: ", ")
                throw BadRequest(detail: "status must be one of \(all)")
            }
            status = known
        }
        if let text = parameters["limit"] {
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
                Self.limits.contains(number)
            else { throw BadRequest(detail: "limit must be a number from 1 to \(Self.limits.upperBound)") }
            limit = number
        }
        if let text = parameters["cursor"] {
            guard let known = JobCursor(parsing: String(text)) else {
                throw BadRequest(detail: "cursor must be the next_cursor of an earlier answer")
            }
            cursor = known
        }
    }
}

extension String {
    /// The parameters of a query as a form encodes them; what has no name is none.
    ///
    /// Source: URL Standard, application/x-www-form-urlencoded parsing.
    fileprivate var formParameters: [(key: Substring, value: Substring)] {
        split(separator: "&").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(\.formDecoded)
            return parts[0].isEmpty ? nil : (parts[0][...], parts.count == 2 ? parts[1][...] : "")
        }
    }
}

extension Substring {
    /// What can't be decoded stays as it is.
    fileprivate var formDecoded: String {
        let spaced = replacing("+", with: " ")
        return spaced.removingPercentEncoding ?? String(spaced)
    }
}

extension JobCursor {
    /// The cursor as a client passes it on: microseconds since 2000 and the job's identifier.
    var text: String { "\(microseconds)_\(id)" }

    /// Any number is a time: the database's infinities are the ends of the type.
    init?(parsing text: String) {
        guard let parts = text.wholeMatch(of: /(-?[0-9]{1,19})_(.*)/), let id = JobID(parsing: String(parts.2)) else {
            return nil
        }
        self.init(microseconds: Int64(parts.1) ?? (parts.1.hasPrefix("-") ? .min : .max), id: id)
    }
}
