import Foundation

/// How a program ended.
public enum ProgramExit: Sendable, Equatable {
    case code(Int32)
    case signal(Int32)
}

/// A running program of this package, or any other, whose output is kept line by line.
public final class ProgramRun: Sendable {
    private let child: ChildProcess
    private let name: String

    /// Starts a built product of this package by its name.
    ///
    /// `environment` goes over that of the test process.
    public static func start(
        _ product: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        readsOutput: Bool = true
    ) throws -> ProgramRun {
        try ProgramRun(
            executable: path(of: product),
            arguments,
            environment: environment,
            readsOutput: readsOutput
        )
    }

    /// Where a built product of this package is.
    public static func path(of product: String) -> String { builtProducts.appending(path: product).path }

    /// Starts the program at a path.
    ///
    /// - Parameter readsOutput: whether its standard output is read from the start; otherwise from ``readOutput()`` on,
    ///   and until then its pipe fills up.
    public init(
        executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        readsOutput: Bool = true
    ) throws {
        name = (executable as NSString).lastPathComponent
        child = try ChildProcess(
            executable: executable,
            arguments: arguments,
            environment: ProcessInfo.processInfo.environment.merging(environment) { _, given in given },
            readsOutput: readsOutput
        )
    }

    deinit {
        child.closeInput()
        child.send(signal: SIGKILL)
    }

    public var processID: Int32 { child.processID }

    /// The lines it wrote to its standard output so far.
    public var standardOutput: [String] { child.output }

    /// The lines it wrote to its standard error so far.
    public var standardError: [String] { child.errorOutput }

    /// Begins to read its standard output.
    public func readOutput() {
        child.readOutput()
    }

    /// Whether the process has ended, whatever of its output is still to be read.
    public var hasEnded: Bool { child.hasEnded }

    /// How it ended; nil while it runs or its output is still to be read.
    public var exit: ProgramExit? { child.exit }

    public func send(signal: Int32) {
        child.send(signal: signal)
    }

    /// Writes to its standard input.
    public func write(_ text: String) throws {
        try child.write(text)
    }

    /// Ends its standard input.
    public func closeInput() {
        child.closeInput()
    }

    /// The first line, of output or error, that contains a text; throws ``DeadlinePassed``, or at once if the program
    /// ended without such a line.
    @discardableResult
    public func waitForLine(containing text: String, within limit: Duration = .seconds(20)) async throws -> String {
        var found: String?
        try await eventually(within: limit, "a line of \(name) containing \"\(text)\"") {
            let hasEnded = exit != nil
            found = (standardOutput + standardError).first { $0.contains(text) }
            if found == nil, hasEnded {
                throw SpawnError(description: "\(name) ended without a line containing \"\(text)\":\n\(transcript)")
            }
            return found != nil
        }
        return found ?? ""
    }

    /// How it ends; throws ``DeadlinePassed`` if it does not.
    @discardableResult
    public func waitForExit(within limit: Duration = .seconds(20)) async throws -> ProgramExit {
        try await eventually(within: limit, "the end of \(name)") { exit != nil }
        return exit ?? .code(-1)
    }

    /// Kills it and waits until it is gone.
    public func kill() async {
        child.send(signal: SIGKILL)
        // After SIGKILL the wait ends but for a process stuck in the kernel, where going on is best.
        try? await eventually(within: .seconds(10), "the death of \(name)") { child.hasEnded }
    }

    /// All that it wrote so far, for the message of a failed expectation.
    public var transcript: String {
        (standardOutput.map { "out: \($0)" } + standardError.map { "err: \($0)" }).joined(separator: "\n")
    }

    /// The folder of the built products: that of the running test bundle.
    private static var builtProducts: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }
}

/// Runs a built product for the time of `body`, and kills it if it still runs afterwards.
public func withProgram<R>(
    _ product: String,
    _ arguments: [String] = [],
    environment: [String: String] = [:],
    _ body: (ProgramRun) async throws -> R
) async throws -> R {
    let run = try ProgramRun.start(product, arguments, environment: environment)
    do {
        let result = try await body(run)
        await run.kill()
        return result
    } catch {
        await run.kill()
        throw error
    }
}
