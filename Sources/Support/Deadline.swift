/// One entry of a ``DeadlineQueue``: something that happens at a time unless it is cancelled before.
package final class Deadline: Sendable {
    enum Waiter {
        case action(@Sendable () -> Void)
        case sleeper(CheckedContinuation<Void, any Error>)

        func resume(cancelled: Bool) {
            switch self {
            case .action(let action): if !cancelled { action() }
            case .sleeper(let continuation):
                if cancelled { continuation.resume(throwing: CancellationError()) } else { continuation.resume() }
            }
        }
    }

    package let time: ContinuousClock.Instant
    // The rest is read and written under the lock of the queue only.
    /// Where it stands in the heap; nil before it was inserted and after it left.
    nonisolated(unsafe) var position: Int?
    nonisolated(unsafe) var waiter: Waiter?
    nonisolated(unsafe) var isCancelled = false

    init(time: ContinuousClock.Instant) {
        self.time = time
    }
}

/// Deadlines, the earliest first: a binary heap in which each entry knows its position, so that any of them can be
/// removed.
struct DeadlineHeap {
    private var entries: [Deadline] = []

    /// An empty heap keeps no more room than this.
    private static let keptCapacity = 1024

    var count: Int { entries.count }
    var first: Deadline? { entries.first }

    mutating func insert(_ entry: Deadline) {
        entries.append(entry)
        entry.position = entries.count - 1
        siftUp(entries.count - 1)
    }

    /// Removes an entry, which must be in this heap.
    mutating func remove(_ entry: Deadline) {
        guard let position = entry.position else { return }
        entry.position = nil
        let last = entries.removeLast()
        if last !== entry {
            place(last, at: position)
            siftUp(position)
            siftDown(position)
        }
        if entries.isEmpty, entries.capacity > Self.keptCapacity { entries = [] }
    }

    private mutating func place(_ entry: Deadline, at position: Int) {
        entries[position] = entry
        entry.position = position
    }

    private mutating func siftUp(_ start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard entries[position].time < entries[parent].time else { return }
            swap(position, parent)
            position = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var position = start
        while 2 * position + 1 < entries.count {
            let left = 2 * position + 1
            let hasRight = left + 1 < entries.count
            let child = hasRight && entries[left + 1].time < entries[left].time ? left + 1 : left
            guard entries[child].time < entries[position].time else { return }
            swap(position, child)
            position = child
        }
    }

    private mutating func swap(_ first: Int, _ second: Int) {
        let entry = entries[first]
        place(entries[second], at: first)
        place(entry, at: second)
    }
}
