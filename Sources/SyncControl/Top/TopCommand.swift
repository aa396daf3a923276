import ArgumentParser
import JobQueue
import Postgres
import Support
import UnixSignals

/// `syncctl top`.
struct TopCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch the whole: queue, workers, running jobs, gates, failures by cause, and rates.",
        discussion: """
            A screen that is drawn anew every few seconds; it fits into any terminal, and shows more on a wide one. q, Ctrl-C and \
            SIGTERM end it and leave the terminal as it was. Nothing is changed or locked, and each look costs the database a few \
            milliseconds.

            --json prints one look, without a terminal.

            Examples:
              syncctl top
              syncctl top --interval 10s
              syncctl top --json | jq .queue
            """
    )

    @Option(
        parsing: .unconditional,
        help: "Time between two looks, from 1ms to 1h.",
        transform: Duration.argument(upTo: .seconds(3600))
    )
    var interval = Duration.seconds(2)
    @OptionGroup var json: JSONOption

    var endsBySignals: Bool { !json.isWanted }

    func run(_ session: DatabaseSession) async throws {
        if json.isWanted { return try await TopState.load(session).json.print() }
        let screen = try FullScreen.open()
        defer { screen.close() }
        try await TopLoop(session: session, screen: screen, interval: interval).run()
    }
}

/// What the loop of the screen goes by.
private enum TopEvent: Sendable {
    case loaded(TopState)
    case failed(String)
    /// A fault that no further look mends.
    case broken(any Error)
    case resized
    case ended
}

/// Draws the screen with every look and every change of its size until it is to end.
private struct TopLoop {
    let session: DatabaseSession
    let screen: FullScreen
    let interval: Duration

    func run() async throws {
        let (events, source) = AsyncStream.makeStream(of: TopEvent.self)
        let keys = KeyReader(source)
        keys.start()
        defer { keys.stop() }
        let stops = await UnixSignalsSequence(trapping: StopSignals.all)
        let sizes = await UnixSignalsSequence(trapping: .sigwinch)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in stops { source.yield(.ended) } }
            group.addTask { for await _ in sizes { source.yield(.resized) } }
            group.addTask { [session, interval] in try await Self.load(session, every: interval, into: source) }
            defer { group.cancelAll() }
            try await draw(events)
        }
    }

    /// Looks again and again. While the database does not answer the screen says so, and keys still end it.
    private static func load(
        _ session: DatabaseSession,
        every interval: Duration,
        into source: AsyncStream<TopEvent>.Continuation
    ) async throws {
        while !Task.isCancelled {
            do {
                source.yield(.loaded(try await TopState.load(session)))
            } catch let error as PostgresError {
                source.yield(.failed("The database can't be asked, trying again: \(error.asSentence)"))
            } catch {
                source.yield(.broken(error))
                return
            }
            try await DeadlineQueue.shared.sleep(for: interval)
        }
    }

    private func draw(_ events: AsyncStream<TopEvent>) async throws {
        var (state, fault): (TopState?, String?)
        try draw(state, fault)
        for await event in events {
            switch event {
            case .loaded(let loaded): (state, fault) = (loaded, nil)
            case .failed(let message): fault = message
            case .broken(let error): throw error
            case .resized: break
            case .ended: return
            }
            try draw(state, fault)
        }
    }

    private func draw(_ state: TopState?, _ fault: String?) throws {
        let (columns, rows) = screen.size
        let lines = TopScreen(
            state: state,
            fault: fault,
            interval: interval,
            columns: columns,
            rows: rows,
            isColoured: StandardStream.output.isColoured
        ).lines
        try screen.draw(lines, rows: rows)
    }
}

/// Reads keys on a thread of its own: a read of a terminal blocks.
private final class KeyReader: Sendable {
    private let source: AsyncStream<TopEvent>.Continuation
    private let isOver = Mutex(false)

    init(_ source: AsyncStream<TopEvent>.Continuation) { self.source = source }

    private static let ends: Set<UInt8> = [UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x03, 0x04]

    func start() {
        startThread(named: "keys") { [self] in
            FullScreen.readKeys(until: { isOver.withLock { $0 } }) { key in
                guard Self.ends.contains(key) else { return true }
                source.yield(.ended)
                return false
            }
        }
    }

    func stop() { isOver.withLock { $0 = true } }
}
