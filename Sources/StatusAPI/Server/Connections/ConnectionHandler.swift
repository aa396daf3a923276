import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Keeps a connection to its times, and tells ``ConnectionLimits`` what it does.
///
/// The head of the first request has to be there within ``headTime``; between requests the server's own idle time
/// counts, which parts of a head do not extend. From a head to the end of the answer it may take ``exchangeTime``, so
/// that neither a body that trickles in nor a reader who does not read holds a connection for longer.
///
/// Nothing more is read of a connection until it has been answered, and what the system keeps of it in either direction
/// is bounded: else whoever sends requests and takes no answers would fill the memory with both. The requests that come
/// with the first one, in the same few bytes, wait for their turn, ``mostWaiting`` of them at most.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    static let headTime = TimeAmount.seconds(5)
    static let exchangeTime = TimeAmount.seconds(30)

    /// Whole requests of a connection that wait while one is being answered. Clients that send several ahead send few.
    static let mostWaiting = 16
    /// What is read at once, and what the system keeps in each direction, as far as it is asked: twice as much.
    private static let readBytes = 8 * 1024
    private static let systemBytes = 64 * 1024

    private let limits: ConnectionLimits
    private var isOpen = false
    private var isReadWanted = false
    /// Whether a whole answer, or what there is of one, waits for its reader.
    private var isDraining = false
    /// Requests whose head has arrived and whose answer is not out.
    private var unanswered = 0
    private var isReceiving = false
    private var deadline: Scheduled<Void>?

    init(limits: ConnectionLimits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        do {
            try bound(context.channel)
            try context.pipeline.syncOperations.addHandler(FirstBytes(limits: limits), position: .first)
        } catch {
            // The connection has ended already.
            context.close(promise: nil)
        }
        if context.channel.isActive { open(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        limits.close(context.channel)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            unanswered += 1
            guard unanswered <= Self.mostWaiting + 1 else { return context.close(promise: nil) }
            isReceiving = true
            limits.requests(context.channel)
            setDeadline(Self.exchangeTime, context)
        case .body: break
        case .end:
            isReceiving = false
            if unanswered > 0 { limits.answers(context.channel) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        setDraining(true, context.channel)
        let promise = promise ?? context.eventLoop.makePromise()
        let channel = context.channel
        promise.futureResult.assumeIsolated().whenSuccess { self.answered(channel, context) }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        setDraining(!context.channel.isWritable, context.channel)
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        guard unanswered == 0 || isReceiving else {
            isReadWanted = true
            return
        }
        context.read()
    }

    private func bound(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readBytes))
        for option in [NIOBSDSocket.Option.so_sndbuf, .so_rcvbuf] {
            try options.setOption(.socketOption(option), value: SocketOptionValue(Self.systemBytes))
        }
    }

    private func setDraining(_ isDraining: Bool, _ channel: any Channel) {
        guard isDraining != self.isDraining, unanswered > 0 else { return }
        self.isDraining = isDraining
        if isDraining { limits.drains(channel) } else if !isReceiving { limits.answers(channel) }
    }

    private func open(_ context: ChannelHandlerContext) {
        guard !isOpen else { return }
        isOpen = true
        setDeadline(Self.headTime, context)
        limits.open(context.channel)?.close(promise: nil)
    }

    /// The last byte of an answer is out.
    private func answered(_ channel: any Channel, _ context: ChannelHandlerContext) {
        // What cannot be understood is answered too, and its connection then has no more time than before.
        guard unanswered > 0 else { return }
        unanswered -= 1
        isDraining = false
        guard unanswered == 0, !isReceiving else { return limits.answers(channel) }
        deadline?.cancel()
        deadline = nil
        limits.waits(channel)
        if isReadWanted {
            isReadWanted = false
            context.read()
        }
    }

    private func setDeadline(_ time: TimeAmount, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }
}

/// Tells ``ConnectionLimits`` that something has been read of a connection, once.
private final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let limits: ConnectionLimits

    init(limits: ConnectionLimits) {
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        limits.sends(context.channel)
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
