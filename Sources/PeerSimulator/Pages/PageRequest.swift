import Foundation

/// The body of a create or an update.
struct PageRequest: Decodable, Sendable {
    struct Note: Decodable, Sendable {
        let title: String
        let content: String
        let createdAt: String
        let labels: [String]
        let images: [Image]

        private enum CodingKeys: String, CodingKey {
            case title, content, labels, images
            case createdAt = "created_at"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            title = try container.decode(String.self, forKey: .title)
            content = try container.decode(String.self, forKey: .content)
            createdAt = try container.decode(String.self, forKey: .createdAt)
            labels = container.contains(.labels) ? try container.decode([String].self, forKey: .labels) : []
            images = container.contains(.images) ? try container.decode([Image].self, forKey: .images) : []
        }
    }

    struct Image: Codable, Sendable {
        let id: String
        let s3URL: String
        let filename: String

        private enum CodingKeys: String, CodingKey {
            case id, filename
            case s3URL = "s3_url"
        }
    }

    let apiToken: String
    /// Empty in an update, which has none.
    let databaseID: String
    let note: Note

    private enum CodingKeys: String, CodingKey {
        case note
        case apiToken = "api_token"
        case databaseID = "database_id"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        apiToken = try container.decode(String.self, forKey: .apiToken)
        databaseID = try container.decodeIfPresent(String.self, forKey: .databaseID) ?? ""
        note = try container.decode(Note.self, forKey: .note)
    }
}

/// One entry of a 422's `detail`, in the form of FastAPI and Pydantic.
struct ValidationIssue: Encodable, Sendable, Equatable {
    let type: String
    let loc: [JSONValue]
    let msg: String

    static func missing(_ loc: [JSONValue]) -> Self { Self(type: "missing", loc: loc, msg: "Field required") }

    static func string(_ loc: [JSONValue]) -> Self {
        Self(type: "string_type", loc: loc, msg: "Input should be a valid string")
    }

    static func list(_ loc: [JSONValue]) -> Self {
        Self(type: "list_type", loc: loc, msg: "Input should be a valid list")
    }

    static func object(_ loc: [JSONValue]) -> Self {
        Self(
            type: "model_attributes_type",
            loc: loc,
            msg: "Input should be a valid dictionary or object to extract fields from"
        )
    }

    static let invalidJSON = Self(type: "json_invalid", loc: [.string("body"), .integer(0)], msg: "JSON decode error")
}

/// What is wrong with a body that could not be read: every fault of it, as Pydantic lists them.
struct PageRequestValidation {
    private(set) var issues: [ValidationIssue] = []

    init(body: JSONValue, needsDatabase: Bool) {
        let root: [JSONValue] = [.string("body")]
        guard case .object = body else {
            issues = [.object(root)]
            return
        }
        requireString("api_token", in: body, at: root)
        if needsDatabase { requireString("database_id", in: body, at: root) }
        guard let note = body["note"] else {
            issues.append(.missing(root + [.string("note")]))
            return
        }
        check(note: note, at: root + [.string("note")])
    }

    private mutating func check(note: JSONValue, at loc: [JSONValue]) {
        guard case .object = note else {
            issues.append(.object(loc))
            return
        }
        for name in ["title", "content", "created_at"] { requireString(name, in: note, at: loc) }
        for (index, label) in elements("labels", of: note, at: loc) where label.stringValue == nil {
            issues.append(.string(loc + [.string("labels"), .integer(index)]))
        }
        for (index, image) in elements("images", of: note, at: loc) {
            let imageLoc = loc + [.string("images"), .integer(index)]
            guard case .object = image else {
                issues.append(.object(imageLoc))
                continue
            }
            for name in ["id", "s3_url", "filename"] { requireString(name, in: image, at: imageLoc) }
        }
    }

    private mutating func requireString(_ name: String, in object: JSONValue, at loc: [JSONValue]) {
        guard let value = object[name] else {
            issues.append(.missing(loc + [.string(name)]))
            return
        }
        if value.stringValue == nil { issues.append(.string(loc + [.string(name)])) }
    }

    private mutating func elements(
        _ name: String,
        of object: JSONValue,
        at loc: [JSONValue]
    ) -> [(offset: Int, element: JSONValue)] {
        guard let value = object[name] else { return [] }
        guard case .array(let elements) = value else {
            issues.append(.list(loc + [.string(name)]))
            return []
        }
        return Array(elements.enumerated())
    }
}
