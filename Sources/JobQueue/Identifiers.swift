public import Foundation

/// Identifier of a job, the primary key of `sync_jobs`.
public struct JobID: Hashable, Sendable, CustomStringConvertible, Comparable {
    public let rawValue: UUID

    public init(_ rawValue: UUID = UUID()) {
        self.rawValue = rawValue
    }

    /// Reads the textual form of a UUID; nil when it is none.
    public init?(parsing text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        rawValue = uuid
    }

    /// The UUID in lower case, as PostgreSQL writes it.
    public var description: String { rawValue.uuidString.lowercased() }

    public static func < (left: JobID, right: JobID) -> Bool {
        left.description < right.description
    }
}

/// Identifier of a user, at most 255 characters: the account name known to the gateway.
public struct UserID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) {
        self.rawValue = rawValue
    }

    public var description: String { rawValue }
}

/// Number of a claim, drawn from a sequence and never given twice: every write of a job's holder must match it.
public struct Lease: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    public var description: String { String(rawValue) }
}
