import HTTPTypes
import Hummingbird
import NIOCore
import Support

/// Counts every call of one peer, its status and its bytes.
struct RequestRecorder: RouterMiddleware {
    let peer: Peer
    let log: RequestLog

    func handle(
        _ request: Request,
        context: SimulatorRequestContext,
        next: @concurrent (Request, SimulatorRequestContext) async throws -> Response
    ) async throws -> Response {
        // What a person looks at and the control API are no calls of the peer.
        guard let route = Self.route(request, context) else { return try await next(request, context) }
        let bytesIn = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        do {
            let response = try await next(request, context)
            log.record(peer, route: route, status: String(response.status.code), bytesIn: bytesIn)
            return counting(response)
        } catch let error as ConnectionDropped {
            log.record(peer, route: route, status: "closed", bytesIn: bytesIn)
            throw error
        } catch let error as any HTTPResponseError {
            log.record(peer, route: route, status: String(error.status.code), bytesIn: bytesIn)
            throw error
        }
    }

    private static func route(_ request: Request, _ context: SimulatorRequestContext) -> String? {
        let path = request.uri.path
        guard path.hasPrefix("/internal/") || path == "/health" else { return nil }
        return "\(request.method.rawValue) \(context.endpointPath ?? path)"
    }

    private func counting(_ response: Response) -> Response {
        if let length = response.body.contentLength {
            log.recordBytesOut(peer, length)
            return response
        }
        var response = response
        let (log, peer) = (log, peer)
        response.body = response.body.map { buffer in
            log.recordBytesOut(peer, buffer.readableBytes)
            return buffer
        }
        return response
    }
}
