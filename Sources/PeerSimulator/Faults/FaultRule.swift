import Foundation

/// Which of the two.
enum Peer: String, Sendable, Codable, CaseIterable { case extractor, writer }

/// What a call to a peer is about.
enum Operation: String, Sendable, Codable, CaseIterable { case health, auth, notes, create, update }

/// A call, as far as fault rules look at it.
struct PeerCall: Sendable {
    let peer: Peer
    let operation: Operation
    var username: String?
    var databaseID: String?
    var pageID: String?
    var title: String?
    var content: String?
    var labels: [String] = []
    var filenames: [String] = []
    var idempotencyKey: String?
}

/// One rule of a fault plan: which calls, how often, and what happens to them.
struct FaultRule: Sendable {
    /// Calls of this peer; nil for both.
    let peer: Peer?
    /// Calls of this kind; nil for any.
    let operation: Operation?
    /// All of these must hold; empty for every call.
    let match: [Criterion: String]
    /// 0…1, drawn anew for each call.
    let probability: Double
    /// Strikes at most so often; nil without end.
    let times: Int?
    /// Spares the first so many calls that it matches.
    let after: Int
    let fault: Fault
    /// The rule as it was given.
    let source: JSONValue

    enum Criterion: String, Sendable, CaseIterable {
        case title
        case titleContains = "title_contains"
        case contentContains = "content_contains"
        case pageID = "page_id"
        case databaseID = "database_id"
        case username
    }

    func matches(_ call: PeerCall) -> Bool {
        if let peer, peer != call.peer { return false }
        if let operation, operation != call.operation { return false }
        return match.allSatisfy { criterion, value in
            switch criterion {
            case .title: call.title == value
            case .titleContains: call.title?.contains(value) ?? false
            case .contentContains: call.content?.contains(value) ?? false
            case .pageID: call.pageID == value
            case .databaseID: call.databaseID == value
            case .username: call.username == value
            }
        }
    }
}

extension FaultRule {
    private static let keys: Set<String> = ["peer", "operation", "match", "probability", "times", "after", "fault"]

    /// A plan: a JSON array of rules.
    ///
    /// - Throws: `PeerSimulatorError` (`invalidFaultPlan`) that names the rule and what is wrong with it.
    static func plan(json: Data) throws -> [FaultRule] {
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: json)
        } catch {
            throw PeerSimulatorError(.invalidFaultPlan, "The fault plan is not valid JSON", cause: error)
        }
        guard case .array(let rules) = value else {
            throw PeerSimulatorError(.invalidFaultPlan, "A fault plan is a JSON array of rules")
        }
        return try rules.enumerated().map { index, rule in
            do {
                return try FaultRule(json: rule)
            } catch let error as PeerSimulatorError {
                throw PeerSimulatorError(.invalidFaultPlan, "Rule \(index + 1) of the fault plan: \(error.message)")
            }
        }
    }

    /// The short form of a command line: `KIND=PROBABILITY`, or `PEER.OPERATION:KIND=PROBABILITY`.
    init(shorthand: String) throws {
        let parts = shorthand.split(separator: ":", maxSplits: 1).map(String.init)
        let assignment = (parts.last ?? "").split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count <= 2, assignment.count == 2, let probability = Double(assignment[1]) else {
            throw PeerSimulatorError(.invalidFaultPlan, "\"\(shorthand)\" is not [PEER.OPERATION:]KIND=PROBABILITY")
        }
        var members: [String: JSONValue] = [
            "probability": .number(probability), "fault": .object(["kind": .string(assignment[0])]),
        ]
        if parts.count == 2 {
            let scope = parts[0].split(separator: ".", maxSplits: 1).map(String.init)
            members["peer"] = .string(scope[0])
            if scope.count == 2 { members["operation"] = .string(scope[1]) }
        }
        try self.init(json: .object(members))
    }

    init(json: JSONValue) throws {
        guard case .object(let members) = json else {
            throw PeerSimulatorError(.invalidFaultPlan, "it must be a JSON object")
        }
        if let unknown = members.keys.sorted().first(where: { !Self.keys.contains($0) }) {
            throw PeerSimulatorError(
                .invalidFaultPlan,
                "unknown member \"\(unknown)\"; known are \(Self.keys.sorted().joined(separator: ", "))"
            )
        }
        guard let fault = members["fault"] else { throw PeerSimulatorError(.invalidFaultPlan, "it needs a \"fault\"") }
        self.peer = try Self.choice(members["peer"], named: "peer")
        self.operation = try Self.choice(members["operation"], named: "operation")
        self.match = try Self.criteria(members["match"])
        self.probability = members["probability"]?.doubleValue ?? 1
        guard (0...1).contains(probability), members["probability"].map({ $0.doubleValue != nil }) ?? true else {
            throw PeerSimulatorError(.invalidFaultPlan, "\"probability\" must be a number from 0 to 1")
        }
        self.times = try Self.count(members["times"], named: "times")
        self.after = try Self.count(members["after"], named: "after") ?? 0
        self.fault = try Fault(json: fault)
        self.source = json
    }

    private static func count(_ value: JSONValue?, named name: String) throws -> Int? {
        guard let value, value != .null else { return nil }
        guard let count = value.integerValue, count >= 0 else {
            throw PeerSimulatorError(.invalidFaultPlan, "\"\(name)\" must be a whole number, 0 or more, or null")
        }
        return count
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: JSONValue?,
        named name: String
    ) throws -> Choice? {
        guard let value, value != .null, value != .string("any") else { return nil }
        guard let text = value.stringValue, let choice = Choice(rawValue: text) else {
            let allowed = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw PeerSimulatorError(.invalidFaultPlan, "\"\(name)\" must be one of \(allowed), any")
        }
        return choice
    }

    private static func criteria(_ value: JSONValue?) throws -> [Criterion: String] {
        guard let value, value != .null else { return [:] }
        guard case .object(let members) = value else {
            throw PeerSimulatorError(.invalidFaultPlan, "\"match\" must be a JSON object")
        }
        var criteria: [Criterion: String] = [:]
        for (name, value) in members {
            guard let criterion = Criterion(rawValue: name), let text = value.stringValue else {
                let allowed = Criterion.allCases.map(\.rawValue).joined(separator: ", ")
                throw PeerSimulatorError(.invalidFaultPlan, "\"match\" knows \(allowed), each with a string")
            }
            criteria[criterion] = text
        }
        return criteria
    }
}
