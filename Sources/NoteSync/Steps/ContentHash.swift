internal import COpenSSL
internal import Foundation

/// Hash of what of a note reaches its page; two notes with the same hash make the same page.
///
/// Left out are image URLs, which are new on every fetch, and the number of a title `Note #N`, which is the note's position
/// in one response. Text form: `1:` and SHA-256 in hexadecimal; the number stands for this way of hashing.
struct ContentHash: Hashable, Sendable {
    let text: String

    init(text: String) {
        self.text = text
    }

    init(_ note: KeepNote) {
        var fields = [note.untitledNumber == nil ? "titled" : "untitled", note.untitledNumber == nil ? note.title : ""]
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
        text = "1:" + Self.hexadecimal(Self.sha256(bytes))
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let result = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil)
        precondition(result == 1 && length == 32, "SHA-256 is always there")
        return digest
    }
}
