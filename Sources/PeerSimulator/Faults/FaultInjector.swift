import Support

/// What the plan has in store for one call.
struct FaultDecision: Sendable {
    var latency: Duration = .zero
    var fault: Fault?
}

/// The fault plan in force, with its counts and its random numbers.
final class FaultInjector: Sendable {
    /// A rule and what has become of it, for the control API.
    struct RuleReport: Sendable, Encodable {
        let rule: JSONValue
        /// Calls the rule matched.
        let matched: Int
        /// Calls it struck.
        let applied: Int
    }

    private struct ActiveRule {
        let rule: FaultRule
        var matched = 0
        var applied = 0
    }

    private struct State {
        var rules: [ActiveRule]
        var random: SplitMix64
    }

    private let state: Mutex<State>

    init(plan: [FaultRule], seed: UInt64) {
        state = Mutex(State(rules: plan.map { ActiveRule(rule: $0) }, random: SplitMix64(seed: seed &+ 0xFA17)))
    }

    func replace(with plan: [FaultRule]) {
        state.withLock { $0.rules = plan.map { ActiveRule(rule: $0) } }
    }

    var report: [RuleReport] {
        state.withLock { state in
            state.rules.map { RuleReport(rule: $0.rule.source, matched: $0.matched, applied: $0.applied) }
        }
    }

    /// Latencies of all rules that strike, and the fault of the first other one that does.
    func decide(_ call: PeerCall) -> FaultDecision {
        state.withLock { state in
            var decision = FaultDecision()
            for index in state.rules.indices where state.rules[index].rule.matches(call) {
                let isLatency = state.rules[index].rule.fault.isLatency
                guard decision.fault == nil || isLatency else { continue }
                guard Self.strikes(&state.rules[index], random: &state.random) else { continue }
                if case .latency(let milliseconds, let jitter) = state.rules[index].rule.fault {
                    let extra = jitter > 0 ? Int.random(in: 0...jitter, using: &state.random) : 0
                    decision.latency += .milliseconds(milliseconds + extra)
                } else {
                    decision.fault = state.rules[index].rule.fault
                }
            }
            return decision
        }
    }

    private static func strikes(_ active: inout ActiveRule, random: inout SplitMix64) -> Bool {
        active.matched += 1
        if active.matched <= active.rule.after { return false }
        if let times = active.rule.times, active.applied >= times { return false }
        if active.rule.probability < 1, Double.random(in: 0..<1, using: &random) >= active.rule.probability {
            return false
        }
        active.applied += 1
        return true
    }
}

extension Fault {
    fileprivate var isLatency: Bool { if case .latency = self { true } else { false } }
}
