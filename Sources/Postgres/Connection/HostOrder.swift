import Support

/// In which order the servers of a connection string are tried, by what all connections of this process have met.
///
/// The one that worked last comes first; those that were silent come last. A server that takes packets and says nothing
/// costs each attempt the whole connect timeout, so one that was silent a moment ago is passed over while another
/// answers, even if that one only says that it takes no writes.
final class HostOrder: Sendable {
    /// The servers of a connection string, and what is asked of them.
    struct Key: Hashable, Sendable {
        let hosts: [ServerHost]
        let requiresWriting: Bool
    }

    private struct Memory {
        var lastConnected: ServerHost?
        /// Those that have left a statement without an answer since they last took a connection.
        var doubted: Set<ServerHost> = []
        /// When an attempt to connect last met silence.
        var silentAt: [ServerHost: ContinuousClock.Instant] = [:]

        mutating func didHear(_ host: ServerHost) {
            doubted.remove(host)
            silentAt[host] = nil
        }
    }

    static let shared = HostOrder()
    /// How long a silent server is passed over while another answers. Where the others take no writes it is the one that
    /// is waited for, and a worker that is asked to stop has seven seconds in all.
    static let silentPeriod = Duration.seconds(2)
    /// What takes longer to fail is taken for silence: a refusal comes at once.
    static let longestRefusal = Duration.seconds(1)

    private let memories = Mutex<[Key: Memory]>([:])

    /// All servers, in the order in which to try them.
    func order(of key: Key) -> [ServerHost] {
        let memory = memories.withLock { $0[key] } ?? Memory()
        func rank(_ host: ServerHost) -> Int {
            if memory.silentAt[host] != nil || memory.doubted.contains(host) { return 2 }
            return host == memory.lastConnected ? 0 : 1
        }
        // By rank alone, as sorting need not keep the order of equals.
        return (0...2).flatMap { wanted in key.hosts.filter { rank($0) == wanted } }
    }

    /// Whether the server was silent a moment ago.
    func isPassedOver(_ host: ServerHost, of key: Key, now: ContinuousClock.Instant = .now) -> Bool {
        memories.withLock { $0[key]?.silentAt[host] }.map { now < $0 + Self.silentPeriod } ?? false
    }

    func didConnect(to host: ServerHost, of key: Key) {
        memories.withLock { memories in
            memories[key, default: Memory()].lastConnected = host
            memories[key]?.didHear(host)
        }
    }

    /// - Returns: whether the server has answered, by refusing.
    func didFail(toConnectTo host: ServerHost, of key: Key, after duration: Duration) -> Bool {
        let isRefusal = duration < Self.longestRefusal
        memories.withLock { memories in
            if isRefusal {
                memories[key, default: Memory()].didHear(host)
            } else {
                memories[key, default: Memory()].silentAt[host] = .now
            }
        }
        return isRefusal
    }

    /// A connection to the server has gone silent: the others are tried first, and it is not passed over.
    func doubt(_ host: ServerHost, of key: Key) {
        memories.withLock { _ = $0[key, default: Memory()].doubted.insert(host) }
    }
}
