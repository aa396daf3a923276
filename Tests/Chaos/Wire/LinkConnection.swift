import Foundation
import NIOCore
import NIOPosix

/// One relayed connection: two channels on one event loop, and what is on its way in each direction.
final class LinkConnection {
    private let client: any Channel
    private let server: any Channel
    private let state: LinkState
    /// What is on its way, in each direction.
    private var toServer: [(item: Item, due: NIODeadline)] = []
    private var toClient: [(item: Item, due: NIODeadline)] = []
    private var isPumping = false
    private var isOver = false
    private var isSwallowed = false

    private enum Item {
        case bytes(ByteBuffer)
        case end
    }

    enum Side: Sendable { case client, server }

    private init(client: any Channel, server: any Channel, state: LinkState) {
        self.client = client
        self.server = server
        self.state = state
    }

    /// Connects an accepted client to the target and begins to relay.
    static func open(_ client: any Channel, to target: Int, state: LinkState) -> EventLoopFuture<Void> {
        guard state.condition != .refuse else {
            reset(client)
            return client.eventLoop.makeSucceededVoidFuture()
        }
        ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: target)
            .whenComplete { result in
                switch result {
                case .failure: reset(client)
                case .success(let server): begin(client, server, state)
                }
            }
        return client.eventLoop.makeSucceededVoidFuture()
    }

    private static func begin(_ client: any Channel, _ server: any Channel, _ state: LinkState) {
        let connection = LinkConnection(client: client, server: server, state: state)
        do {
            try client.pipeline.syncOperations.addHandler(RelayHandler(connection, .client))
            try server.pipeline.syncOperations.addHandler(RelayHandler(connection, .server))
        } catch {
            return connection.reset()
        }
        state.add(connection, on: client.eventLoop)
        for channel in [client, server] { _ = channel.setOption(.autoRead, value: true) }
    }

    fileprivate func received(_ buffer: ByteBuffer, from side: Side) {
        if side == .client { state.received(buffer) }
        enqueue(.bytes(buffer), from: side)
    }

    fileprivate func ended(_ side: Side) {
        enqueue(.end, from: side)
    }

    private func enqueue(_ item: Item, from side: Side) {
        var due = NIODeadline.now()
        if case .delay(let milliseconds) = state.condition { due = due + .milliseconds(Int64(milliseconds)) }
        switch side {
        case .client: toServer.append((item, due))
        case .server: toClient.append((item, due))
        }
        pump()
    }

    /// Passes on what is due. To write to a channel can be to hear from it at once, and so to get here again.
    func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while !isOver, passes, let (item, channel) = takeDue() {
            switch item {
            case .bytes(let buffer): channel.writeAndFlush(buffer, promise: nil)
            case .end: close()
            }
        }
        guard !isOver, passes,
            let next = [toServer.first?.due, answersPass ? toClient.first?.due : nil].compactMap({ $0 }).min()
        else { return }
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        client.eventLoop.scheduleTask(deadline: next) { bound.value.pump() }
    }

    private var passes: Bool { state.condition != .hold && !isSwallowed }
    private var answersPass: Bool { state.condition != .holdAnswers }

    /// Passes nothing on any more.
    func swallow() {
        isSwallowed = true
    }

    /// Passes on again if it has been swallowed, or is reset then.
    func endSilence(byReset: Bool) {
        guard isSwallowed else { return }
        if byReset { return reset() }
        isSwallowed = false
        pump()
    }

    private func takeDue() -> (item: Item, into: any Channel)? {
        let now = NIODeadline.now()
        if let first = toServer.first, first.due <= now { return (toServer.removeFirst().item, server) }
        guard answersPass else { return nil }
        if let first = toClient.first, first.due <= now { return (toClient.removeFirst().item, client) }
        return nil
    }

    /// Ends both sides in good order.
    private func close() {
        isOver = true
        state.remove(self)
        client.close(promise: nil)
        server.close(promise: nil)
    }

    /// Ends both sides by a reset; what was on its way is lost.
    func reset() {
        guard !isOver else { return }
        isOver = true
        state.remove(self)
        Self.reset(client)
        Self.reset(server)
    }

    /// Closing with a linger time of zero is what sends RST.
    private static func reset(_ channel: any Channel) {
        guard let provider = channel as? any SocketOptionProvider else { return channel.close(promise: nil) }
        provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Hands what a channel reads to its connection.
private final class RelayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: LinkConnection
    private let side: LinkConnection.Side

    init(_ connection: LinkConnection, _ side: LinkConnection.Side) {
        self.connection = connection
        self.side = side
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.received(unwrapInboundIn(data), from: side)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.ended(side)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
