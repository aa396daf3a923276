import Foundation
import Hummingbird
import Logging
import NIOCore

/// A request's context that holds the connection, so that a fault can end it without an answer.
struct SimulatorRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// Ends the connection before any byte of an answer.
    ///
    /// - Parameter reset: By RST, as a killed process's connection ends; else by an orderly FIN.
    func dropConnection(reset: Bool) async -> ConnectionDropped {
        do {
            if reset, let provider = channel as? any SocketOptionProvider {
                // Closing with a linger time of zero is what sends RST.
                try await provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            }
            try await channel.close().get()
        } catch {
            logger.debug("The client was first to close the connection", metadata: ["error": "\(error)"])
        }
        return ConnectionDropped()
    }

    /// Ends the connection once all that was written has gone out.
    func finishConnection() async -> ConnectionDropped {
        do {
            try await channel.close(mode: .output).get()
            try await channel.close().get()
        } catch {
            logger.debug("The client was first to close the connection", metadata: ["error": "\(error)"])
        }
        return ConnectionDropped()
    }
}

/// Thrown out of a handler whose connection has been closed: there is nobody to answer.
struct ConnectionDropped: Error {}
