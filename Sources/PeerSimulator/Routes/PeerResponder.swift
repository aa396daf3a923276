import Hummingbird
import Logging
import ServiceLifecycle

/// The way of every call: latency, then the fault plan, then the work, then its answer as it is or spoiled.
struct PeerResponder: Sendable {
    let simulator: Simulator

    func respond(
        to call: PeerCall,
        in context: SimulatorRequestContext,
        work: () async throws -> PeerAnswer
    ) async throws -> Response {
        let decision = simulator.faults.decide(call)
        return try await simulator.calls.during(call, fault: decision.fault) {
            try await answer(call, decision, in: context, work: work)
        }
    }

    private func answer(
        _ call: PeerCall,
        _ decision: FaultDecision,
        in context: SimulatorRequestContext,
        work: () async throws -> PeerAnswer
    ) async throws -> Response {
        let fixed = call.operation == .health ? 0 : simulator.settings.latencyMilliseconds
        try await pause(decision.latency + .milliseconds(fixed))
        guard let fault = decision.fault else { return try await work().response }

        context.logger.debug("Fault", metadata: ["operation": "\(call.operation)", "fault": "\(fault)"])
        if let refusal = try fault.refusal(call.operation) { return refusal.response }
        if case .drop(.before, let reset) = fault { throw await context.dropConnection(reset: reset) }
        if case .hang(let seconds, .before) = fault { try await pause(.seconds(seconds)) }
        let answer = try await work()
        if case .hang(let seconds, .after) = fault { try await pause(.seconds(seconds)) }
        return try await fault.spoil(answer, of: call.operation, in: context)
    }

    /// Waits, and ends early by throwing when the simulator is asked to stop.
    private func pause(_ duration: Duration) async throws {
        guard duration > .zero else { return }
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }
}
