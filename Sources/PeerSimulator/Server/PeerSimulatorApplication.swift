import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Support

/// The ports the two peers answer on.
struct PeerPorts: Sendable, Equatable {
    let keep: Int
    let writer: Int
}

/// Both peers, each on a port of its own.
final class PeerSimulatorApplication: Service {
    let configuration: SimulatorConfiguration
    /// What the peers know, for a test that shares their process.
    let simulator: Simulator
    private let logger: Logger
    private let board = PortBoard()

    /// - Throws: `PeerSimulatorError` where the notes cannot be read.
    init(configuration: SimulatorConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        simulator = try Simulator(configuration: configuration, logger: logger)
    }

    /// The ports, once both peers listen.
    ///
    /// - Throws: What `run()` threw, where it came to that.
    func ports() async throws -> PeerPorts { try await board.ports() }

    /// Serves until told to stop.
    ///
    /// - Throws: `PeerSimulatorError` (`portTaken`, `cannotListen`).
    func run() async throws {
        do {
            let services: [any Service] = [
                application(.extractor, port: configuration.keepPort),
                application(.writer, port: configuration.writerPort),
            ]
            let group = ServiceGroup(configuration: .init(services: services, logger: serverLogger))
            try await withTaskCancellationHandler {
                try await group.run()
            } onCancel: {
                simulator.underWay.cancelAll()
            }
            board.fail(PeerSimulatorError(.stopped, "The simulator has been stopped"))
        } catch {
            board.fail(error)
            throw error
        }
    }

    private func application(_ peer: Peer, port: Int) -> some Service {
        let router = Router(context: SimulatorRequestContext.self)
        router.add(middleware: RequestRecorder(peer: peer, log: simulator.requests))
        switch peer {
        case .extractor: KeepExtractorRoutes(simulator: simulator).add(to: router)
        case .writer:
            NotionWriterRoutes(simulator: simulator).add(to: router)
            PageBrowserRoutes(simulator: simulator).add(to: router)
        }
        ControlRoutes(simulator: simulator).add(to: router)
        let board = board
        let application = Application(
            router: router,
            configuration: .init(address: .hostname(configuration.host, port: port)),
            onServerRunning: { channel in board.report(peer, port: channel.localAddress?.port ?? port) },
            logger: serverLogger
        )
        return PeerListener(peer: peer, application: application, host: configuration.host, port: port)
    }

    /// Without the server's own remarks about connections that end, which is what faults are for.
    private var serverLogger: Logger {
        var serverLogger = logger
        if logger.logLevel > .debug { serverLogger.logLevel = .critical }
        return serverLogger
    }
}

/// One peer's server, which says in words why it cannot listen.
private struct PeerListener<Server: ApplicationProtocol>: Service {
    let peer: Peer
    let application: Server
    let host: String
    let port: Int

    /// - Throws: `PeerSimulatorError` (`portTaken`, `cannotListen`).
    func run() async throws {
        do {
            try await application.run()
        } catch let error as IOError {
            let flag = peer == .extractor ? "--keep-port" : "--writer-port"
            guard error.errnoCode == EADDRINUSE else {
                throw PeerSimulatorError(.cannotListen, "Cannot listen on \(host):\(port): \(error)", cause: error)
            }
            throw PeerSimulatorError(
                .portTaken,
                "\(host):\(port) is taken: stop the program that has it, or choose another port with \(flag)",
                cause: error
            )
        }
    }
}

/// Where the peers report the ports they got, and others wait for both.
private final class PortBoard: Sendable {
    private struct State {
        var ports: [Peer: Int] = [:]
        var failure: (any Error)?
        var waiting: [CheckedContinuation<PeerPorts, any Error>] = []

        var outcome: Result<PeerPorts, any Error>? {
            if let failure { return .failure(failure) }
            guard let keep = ports[.extractor], let writer = ports[.writer] else { return nil }
            return .success(PeerPorts(keep: keep, writer: writer))
        }
    }

    private let state = Mutex(State())

    func report(_ peer: Peer, port: Int) { settle { $0.ports[peer] = port } }

    func fail(_ error: any Error) { settle { $0.failure = error } }

    func ports() async throws -> PeerPorts {
        try await withCheckedThrowingContinuation { continuation in
            let outcome = state.withLock { state in
                if state.outcome == nil { state.waiting.append(continuation) }
                return state.outcome
            }
            if let outcome { continuation.resume(with: outcome) }
        }
    }

    private func settle(_ change: (inout State) -> Void) {
        let (outcome, waiting) = state.withLock { state in
            change(&state)
            guard let outcome = state.outcome else {
                return (nil as Result<PeerPorts, any Error>?, [] as [CheckedContinuation<PeerPorts, any Error>])
            }
            defer { state.waiting = [] }
            return (outcome, state.waiting)
        }
        guard let outcome else { return }
        for continuation in waiting { continuation.resume(with: outcome) }
    }
}
