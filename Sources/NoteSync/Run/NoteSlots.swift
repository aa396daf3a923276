internal import Support

/// The places in which the notes of one job are written, each within one of the worker's; who comes first goes first.
///
/// A slot is free when what was written in it is durable. Whoever has just written a note can hand its slot to the next
/// with the record of it: the outcome of the one and the intent of the other are then committed together, one commit
/// for a note instead of two, and a crash still leaves at most one unknown write a slot.
final class NoteSlots: Sendable {
    /// How a note has come to its slot.
    enum Admission: Sendable {
        /// It was free; nothing is committed for the note yet.
        case free
        /// It was handed over; what became of committing the note's intent.
        case handedOver(NoteJournal.Commit)
    }

    /// A note that waits for a slot.
    final class Candidate: Sendable {
        /// What is to be committed before its request is sent.
        let intent: JournalEntry
        fileprivate let id: UInt64
        fileprivate let continuation: CheckedContinuation<Admission?, Never>

        fileprivate init(intent: JournalEntry, id: UInt64, continuation: CheckedContinuation<Admission?, Never>) {
            self.intent = intent
            self.id = id
            self.continuation = continuation
        }

        /// Gives it the slot, its intent having been committed, or not.
        func admit(_ outcome: NoteJournal.Commit) {
            continuation.resume(returning: .handedOver(outcome))
        }
    }

    private struct State {
        var free: Int
        var candidates: [Candidate] = []
        var nextID: UInt64 = 0
        /// Places of the worker that are taken; nil: none is any more, whatever is under way.
        var places: Int? = 0
    }

    private let state: Mutex<State>
    private let workerSlots: ConcurrencyLimiter

    init(limit: Int, within workerSlots: ConcurrencyLimiter) {
        state = Mutex(State(free: limit))
        self.workerSlots = workerSlots
    }

    /// Returns when a slot is the caller's.
    ///
    /// - Throws: `CancellationError` if cancelled while waiting; then none is.
    func enter(with intent: JournalEntry) async throws -> Admission {
        guard let admission = await admission(intent) else { throw CancellationError() }
        guard case .free = admission else { return admission }
        guard await workerSlots.acquire() else {
            giveBack()
            throw CancellationError()
        }
        let isTaken = state.withLock { state in
            state.places? += 1
            return state.places != nil
        }
        if isTaken { return admission }
        workerSlots.release()
        giveBack()
        throw CancellationError()
    }

    /// Gives the caller's slot back; what was written in it must be durable.
    func leave() {
        let hadPlace = state.withLock { state in
            state.places? -= 1
            return state.places != nil
        }
        if hadPlace { workerSlots.release() }
        giveBack()
    }

    /// Gives the worker's places to other jobs at once, as this one was taken from the worker: what it has sent is
    /// heard out beside them. No slot is entered from then on.
    func leavePlaces() {
        let places = state.withLock { state in
            defer { state.places = nil }
            return state.places ?? 0
        }
        for _ in 0..<places { workerSlots.release() }
    }

    /// The note that is to have the caller's slot, whose intent the caller sees to; nil if none waits, or another job
    /// waits for the worker's place.
    func handOver() -> Candidate? {
        guard workerSlots.waiting == 0 else { return nil }
        return state.withLock { $0.candidates.isEmpty ? nil : $0.candidates.removeFirst() }
    }

    /// - Returns: nil if cancelled.
    private func admission(_ intent: JournalEntry) async -> Admission? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Admission?? = state.withLock { state in
                    if Task.isCancelled { return .some(nil) }
                    if state.free > 0 {
                        state.free -= 1
                        return .free
                    }
                    state.candidates.append(Candidate(intent: intent, id: id, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let candidate = state.withLock { state in
                state.candidates.firstIndex { $0.id == id }.map { state.candidates.remove(at: $0) }
            }
            candidate?.continuation.resume(returning: nil)
        }
    }

    private func giveBack() {
        let next: Candidate? = state.withLock { state in
            if state.candidates.isEmpty {
                state.free += 1
                return nil
            }
            return state.candidates.removeFirst()
        }
        next?.continuation.resume(returning: .free)
    }
}
