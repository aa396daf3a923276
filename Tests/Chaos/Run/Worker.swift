import ChaosChecker
import Foundation
import NIOCore
import Support
import TestSupport

/// One process of `sync-worker`, with wires of its own to everything it talks to.
final class Worker: Sendable {
    /// Name in the tables and logs, and `application_name`; new for every process.
    let name: String
    let run: ProgramRun
    /// To the database as many as there are servers.
    private let wires: [Attack.Wire: [FaultyLink]]
    private let state = Mutex(State())

    struct State {
        var isPaused = false
        var wasAskedToStop = false
        var wasKilled = false
        var silent: Set<Attack.Wire> = []
    }

    private init(name: String, run: ProgramRun, wires: [Attack.Wire: [FaultyLink]]) {
        self.name = name
        self.run = run
        self.wires = wires
    }

    /// What a worker has to be told.
    struct Surroundings: Sendable {
        var executable: String?
        var databasePorts: [Int]
        /// Leads to the database when the ports of its servers are put in.
        var databaseURL: @Sendable (_ ports: [Int], _ worker: String) -> String
        var peers: Peers
        var key: String
        var settings: [String: String]
        /// User to the token by which the user's requests are known on the wire.
        var tokens: [String: String]
        var sends: SendLog
    }

    static func start(_ name: String, in surroundings: Surroundings) async throws -> Worker {
        let tokens = surroundings.tokens
        let sends = surroundings.sends
        var database: [FaultyLink] = []
        for port in surroundings.databasePorts { database.append(try await FaultyLink.start(to: port)) }
        let extractor = try await FaultyLink.start(to: surroundings.peers.extractorPort)
        let writer = try await FaultyLink.start(to: surroundings.peers.writerPort) { buffer in
            let text = String(decoding: buffer.readableBytesView, as: UTF8.self)
            for (user, token) in tokens where text.contains(token) {
                sends.add(worker: name, user: user, text: Secrets.beginning(in: text))
            }
        }
        var environment = surroundings.settings
        environment["DATABASE_URL"] = surroundings.databaseURL(database.map(\.port), name)
        environment["KEEP_EXTRACTOR_URL"] = "http://127.0.0.1:\(extractor.port)"
        environment["NOTION_WRITER_URL"] = "http://127.0.0.1:\(writer.port)"
        environment["AWS_ENCRYPTION_KEY"] = surroundings.key
        environment["SYNC_WORKER_NAME"] = name
        let run =
            if let executable = surroundings.executable {
                try ProgramRun(executable: executable, environment: environment)
            } else {
                try ProgramRun.start("sync-worker", environment: environment)
            }
        return Worker(
            name: name,
            run: run,
            wires: [.database: database, .extractor: [extractor], .writer: [writer]]
        )
    }

    func links(_ wire: Attack.Wire) -> [FaultyLink] { wires[wire] ?? [] }

    /// Whether its process is there and not being taken down.
    var isUp: Bool { run.exit == nil && state.withLock { !$0.wasAskedToStop && !$0.wasKilled } }

    var isReady: Bool { isUp && run.standardOutput.contains { $0.contains("Ready.") } }

    func kill() async {
        state.withLock { $0.wasKilled = true }
        await run.kill()
    }

    /// - Returns: whether it was not paused already.
    func pause() -> Bool {
        let isFirst = state.withLock { state in
            defer { state.isPaused = true }
            return !state.isPaused
        }
        if isFirst { run.send(signal: SIGSTOP) }
        return isFirst
    }

    /// - Returns: whether no connection of that wire was silent.
    func beginSilence(_ wire: Attack.Wire) -> Bool { state.withLock { $0.silent.insert(wire).inserted } }

    func endSilence(_ wire: Attack.Wire) {
        state.withLock { _ = $0.silent.remove(wire) }
    }

    /// - Returns: whether it was paused.
    func goOn() -> Bool {
        let wasPaused = state.withLock { state in
            defer { state.isPaused = false }
            return state.isPaused
        }
        if wasPaused { run.send(signal: SIGCONT) }
        return wasPaused
    }

    /// Asks it to stop and waits; kills it if it does not.
    ///
    /// - Parameter mustEnd: whether it counts as an end of its own when it had to be killed.
    func stop(within limit: Duration, mustEnd: Bool) async {
        state.withLock { $0.wasAskedToStop = true }
        run.send(signal: SIGTERM)
        do {
            try await run.waitForExit(within: limit)
        } catch {
            state.withLock { $0.wasKilled = !mustEnd }
            await run.kill()
        }
    }

    func heal() {
        for wire in wires.values.joined() {
            // What was held does not come back: whoever waits for it must not have to wait for a timeout of minutes.
            if wire.state.condition == .hold { wire.cut() }
            wire.set(.pass)
        }
    }

    func unplug() async {
        for wire in wires.values.joined() { await wire.stop() }
    }

    /// How it ended, unless it was killed.
    var exit: History.Exit? {
        guard let exit = run.exit, state.withLock({ !$0.wasKilled }) else { return nil }
        let how =
            switch exit {
            case .code(let code): "code \(code)"
            case .signal(let signal): "signal \(signal)"
            }
        return History.Exit(worker: name, how: how, wasAsked: state.withLock { $0.wasAskedToStop })
    }
}

/// The requests that left the workers, as the wires saw them.
final class SendLog: Sendable {
    private let sends = Mutex<[History.Send]>([])

    func add(worker: String, user: String, text: String?) {
        let send = History.Send(worker: worker, user: user, at: Clock.now, text: text)
        sends.withLock { $0.append(send) }
    }

    var all: [History.Send] { sends.withLock { $0 } }
}
