import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Settings

/// The HTTP server with all its routes and limits.
enum SidecarServer {
    static let serviceName = "sync_service"

    /// Connections open at once; more wait in the backlog.
    private static let connections = 1024
    /// Requests answered at once; more are refused.
    private static let requests = 256
    /// A connection that sends nothing for so long is closed.
    private static let idleTimeout = TimeAmount.seconds(30)
    /// All header fields of a request together.
    private static let headerBytes = 16 * 1024

    /// - Parameter onReady: told the address once the server listens.
    static func application(
        _ sidecar: Sidecar,
        settings: SidecarSettings,
        logger: Logger,
        onReady: @escaping @Sendable (String) -> Void
    ) -> some Service {
        let host = settings.host
        let port = settings.port
        return Application(
            router: router(sidecar),
            server: .http1(
                configuration: .init(
                    idleTimeout: idleTimeout,
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: headerBytes,
                        maxHeaderListSize: headerBytes,
                        maxHeaderFieldCount: 100
                    )
                )
            ),
            configuration: .init(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(connections, logger: logger)
            ),
            onServerRunning: { channel in
                let authority = host.contains(":") ? "[\(host)]" : host
                onReady("\(authority):\(channel.localAddress?.port ?? port)")
            },
            logger: logger
        )
    }

    static func router(_ sidecar: Sidecar) -> Router<SidecarContext> {
        let router = Router(context: SidecarContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: FixedHeaders())
        router.add(middleware: RequestLimits(maximum: requests))
        router.add(middleware: ErrorAnswers())
        router.add(middleware: MethodFilter(paths: SidecarPath.all))
        JobRoutes(sidecar: sidecar).add(to: router)
        HealthRoutes(sidecar: sidecar).add(to: router)
        MetricsRoutes(sidecar: sidecar).add(to: router)
        PageRoutes(sidecar: sidecar).add(to: router)
        RootRoutes(sidecar: sidecar).add(to: router)
        return router
    }
}
