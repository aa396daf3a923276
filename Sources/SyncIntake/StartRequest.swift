import Foundation
import JobQueue
import NIOCore
import StatusAPI

/// What a caller of `POST /internal/sync/execute` asks for.
///
/// The gateway names the job whose row it has inserted; the admin interface names none. Members that are not known
/// here, such as `main_database_name`, are passed over.
struct StartRequest: Sendable, Equatable {
    var job: JobID
    var user: UserID
    var isFullSync: Bool

    /// Largest body that is read.
    static let maximumBytes = 64 * 1024
    /// As the column holds, in Unicode scalars.
    private static let userLength = 1...255

    /// - Throws: ``InvalidBody`` that names every member that is wrong; `BadRequest` for a job that is no UUID.
    init(json: ByteBuffer, contentType: String?) throws {
        guard Self.isJSON(contentType) else {
            throw InvalidBody(
                type: "json_type",
                path: [],
                message: "The body must be JSON: Content-Type application/json"
            )
        }
        let members: Members
        do {
            members = try JSONDecoder().decode(Members.self, from: Data(json.readableBytesView))
        } catch {
            throw InvalidBody(type: "json_invalid", path: [], message: "The body must be a JSON object")
        }
        guard members.problems.isEmpty else { throw InvalidBody(problems: members.problems) }
        guard let id = members.job.isEmpty ? JobID() : JobID(parsing: members.job) else {
            throw BadRequest(detail: "Invalid job_id format")
        }
        job = id
        user = UserID(members.user)
        isFullSync = members.isFullSync
    }

    /// A body without a type is taken as JSON, as the service that this one replaces took it.
    private static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return true }
        let type = contentType.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        return type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json"))
    }

    /// The members as they stand in the body, and what is wrong with them.
    private struct Members: Decodable {
        var job = ""
        var user = ""
        var isFullSync = false
        var problems: [InvalidBody.Problem] = []

        private enum Key: String, CodingKey {
            case job = "job_id"
            case user = "user_id"
            case isFullSync = "full_sync"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            readUser(container)
            do {
                job = try container.decodeIfPresent(String.self, forKey: .job) ?? ""
            } catch {
                reject(.job, "string_type", "Input should be a valid string")
            }
            do {
                if container.contains(.isFullSync) { isFullSync = try container.decode(Bool.self, forKey: .isFullSync) }
            } catch {
                reject(.isFullSync, "bool_type", "Input should be a valid boolean")
            }
        }

        private mutating func readUser(_ container: KeyedDecodingContainer<Key>) {
            guard container.contains(.user) else { return reject(.user, "missing", "Field required") }
            do {
                user = try container.decode(String.self, forKey: .user)
            } catch {
                return reject(.user, "string_type", "Input should be a valid string")
            }
            let isBlank = user.allSatisfy(\.isWhitespace)
            if isBlank || !userLength.contains(user.unicodeScalars.count) || user.utf8.contains(0) {
                reject(.user, "string_length", "Input should have 1 to 255 characters, not all blank, none of them NUL")
            }
        }

        private mutating func reject(_ key: Key, _ type: String, _ message: String) {
            problems.append(InvalidBody.Problem(type: type, path: [key.rawValue], message: message))
        }
    }
}

/// A body that cannot be understood, answered with 422 in the form that callers of the replaced service know.
struct InvalidBody: Error, Equatable {
    struct Problem: Sendable, Equatable {
        var type: String
        /// The member, from the outside in; empty for the body itself.
        var path: [String]
        var message: String
    }

    var problems: [Problem]

    init(problems: [Problem]) {
        self.problems = problems
    }

    init(type: String, path: [String], message: String) {
        problems = [Problem(type: type, path: path, message: message)]
    }

    /// `{"detail": [{"type", "loc", "msg"}]}`
    var json: JSONValue {
        let list = problems.map { problem -> JSONValue in
            [
                "type": .string(problem.type),
                "loc": .array((["body"] + problem.path).map { .string($0) }),
                "msg": .string(problem.message),
            ]
        }
        return ["detail": .array(list)]
    }
}
