/// Who may have a connection next: first come, first served within an origin, turn by turn among origins.
///
/// curl has such limits of its own, but a transfer it holds back sees neither its deadline nor a cancellation for
/// certain, and nothing tells whether it has begun.
struct AdmissionQueue {
    /// A place among the active; given back with ``release(_:)``.
    struct Ticket: Sendable {
        let identifier: UInt64
        fileprivate let lane: Int
    }

    private struct Lane {
        var active = 0
        var waiting: [UInt64] = []
        /// Start of what still waits in `waiting`; removing at the front of an array would cost its length.
        var head = 0

        mutating func popFirst() -> UInt64? {
            guard head < waiting.count else { return nil }
            let identifier = waiting[head]
            head += 1
            if head == waiting.count {
                waiting.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024, head * 2 >= waiting.count {
                waiting.removeFirst(head)
                head = 0
            }
            return identifier
        }
    }

    private let totalLimit: Int
    private let originLimit: Int
    private var lanes: [Lane] = []
    private var laneOfOrigin: [String: Int] = [:]
    private var active = 0
    private var turn = 0

    init(totalLimit: Int, originLimit: Int) {
        self.totalLimit = max(totalLimit, 1)
        self.originLimit = max(originLimit, 1)
    }

    mutating func enqueue(_ identifier: UInt64, origin: String) {
        let lane: Int
        if let known = laneOfOrigin[origin] {
            lane = known
        } else {
            lane = lanes.count
            lanes.append(Lane())
            laneOfOrigin[origin] = lane
        }
        lanes[lane].waiting.append(identifier)
    }

    /// The next that may start, or nil. One that no longer wants to is to be released like any other.
    mutating func next() -> Ticket? {
        guard active < totalLimit else { return nil }
        for step in lanes.indices {
            let index = (turn + step) % lanes.count
            guard lanes[index].active < originLimit, let identifier = lanes[index].popFirst() else { continue }
            lanes[index].active += 1
            active += 1
            turn = index + 1
            return Ticket(identifier: identifier, lane: index)
        }
        return nil
    }

    mutating func release(_ ticket: Ticket) {
        lanes[ticket.lane].active -= 1
        active -= 1
    }
}
