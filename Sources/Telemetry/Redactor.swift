import Support

/// A filter that replaces secrets in a text by ``marker``.
///
/// Three kinds of secrets are found: those given to this instance, those registered for the whole process with
/// ``register(_:)``, and those that can be told by their form (see ``SecretPatterns``). A known secret is also found as
/// it looks inside a JSON string and percent-encoded in a URL, since peers echo requests in their errors.
public struct Redactor: Sendable {
    /// The text put in place of a secret.
    public static let marker = "[redacted]"

    /// The length in UTF-8 bytes from which on a secret is searched for. Replacing every occurrence of a shorter one
    /// would hide nothing and make logs unreadable.
    public static let minimumSecretLength = 4

    /// A redactor that knows the process-wide secrets and the forms of secrets, and nothing else.
    public static let processWide = Redactor()

    private static let registry = Mutex(SecretRegistry())

    private let needles: [[UInt8]]

    /// A redactor that also knows `secrets`, e.g. the two tokens of the job being run.
    public init(secrets: [String] = []) {
        needles = secrets.flatMap(SecretForms.all(of:))
    }

    /// Makes every redactor of this process replace `secret`, until as many calls of ``unregister(_:)``.
    ///
    /// Secrets under ``minimumSecretLength`` bytes are ignored.
    public static func register(_ secret: String) {
        registry.withLock { $0.add(secret) }
    }

    /// Takes back one ``register(_:)`` of `secret`.
    public static func unregister(_ secret: String) {
        registry.withLock { $0.remove(secret) }
    }

    /// Runs `body` with `secrets` registered for the whole process, e.g. a job with its user's tokens.
    public static func withRegistered<Result>(
        _ secrets: [String],
        _ body: () async throws -> Result
    ) async rethrows -> Result {
        secrets.forEach(register)
        defer { secrets.forEach(unregister) }
        return try await body()
    }

    /// `text` with every secret replaced by ``marker``.
    ///
    /// All secrets are looked for in the original text and overlapping finds are replaced as one, so that replacing
    /// one secret never leaves a part of another.
    public func redact(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var found = SecretPatterns.ranges(in: bytes)
        for needle in needles {
            found += bytes.ranges(of: needle)
        }
        for needle in Self.registry.withLock({ $0.needles }) {
            found += bytes.ranges(of: needle)
        }
        return found.isEmpty ? text : Self.replacing(found, in: bytes)
    }

    private static func replacing(_ ranges: [Range<Int>], in bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        var open: Range<Int>?
        func close() {
            guard let range = open else { return }
            result += bytes[position..<range.lowerBound]
            result += marker.utf8
            position = range.upperBound
        }
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let current = open, range.lowerBound < current.upperBound {
                open = current.lowerBound..<max(current.upperBound, range.upperBound)
            } else {
                close()
                open = range
            }
        }
        close()
        result += bytes[position...]
        return String(decoding: result, as: UTF8.self)
    }
}

/// The process-wide secrets with the number of their registrations.
private struct SecretRegistry {
    private(set) var needles: [[UInt8]] = []
    private var registrations: [String: Int] = [:]

    mutating func add(_ secret: String) {
        registrations[secret, default: 0] += 1
        if registrations[secret] == 1 { rebuild() }
    }

    mutating func remove(_ secret: String) {
        guard let count = registrations[secret] else { return }
        registrations[secret] = count > 1 ? count - 1 : nil
        if count == 1 { rebuild() }
    }

    private mutating func rebuild() {
        needles = registrations.keys.flatMap(SecretForms.all(of:))
    }
}

extension [UInt8] {
    /// The places where `needle` occurs, overlapping ones included.
    fileprivate func ranges(of needle: [UInt8]) -> [Range<Int>] {
        guard let first = needle.first, count >= needle.count else { return [] }
        return withUnsafeBufferPointer { haystack in
            var found: [Range<Int>] = []
            for start in 0...(haystack.count - needle.count) where haystack[start] == first {
                if haystack[start..<(start + needle.count)].elementsEqual(needle) {
                    found.append(start..<(start + needle.count))
                }
            }
            return found
        }
    }
}
