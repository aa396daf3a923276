internal import COpenSSL
internal import Foundation

/// Keyed hash of what of a note reaches its page; two notes with the same hash make the same page.
///
/// Left out are image URLs, which are new on every fetch, and the number of a title `Note #N`, which is the note's
/// position in one response. Text form: `2:`, eight digits that stand for the key, `:` and HMAC-SHA256, all in
/// hexadecimal; the number stands for this way of hashing.
struct ContentHash: Hashable, Sendable {
    let text: String

    init(text: String) {
        self.text = text
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let result = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil)
        precondition(result == 1 && length == 32, "SHA-256 is always there")
        return digest
    }
}

/// Hashes notes with this installation's key: who reads the tables can't try out what a note says.
struct ContentHasher: Sendable {
    /// With what hashes of this way of hashing begin.
    static let version = "2:"

    private let key: [UInt8]
    private let prefix: String

    /// - Parameter key: 32 random bytes, at least one.
    init(key: [UInt8]) {
        self.key = key
        prefix =
            Self.version + Self.hexadecimal(ContentHash.sha256(Array("content hash key ".utf8) + key).prefix(4)) + ":"
    }

    func hash(_ note: KeepNote) -> ContentHash {
        hash(note, isUntitled: note.untitledNumber != nil)
    }

    /// The hash of a note with the title `Note #N` as if a person had given that title; nil for any other note.
    func hashIfTitled(_ note: KeepNote) -> ContentHash? {
        note.untitledNumber == nil ? nil : hash(note, isUntitled: false)
    }

    /// The hash of a note as if its title were its position's.
    func hashIfUntitled(_ note: KeepNote) -> ContentHash { hash(note, isUntitled: true) }

    /// A stored hash, if it can be compared: one made with another key, or in another way, says nothing.
    func comparable(_ stored: ContentHash?) -> ContentHash? {
        stored.flatMap { $0.text.hasPrefix(prefix) ? $0 : nil }
    }

    /// What stands for a token or a name in the name of a gate: 64 bits of a keyed hash, in hexadecimal.
    func gateKey(_ text: String) -> String {
        // No list of fields begins so.
        Self.hexadecimal(authenticationCode(Array("gate ".utf8) + text.utf8).prefix(8))
    }

    private func hash(_ note: KeepNote, isUntitled: Bool) -> ContentHash {
        var fields = [isUntitled ? "untitled" : "titled", isUntitled ? "" : note.title]
        fields.append(note.content)
        fields.append(String(note.labels.count))
        fields += note.labels.sorted()
        fields += note.images.map { "\($0.id)/\($0.filename)" }.sorted()
        // Each field with its length, so that no two lists of fields read the same.
        var bytes: [UInt8] = []
        for field in fields {
            bytes += "\(field.utf8.count):".utf8
            bytes += field.utf8
        }
        return ContentHash(text: prefix + Self.hexadecimal(authenticationCode(bytes)))
    }

    private func authenticationCode(_ bytes: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let result = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &code, &length)
        precondition(result != nil && length == 32, "HMAC-SHA256 is always there")
        return code
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
