public import Postgres

/// The name of a gate: `PEER` for all calls of a peer, `PEER/SCOPE/KEY` for those of one token, account or workspace.
public struct GateName: RawRepresentable, Hashable, Sendable, PostgresScalar, CustomStringConvertible {
    /// Whose calls pass a gate.
    public enum Scope: String, Sendable, CaseIterable {
        case peer, token, account, workspace
    }

    public let rawValue: String

    /// A name as a table or a person says it; see ``isWellFormed``.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The gate of all calls of a peer.
    public init(_ peer: Peer) {
        rawValue = peer.rawValue
    }

    /// The gate of one token, account or workspace at a peer.
    ///
    /// - Parameter key: a keyed hash; the name stands in tables and lists.
    public init(_ peer: Peer, _ scope: Scope, key: String) {
        rawValue = "\(peer.rawValue)/\(scope.rawValue)/\(key)"
    }

    /// The peer; nil if it is none that this program knows.
    public var peer: Peer? { rawValue.split(separator: "/").first.flatMap { Peer(rawValue: String($0)) } }

    public var scope: Scope {
        let parts = rawValue.split(separator: "/")
        return parts.count == 3 ? Scope(rawValue: String(parts[1])) ?? .peer : .peer
    }

    /// Whether it names a gate that calls can pass.
    public var isWellFormed: Bool {
        let parts = rawValue.split(separator: "/", omittingEmptySubsequences: false)
        guard peer != nil else { return false }
        return parts.count == 1 || parts.count == 3 && scope != .peer && !parts[2].isEmpty
    }

    public var description: String { rawValue }
}
