import Foundation

/// The description of the API that `/openapi.json` answers.
struct OpenAPIDocument: Sendable {
    let bytes: [UInt8]

    /// The module's own description, with the members of another merged into it.
    ///
    /// - Parameter addition: an OpenAPI document as JSON; nil for none. Where both have a member that is no object, the
    ///   addition's counts.
    init(adding addition: [UInt8]?) {
        let base = PackageResources.openapi_json
        guard let addition else {
            bytes = base
            return
        }
        do {
            let merged = Self.merge(try Self.object(base), try Self.object(addition))
            bytes = Array(try JSONSerialization.data(withJSONObject: merged, options: [.sortedKeys]))
        } catch {
            // Both are compiled in.
            preconditionFailure("the description of the API is no JSON: \(error)")
        }
    }

    private static func object(_ bytes: [UInt8]) throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
            throw CocoaError(.fileReadCorruptFile)
        }
        return object
    }

    private static func merge(_ base: [String: Any], _ addition: [String: Any]) -> [String: Any] {
        base.merging(addition) { old, new in
            guard let old = old as? [String: Any], let new = new as? [String: Any] else { return new }
            return merge(old, new)
        }
    }
}
