import NIOCore
import Support

/// Which connections are open, and which has to go when there are too many.
///
/// A new connection is always taken while one is open that waits for a request, for the rest of one, or for its
/// reader to take an answer: the one that has waited longest is closed for it, of the same address where that address
/// has its share already. One of which nothing has been read is spared for a second, as on a busy machine its request
/// may lie there whole; one of which the beginning of a head has been read for a moment; one that has sent a whole
/// head, or whose answer is ready, for a second from then on. Where all are spared, those that have sent a head give
/// way to each other, and so do those that have not, as they are more. So whoever sends whole requests is answered,
/// probes above all, however many others send half of one or nothing. Where it is not one address that has too many,
/// the one with most gives way. Only when all connections, or all of that address, are being answered is the new one
/// closed.
final class ConnectionLimits: Sendable {
    private struct Connection {
        let channel: any Channel
        let address: String
        /// Until when it is spared.
        var sparedUntil: ContinuousClock.Instant
        /// Whether a whole head has come.
        var isKnown = false
        /// Its place among those that wait, the longest first; nil while a whole request is being answered.
        var waitsSince: UInt64?
    }

    private struct Crowd {
        var count = 0
        var oldest: (id: ObjectIdentifier, since: UInt64)?

        mutating func add(_ id: ObjectIdentifier, _ since: UInt64) {
            count += 1
            if oldest.map({ since < $0.since }) ?? true { oldest = (id, since) }
        }
    }

    private struct State {
        var connections: [ObjectIdentifier: Connection] = [:]
        var countByAddress: [String: Int] = [:]
        /// Counts what begins to wait.
        var clock: UInt64 = 0

        mutating func tick() -> UInt64 {
            clock += 1
            return clock
        }

        mutating func remove(_ id: ObjectIdentifier) {
            guard let connection = connections.removeValue(forKey: id) else { return }
            let count = (countByAddress[connection.address] ?? 1) - 1
            countByAddress[connection.address] = count > 0 ? count : nil
        }

        /// The one that is to go: which has waited longest of those that are spared no more, or else of the larger
        /// crowd, of those that have sent a head and those that have not. So neither crowd pushes out the other.
        func oldestWaiting(of address: String?) -> ObjectIdentifier? {
            let now = ContinuousClock.now
            var (overdue, known, unknown) = (Crowd(), Crowd(), Crowd())
            for (id, connection) in connections where address == nil || connection.address == address {
                guard let since = connection.waitsSince else { continue }
                if connection.sparedUntil <= now {
                    overdue.add(id, since)
                } else if connection.isKnown {
                    known.add(id, since)
                } else {
                    unknown.add(id, since)
                }
            }
            return overdue.oldest?.id ?? (known.count > unknown.count ? known : unknown).oldest?.id
        }

        /// The address with most connections.
        var mostFrequentAddress: String? { countByAddress.max { $0.value < $1.value }?.key }
    }

    private let maximum: Int
    private let maximumPerAddress: Int
    private let spareTime: Duration
    private let state = Mutex(State())

    /// Connections open at once, where the system lets this program have so many files.
    private static let connections = 1024
    /// Of one address.
    private static let connectionsPerAddress = 256
    /// Files and connections of the program itself.
    private static let ownFiles = 128

    /// As many as the system allows; raises the limit of open files where it may.
    static func fitting() -> ConnectionLimits {
        let files = OpenFiles.raise(toward: connections + ownFiles)
        let maximum = min(connections, max(16, files - ownFiles))
        return ConnectionLimits(maximum: maximum, maximumPerAddress: min(connectionsPerAddress, maximum))
    }

    init(maximum: Int, maximumPerAddress: Int, spareTime: Duration = .seconds(1)) {
        self.maximum = maximum
        self.spareTime = spareTime
        self.maximumPerAddress = maximumPerAddress
    }

    /// Counts a new connection, which waits for its first request.
    ///
    /// - Returns: the connection to close; it may be the new one.
    func open(_ channel: any Channel) -> (any Channel)? {
        let address = Self.address(of: channel)
        return state.withLock { state in
            var victim: (any Channel)?
            let isShareUsed = (state.countByAddress[address] ?? 0) >= maximumPerAddress
            if isShareUsed || state.connections.count >= maximum {
                let id =
                    state.oldestWaiting(of: isShareUsed ? address : state.mostFrequentAddress)
                    ?? (isShareUsed ? nil : state.oldestWaiting(of: nil))
                guard let id else { return channel }
                victim = state.connections[id]?.channel
                state.remove(id)
            }
            let id = ObjectIdentifier(channel)
            state.connections[id] = Connection(
                channel: channel,
                address: address,
                sparedUntil: .now + spareTime,
                waitsSince: state.tick()
            )
            state.countByAddress[address, default: 0] += 1
            return victim
        }
    }

    /// Whether no connection is open.
    var isEmpty: Bool { state.withLock { $0.connections.isEmpty } }

    /// Returns when no connection has been open for so long, or when the task is cancelled.
    func untilQuiet(for time: Duration) async {
        // Looked at often rather than told of each closing: it is asked for once in the life of a program.
        let step = Duration.milliseconds(50)
        var quiet = Duration.zero
        while quiet < time, !Task.isCancelled {
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: step)
            quiet = isEmpty ? quiet + step : .zero
        }
    }

    /// The first bytes have been read; if the head is not whole, its rest comes in a moment or not at all.
    func sends(_ channel: any Channel) {
        change(channel) { $0.sparedUntil = min($0.sparedUntil, .now + spareTime / 10) }
    }

    /// A whole head has arrived.
    func requests(_ channel: any Channel) {
        change(channel) { $0.isKnown = true }
        renew(channel)
    }

    /// A whole request has arrived.
    func answers(_ channel: any Channel) {
        change(channel) { $0.waitsSince = nil }
    }

    /// An answer lies ready and has not been taken, or not as fast as it is made: its reader is waited for.
    func drains(_ channel: any Channel) {
        renew(channel)
    }

    /// All requests are answered.
    func waits(_ channel: any Channel) {
        renew(channel)
    }

    private func renew(_ channel: any Channel) {
        state.withLock { state in
            let now = state.tick()
            state.connections[ObjectIdentifier(channel)]?.waitsSince = now
            state.connections[ObjectIdentifier(channel)]?.sparedUntil = .now + spareTime
        }
    }

    private func change(_ channel: any Channel, _ change: (inout Connection) -> Void) {
        state.withLock { state in
            if let index = state.connections.index(forKey: ObjectIdentifier(channel)) {
                change(&state.connections.values[index])
            }
        }
    }

    func close(_ channel: any Channel) {
        state.withLock { $0.remove(ObjectIdentifier(channel)) }
    }

    /// What counts as one address: of IPv6 a network of 64 bits, as one machine may have all of it.
    static func address(of channel: any Channel) -> String {
        guard let remote = channel.remoteAddress else { return "" }
        guard case .v6 = remote else { return remote.ipAddress ?? "" }
        return remote.withSockAddr { address, size in
            // `sin6_addr` stands behind family, port and flow.
            let bytes = UnsafeRawBufferPointer(start: address, count: size).dropFirst(8).prefix(16)
            let isMapped =
                bytes.prefix(10).allSatisfy { $0 == 0 } && bytes.dropFirst(10).prefix(2).allSatisfy { $0 == 0xFF }
            return bytes.prefix(isMapped ? 16 : 8).map { String($0, radix: 16) }.joined(separator: ":")
        }
    }
}
