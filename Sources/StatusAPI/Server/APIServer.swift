import Hummingbird
import Logging
import NIOCore
import Postgres
import ServiceLifecycle
import Settings
import Support

/// The HTTP server with all its routes and limits.
struct APIServer {
    let source: StatusSource
    let connections: ConnectionLimits
    let addition: RouteAddition?
    /// The connections of the addition's routes.
    let changes: PostgresPool
    let settings: HTTPServerSettings
    let logger: Logger

    static let serviceName = "sync_service"

    /// Requests answered at once; more are refused.
    private static let requests = 256
    /// Connections that wait to be taken, as far as the system allows. The one for which there is no room comes again
    /// after one second, then after three and seven: a probe would be late.
    private static let backlog = 4096
    /// A connection on which the next request's head is not there after so long is closed.
    private static let idleTimeout = TimeAmount.seconds(30)
    /// All header fields of a request together.
    private static let headerBytes = 16 * 1024
    /// One thread takes connections and reads them, a few at a time in turns: each has been read before many others
    /// are taken, for which ``ConnectionLimits`` might close it. A second thread that has to wait for a processor
    /// would be handed hundreds meanwhile, and close those among them whose requests lie there whole. Answers are
    /// made elsewhere.
    private static let thread = EventLoopGroupProvider.singleton.eventLoopGroup.any()

    /// Starts and aborts that come to a program that takes none.
    private static let hints: [(path: RouterPath, text: String)] = [
        "/internal/sync/execute", "/internal/sync/abort/{job_id}",
    ].map { ($0, "This is sync-sidecar, which only reads; sync-intake takes starts and aborts") }

    /// - Parameter onReady: told the address once the server listens.
    func application(libraryLogger: Logger, onReady: @escaping @Sendable (String) -> Void) -> some Service {
        let host = settings.host
        let port = settings.port
        return Application(
            router: router(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [ConnectionHandler(limits: connections)],
                    idleTimeout: Self.idleTimeout,
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Self.headerBytes,
                        maxHeaderListSize: Self.headerBytes,
                        maxHeaderFieldCount: 100
                    )
                )
            ),
            configuration: .init(address: .hostname(host, port: port), backlog: Self.backlog),
            onServerRunning: { channel in
                let authority = host.contains(":") ? "[\(host)]" : host
                onReady("\(authority):\(channel.localAddress?.port ?? port)")
            },
            eventLoopGroupProvider: .shared(Self.thread),
            logger: libraryLogger
        )
    }

    private func router() -> Router<APIContext> {
        let added = addition?.routes ?? []
        let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: FixedHeaders(drain: source.drain))
        // Whether this process lives can be said without an effort, and must be under any load.
        router.add(
            middleware: RequestLimits(
                maximum: Self.requests,
                apart: StatusPath.apart,
                unlimited: [StatusPath.live] + added.map(\.path)
            )
        )
        router.add(middleware: ErrorAnswers())
        router.add(
            middleware: VisitorFilter(
                hosts: HostPolicy(names: settings.hosts, host: settings.host),
                token: settings.token.map { AccessToken($0) }
            )
        )
        router.add(middleware: MethodFilter(routes: StatusPath.routes + added, hints: Self.hints))
        JobRoutes(source: source).add(to: router)
        HealthRoutes(source: source).add(to: router)
        MetricsRoutes(source: source).add(to: router)
        PageRoutes(source: source).add(to: router)
        RootRoutes(source: source, openAPI: OpenAPIDocument(adding: addition?.openAPI)).add(to: router)
        addition?.add(router, source, changes, logger)
        return router
    }
}
