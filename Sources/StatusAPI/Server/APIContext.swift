package import Hummingbird
import NIOCore

/// A request's context that holds the connection, to close it after an answer where that is due.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// The address that the connection was made to; nil where it has none.
    var localAddress: String? { channel.localAddress?.ipAddress }

    /// Whose connection it is, as ``ConnectionLimits`` counts.
    var visitor: String { ConnectionLimits.address(of: channel) }

    /// Closes the connection once the answer is out, whatever the client still has to send.
    package func closeAfterAnswer() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}
