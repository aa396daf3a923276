internal import Foundation

/// A note of a fetched list that can't be used, with as much of it as could be read.
struct UnusableNote: Error {
    /// Position in the list, from 1.
    var position: Int
    /// The note's id, if it is one that can be recorded.
    var id: String?
    var modifiedAt: KeepTimestamp?
    /// Names the field.
    var reason: String
}

extension KeepNote {
    /// Longest id that the tables hold, in characters.
    static let maximumIDLength = 255

    /// Decodes one element of a fetched list.
    ///
    /// - Throws: `UnusableNote`, which names the field in the way.
    static func decode(_ json: Data, position: Int) throws(UnusableNote) -> KeepNote {
        let decoder = JSONDecoder()
        let wire: Wire
        do {
            wire = try decode(json, decoder)
        } catch {
            // What can be read of it lets the note be remembered as failed.
            let identity = try? decoder.decode(Identity.self, from: LoneSurrogates.replaced(in: json) ?? json)
            throw UnusableNote(
                position: position,
                id: identity?.id.flatMap { Self.idFault($0) == nil ? $0 : nil },
                modifiedAt: identity?.modified_at.flatMap { KeepTimestamp($0) },
                reason: isTooDeep(json) ? "nested more than \(deepestNesting) levels deep" : describe(error)
            )
        }
        if let fault = idFault(wire.id) {
            throw UnusableNote(position: position, id: nil, modifiedAt: nil, reason: fault)
        }
        guard let modifiedAt = KeepTimestamp(wire.modified_at) else {
            throw UnusableNote(
                position: position,
                id: wire.id,
                modifiedAt: nil,
                reason: "field modified_at is not an ISO 8601 time"
            )
        }
        return KeepNote(
            id: wire.id,
            title: wire.title,
            content: wire.content,
            createdAt: wire.created_at ?? modifiedAt.naiveText,
            modifiedAt: modifiedAt,
            labels: wire.labels ?? [],
            images: (wire.images ?? []).map { Image(id: $0.id, filename: $0.filename ?? $0.id, url: $0.s3_url) },
            position: position
        )
    }

    /// A text with half of a surrogate pair, which a phone can write, is read with a replacement character in its
    /// place.
    private static func decode(_ json: Data, _ decoder: JSONDecoder) throws -> Wire {
        do {
            return try decoder.decode(Wire.self, from: json)
        } catch {
            guard let repaired = LoneSurrogates.replaced(in: json) else { throw error }
            return try decoder.decode(Wire.self, from: repaired)
        }
    }

    /// Who a note is, of JSON that is too long to be decoded, or that can't be.
    static func identity(_ fields: NoteFieldScanner) -> (id: String?, modifiedAt: KeepTimestamp?) {
        let id = fields.text(of: "id").flatMap { idFault($0) == nil ? $0 : nil }
        return (id, fields.text(of: "modified_at").flatMap { KeepTimestamp($0) })
    }

    private static func idFault(_ id: String) -> String? {
        if id.isEmpty { return "field id is empty" }
        if id.unicodeScalars.count > maximumIDLength { return "field id is longer than \(maximumIDLength) characters" }
        if id.utf8.contains(0) { return "field id holds a NUL character" }
        // Two of those that differ in it alone would be one.
        if id.unicodeScalars.contains("\u{fffd}") { return "field id holds half of a surrogate pair" }
        return nil
    }

    /// As deep as Foundation's decoder goes.
    private static let deepestNesting = 512

    private static func isTooDeep(_ json: Data) -> Bool {
        var depth = 0
        var isInString = false
        var isEscaped = false
        for byte in json {
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\") where isInString: isEscaped = true
            case UInt8(ascii: "\""): isInString.toggle()
            case UInt8(ascii: "{") where !isInString, UInt8(ascii: "[") where !isInString: depth += 1
            case UInt8(ascii: "}") where !isInString, UInt8(ascii: "]") where !isInString: depth -= 1
            default: break
            }
            if depth > deepestNesting { return true }
        }
        return false
    }

    private static func describe(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "not readable as a note" }
        func name(_ path: [any CodingKey]) -> String {
            path.reduce(into: "") { name, key in
                if let index = key.intValue {
                    name += "[\(index)]"
                } else {
                    name += (name.isEmpty ? "" : ".") + key.stringValue
                }
            }
        }
        switch error {
        case .keyNotFound(let key, let context): return "field \(name(context.codingPath + [key])) is missing"
        case .valueNotFound(_, let context): return "field \(name(context.codingPath)) is null"
        case .typeMismatch(let type, let context): return "field \(name(context.codingPath)) is not of type \(type)"
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty ? "not valid JSON" : "field \(name(context.codingPath)) can't be read"
        @unknown default: return "not readable as a note"
        }
    }

    // The extractor's field names.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    private struct Wire: Decodable {
        struct Image: Decodable {
            var id: String
            var filename: String?
            var s3_url: String?
        }

        var id: String
        var title: String
        var content: String
        var created_at: String?
        var modified_at: String
        var labels: [String]?
        var images: [Image]?
    }

    // swift-format-ignore: AlwaysUseLowerCamelCase
    private struct Identity: Decodable {
        var id: String?
        var modified_at: String?

        private enum CodingKeys: String, CodingKey {
            case id, modified_at
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            // Each as far as it can be read; the other must not suffer.
            id = try? container.decode(String.self, forKey: .id)
            modified_at = try? container.decode(String.self, forKey: .modified_at)
        }
    }
}
