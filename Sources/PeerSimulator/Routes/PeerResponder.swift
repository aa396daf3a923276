import Hummingbird
import Logging
import ServiceLifecycle
import Support

/// The way of every call: latency, then the fault plan, then the work, then its answer as it is or spoiled.
struct PeerResponder: Sendable {
    let simulator: Simulator

    /// Answers a call, to its end also when the caller has hung up: a server that has begun to write does not know that
    /// nobody waits for its answer any more.
    func respond(
        to call: PeerCall,
        in context: SimulatorRequestContext,
        work: @escaping @Sendable () async throws -> PeerAnswer
    ) async throws -> Response {
        let decision = simulator.faults.decide(call)
        return try await simulator.calls.during(call, fault: decision.fault) {
            // A task of its own is not cancelled with the request's.
            let answering = Task { try await answer(call, decision, in: context, work: work) }
            return try await simulator.underWay.follow(answering)
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
        if let refusal = try fault.refusal(call) { return refusal.response }
        if case .drop(.before, let reset) = fault { throw await context.dropConnection(reset: reset) }
        if case .hang(let seconds, .before) = fault { try await pause(.seconds(seconds)) }
        if case .partialWrite(let message) = fault { return try await half(work, then: message, call) }
        let answer = try await work()
        if case .afterwards(let refusal) = fault, let said = try refusal.refusal(call) { return said.response }
        if case .hang(let seconds, .after) = fault { try await pause(.seconds(seconds)) }
        return try await fault.spoil(answer, of: call.operation, in: context)
    }

    private func half(
        _ work: () async throws -> PeerAnswer,
        then message: String,
        _ call: PeerCall
    ) async throws -> Response {
        let answer = try await PageStore.$writesHalf.withValue(true) { try await work() }
        return answer.status.code < 300
            ? try Fault.message(message).refusal(call)?.response ?? answer.response : answer.response
    }

    /// Waits, and ends early by throwing when the simulator is asked to stop.
    func pause(_ duration: Duration) async throws {
        guard duration > .zero else { return }
        try await cancelWhenGracefulShutdown { try await DeadlineQueue.shared.sleep(for: duration) }
    }
}

/// The calls that are being answered, whoever still waits for them.
final class CallsUnderWay: Sendable {
    private struct State {
        var tasks: [UInt64: Task<Response, any Error>] = [:]
        var nextID: UInt64 = 0
        var isStopped = false
    }

    private let state = Mutex(State())

    /// Returns what the task does, and lets it be cancelled by `cancelAll` alone.
    func follow(_ task: Task<Response, any Error>) async throws -> Response {
        let (id, isStopped) = state.withLock { state in
            state.nextID += 1
            state.tasks[state.nextID] = task
            return (state.nextID, state.isStopped)
        }
        if isStopped { task.cancel() }
        defer { state.withLock { _ = $0.tasks.removeValue(forKey: id) } }
        return try await task.value
    }

    /// Ends them: the simulator stops.
    func cancelAll() {
        let tasks = state.withLock { state in
            state.isStopped = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
    }
}
