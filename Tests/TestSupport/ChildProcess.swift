import Foundation
import Support

/// A child process with its standard input, output and error as pipes.
///
/// It is spawned with all signals at their defaults.
final class ChildProcess: Sendable {
    let processID: pid_t
    private let input: Int32
    private let outputPipe: Int32
    private let state = Mutex(State())

    private struct State {
        var exit: ProgramExit?
        var isInputOpen = true
        var output: [String] = []
        var errorOutput: [String] = []
        var openPipes = 2
    }

    /// Held from the making of pipes until they are marked and the child has its own: else another child, spawned in
    /// between, would inherit them and keep them open.
    private static let spawning = Mutex(())

    /// A write to a child that is gone is to fail, not to end the test process.
    private static let ignoreBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    /// - Parameter readsOutput: whether its standard output is read from the start; otherwise from ``readOutput()`` on.
    init(
        executable: String,
        arguments: [String],
        environment: [String: String],
        readsOutput: Bool = true
    ) throws {
        Self.ignoreBrokenPipes
        let (processID, input, output, errorOutput) = try Self.spawning.withLock { _ in
            let (childInput, input) = try Self.pipe()
            let (output, childOutput) = try Self.pipe()
            let (errorOutput, childError) = try Self.pipe()
            defer { [childInput, childOutput, childError].forEach { _ = close($0) } }
            let descriptors = [childInput, childOutput, childError]
            let processID = try Self.spawn(executable, arguments, environment, descriptors: descriptors)
            return (processID, input, output, errorOutput)
        }
        self.processID = processID
        self.input = input
        outputPipe = output
        if readsOutput { readOutput() }
        read(errorOutput) { $0.errorOutput.append($1) }
        awaitExit()
    }

    /// Begins to read its standard output.
    func readOutput() {
        read(outputPipe) { $0.output.append($1) }
    }

    /// How it ended, nil while it runs or while something it wrote is still to be read.
    var exit: ProgramExit? { state.withLock { $0.openPipes == 0 ? $0.exit : nil } }

    /// Whether the process itself has ended, even if a child of its own holds its pipes.
    var hasEnded: Bool { state.withLock { $0.exit != nil } }

    var output: [String] { state.withLock { $0.output } }
    var errorOutput: [String] { state.withLock { $0.errorOutput } }

    func send(signal: Int32) {
        state.withLock { state in
            // Under the lock: once its end is known, the number may belong to another process.
            if state.exit == nil {
                _ = kill(processID, signal)
            }
        }
    }

    func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        let written = state.withLock { $0.isInputOpen ? Foundation.write(input, bytes, bytes.count) : -1 }
        guard written == bytes.count else { throw SpawnError(description: "the child process reads no more") }
    }

    func closeInput() {
        state.withLock { state in
            guard state.isInputOpen else { return }
            state.isInputOpen = false
            _ = close(input)
        }
    }

    private func read(_ descriptor: Int32, _ append: @escaping @Sendable (inout State, String) -> Void) {
        DispatchQueue(label: "child.read").async { [self] in
            var pending: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = Foundation.read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                pending += buffer[..<count]
                while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: pending[..<end], as: UTF8.self)
                    pending.removeSubrange(...end)
                    state.withLock { append(&$0, line) }
                }
            }
            _ = close(descriptor)
            state.withLock { state in
                if !pending.isEmpty { append(&state, String(decoding: pending, as: UTF8.self)) }
                state.openPipes -= 1
            }
        }
    }

    private func awaitExit() {
        DispatchQueue(label: "child.wait").async { [self] in
            var info = siginfo_t()
            // WNOWAIT first, then the reaping under the lock: a signal is never sent to a number that is free again.
            while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
            state.withLock { state in
                var status: Int32 = 0
                _ = waitpid(processID, &status, 0)
                let signal = status & 0x7f
                state.exit = signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
            }
        }
    }

    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Foundation.pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
            throw SpawnError(description: "no pipe: errno \(errno)")
        }
        return (ends[0], ends[1])
    }

    private typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

    /// `posix_spawn_file_actions_addclosefrom_np` of glibc 2.34 and later, which Swift's headers of it leave out.
    private static let closeFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
        .map { unsafeBitCast($0, to: CloseFrom.self) }

    private static func spawn(
        _ executable: String,
        _ arguments: [String],
        _ environment: [String: String],
        descriptors: [Int32]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
        }
        // Not every socket of this process is marked: a connection that a child has inherited stays open when this
        // process closes it.
        _ = closeFrom?(&actions, Int32(descriptors.count))
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let words = ([executable] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (words + variables).forEach { free($0) } }
        var processID: pid_t = 0
        let failure = posix_spawn(&processID, executable, &actions, &attributes, words, variables)
        guard failure == 0 else {
            throw SpawnError(description: "cannot start \(executable): \(String(cString: strerror(failure)))")
        }
        return processID
    }
}

/// A process that could not be started or spoken to.
struct SpawnError: Error, CustomStringConvertible {
    let description: String
}
