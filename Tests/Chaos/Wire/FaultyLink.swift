import NIOCore
import NIOPosix
import Support

/// A TCP relay on a free port of 127.0.0.1 that can lose connections, hold what passes and go silent.
///
/// It reads in every condition, so that a sender sees nothing of it: what it holds is what a network has on its way.
final class FaultyLink: Sendable {
    /// What happens to the bytes.
    enum Condition: Sendable, Equatable {
        case pass
        case delay(milliseconds: Int)
        /// Nothing arrives, not even the end of a connection: both sides think that it is open.
        case hold
        /// What the client sends arrives, and no answer.
        case holdAnswers
        /// New connections are reset.
        case refuse
    }

    let port: Int
    let state: LinkState
    private let listener: any Channel

    /// - Parameter observe: is shown what the client sends, as it sends it.
    static func start(
        to target: Int,
        observe: @escaping @Sendable (ByteBuffer) -> Void = { _ in }
    ) async throws -> FaultyLink {
        let state = LinkState(observe: observe)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in LinkConnection.open(client, to: target, state: state) }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        return FaultyLink(port: listener.localAddress?.port ?? 0, state: state, listener: listener)
    }

    private init(port: Int, state: LinkState, listener: any Channel) {
        self.port = port
        self.state = state
        self.listener = listener
    }

    func set(_ condition: Condition) {
        state.set(condition)
    }

    /// Nothing passes any more on the connections that are open, not even their end; new ones are not affected.
    func swallow() {
        state.swallow()
    }

    /// Ends the silence of the connections that have been swallowed.
    ///
    /// - Parameter byReset: whether they are reset; else all that was sent on them arrives after all.
    func endSilence(byReset: Bool) {
        state.endSilence(byReset: byReset)
    }

    /// Holds answers from the moment when a client sends this text.
    func holdAnswers(after text: String) {
        state.holdAnswers(after: Array(text.utf8))
    }

    /// Resets every connection.
    func cut() {
        state.cut()
    }

    func stop() async {
        state.cut()
        // It was open a moment ago; if it has closed itself, all the better.
        try? await listener.close()
    }
}

/// What all connections of a link share.
final class LinkState: Sendable {
    private struct Shared {
        var condition = FaultyLink.Condition.pass
        /// What a client sends before answers are held.
        var trigger: [UInt8]?
        var connections: [ObjectIdentifier: NIOLoopBound<LinkConnection>] = [:]
    }

    private let shared = Mutex(Shared())
    let observe: @Sendable (ByteBuffer) -> Void

    init(observe: @escaping @Sendable (ByteBuffer) -> Void) { self.observe = observe }

    var condition: FaultyLink.Condition { shared.withLock { $0.condition } }

    func set(_ condition: FaultyLink.Condition) {
        let connections = shared.withLock { shared in
            shared.condition = condition
            return Array(shared.connections.values)
        }
        for connection in connections { connection.eventLoop.execute { connection.value.pump() } }
    }

    func swallow() {
        let connections = shared.withLock { Array($0.connections.values) }
        for connection in connections { connection.eventLoop.execute { connection.value.swallow() } }
    }

    func endSilence(byReset: Bool) {
        let connections = shared.withLock { Array($0.connections.values) }
        for connection in connections {
            connection.eventLoop.execute { connection.value.endSilence(byReset: byReset) }
        }
    }

    func holdAnswers(after bytes: [UInt8]) {
        shared.withLock { $0.trigger = bytes }
    }

    /// Sees what a client sends.
    func received(_ buffer: ByteBuffer) {
        observe(buffer)
        shared.withLock { shared in
            guard let trigger = shared.trigger, buffer.readableBytesView.firstRange(of: trigger) != nil else { return }
            shared.trigger = nil
            shared.condition = .holdAnswers
        }
    }

    func cut() {
        let connections = shared.withLock { Array($0.connections.values) }
        for connection in connections { connection.eventLoop.execute { connection.value.reset() } }
    }

    func add(_ connection: LinkConnection, on loop: any EventLoop) {
        let bound = NIOLoopBound(connection, eventLoop: loop)
        shared.withLock { $0.connections[ObjectIdentifier(connection)] = bound }
    }

    func remove(_ connection: LinkConnection) {
        _ = shared.withLock { $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
    }
}
