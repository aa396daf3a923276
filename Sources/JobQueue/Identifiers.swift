public import Foundation
internal import Support

/// Identifier of a job, the primary key of `sync_jobs`.
public struct JobID: Hashable, Sendable, CustomStringConvertible, Comparable {
    public let rawValue: UUID

    /// A new one.
    public init() {
        self.init(.random())
    }

    public init(_ rawValue: UUID) {
        self.rawValue = rawValue
    }

    /// Reads a UUID in the forms that Python's `uuid.UUID` reads, as the callers of the replaced service may write one:
    /// with or without dashes, in braces, with `urn:uuid:` before it. Nil when it is none.
    public init?(parsing text: String) {
        let digits = text.replacing("urn:", with: "").replacing("uuid:", with: "").replacing("-", with: "")
            .drop { "{}".contains($0) }
        let end = digits.lastIndex { !"{}".contains($0) } ?? digits.startIndex
        let bytes = digits.isEmpty ? "" : digits[...end]
        guard bytes.utf8.count == 32, bytes.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
            return nil
        }
        let groups = [(0, 8), (8, 4), (12, 4), (16, 4), (20, 12)].map { bytes.dropFirst($0.0).prefix($0.1) }
        guard let uuid = UUID(uuidString: groups.joined(separator: "-")) else { return nil }
        rawValue = uuid
    }

    /// The UUID in lower case, as PostgreSQL writes it. Foundation's takes ten times as long, and each line of a job's
    /// log has it.
    public var description: String {
        withUnsafeBytes(of: rawValue.uuid) { bytes in
            String(unsafeUninitializedCapacity: 36) { text in
                var end = 0
                for (number, byte) in bytes.enumerated() {
                    if number == 4 || number == 6 || number == 8 || number == 10 {
                        text[end] = UInt8(ascii: "-")
                        end += 1
                    }
                    text[end] = Self.digit(byte >> 4)
                    text[end + 1] = Self.digit(byte & 15)
                    end += 2
                }
                return end
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// In the order of the text, which is PostgreSQL's too.
    public static func < (left: JobID, right: JobID) -> Bool {
        withUnsafeBytes(of: left.rawValue.uuid) { left in
            withUnsafeBytes(of: right.rawValue.uuid) { right in left.lexicographicallyPrecedes(right) }
        }
    }
}

/// How the identifiers of some jobs begin: enough of one to tell it from the others, as people copy it.
public struct JobIDPrefix: Sendable, CustomStringConvertible {
    /// The first and the last identifier that begin so.
    let first: JobID
    let last: JobID
    /// As it was given, in lower case.
    public let description: String

    /// Fewer digits would be met by chance.
    public static let fewestDigits = 4

    /// Reads the beginning of a UUID, at least four digits, with its dashes where they belong or with none. Nil when it
    /// is none.
    public init?(_ text: String) {
        let text = text.lowercased()
        let digits = text.filter { $0 != "-" }
        let isHexadecimal = digits.utf8.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        guard isHexadecimal, (Self.fewestDigits...32).contains(digits.utf8.count),
            let first = JobID(parsing: digits + String(repeating: "0", count: 32 - digits.utf8.count)),
            let last = JobID(parsing: digits + String(repeating: "f", count: 32 - digits.utf8.count))
        else { return nil }
        guard text == digits || first.description.hasPrefix(text) else { return nil }
        (self.first, self.last, description) = (first, last, text)
    }
}

/// Identifier of a user, at most 255 characters: the account name known to the gateway.
public struct UserID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) {
        self.rawValue = rawValue
    }

    public var description: String { rawValue }

    // The database tells names apart by their bytes; `String` takes for equal what looks the same.
    public static func == (left: UserID, right: UserID) -> Bool {
        left.rawValue.utf8.elementsEqual(right.rawValue.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        var text = rawValue
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// Number of a claim, drawn from a sequence and never given twice: every write of a job's holder must match it.
public struct Lease: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    public var description: String { String(rawValue) }
}

/// A process of a worker, the primary key of `sync_workers`. Its name is a label for people, and two may have the same.
public struct WorkerInstance: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UUID

    /// A new one.
    public init() {
        self.init(.random())
    }

    public init(_ rawValue: UUID) {
        self.rawValue = rawValue
    }

    /// The UUID in lower case, as PostgreSQL writes it.
    public var description: String { rawValue.uuidString.lowercased() }
}
