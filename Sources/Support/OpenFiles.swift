#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// This machine's limit of open files for the process: files, connections and pipes alike.
package enum OpenFiles {
    /// How many may be open at once (`ulimit -n`).
    package static var limit: Int { Int(clamping: limits.rlim_cur) }

    /// What is wrong when no further file can be opened.
    package static var exhaustion: String { "this machine's limit of open files (\(limit)) is reached" }

    /// Where the limit is set.
    package static let advice =
        "Raise it: ulimit -n in a shell, LimitNOFILE= in a systemd unit, --ulimit nofile= of a container."

    /// Raises the limit as far as this process may, if it is below what is needed.
    ///
    /// - Returns: the limit that holds from now on.
    package static func raise(toward needed: Int) -> Int {
        var limits = limits
        guard limits.rlim_cur < rlim_t(needed), limits.rlim_cur < limits.rlim_max else { return limit }
        limits.rlim_cur = limits.rlim_max
        // What is refused changes nothing, and the caller sees it.
        _ = setrlimit(resource, &limits)
        return limit
    }

    /// Whether hardly any file can be opened at this moment. For finding out why something failed.
    package static var areExhausted: Bool {
        var opened: [Int32] = []
        defer { for descriptor in opened { close(descriptor) } }
        for _ in 0..<few {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return isExhaustion(errno) }
            opened.append(descriptor)
        }
        return false
    }

    /// Whether an error number says that no further file can be opened.
    package static func isExhaustion(_ number: Int32) -> Bool { number == EMFILE || number == ENFILE }

    /// As many as one call takes for a moment: a socket, and a pipe to the thread that resolves its host.
    private static let few = 4

    private static var limits: rlimit {
        var limits = rlimit()
        // Can't fail with a resource that exists.
        _ = getrlimit(resource, &limits)
        return limits
    }

    #if canImport(Glibc)
        private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #else
        private static var resource: Int32 { RLIMIT_NOFILE }
    #endif
}

extension OpenFiles {
    /// Raises the limit toward what is needed, as far as this process may.
    ///
    /// - Parameters:
    ///   - least: below which the program can do nothing.
    ///   - program: for the message, as `a worker`.
    /// - Returns: the limit that holds from now on.
    /// - Throws: ``TooFewOpenFiles``.
    package static func require(least: Int, needed: Int, by program: String) throws -> Int {
        let limit = raise(toward: needed)
        guard limit >= least else {
            throw TooFewOpenFiles(program: program, limit: limit, least: least, needed: needed)
        }
        return limit
    }
}

extension OpenFiles {
    /// As many as the runtime library and the reading of settings take.
    package static let leastToStart = 16

    /// Ends the process, with a message and the exit status of a wrong configuration, if it may open too few files to
    /// start: below that the runtime library ends it by a trap, or a file seems to be missing. The first thing that a
    /// program does, before it waits for anything.
    ///
    /// - Parameters:
    ///   - least: what the program needs to do anything, for the message.
    ///   - name: for the message, as `a worker`.
    package static func endUnlessEnough(
        for program: String,
        least: Int = leastToStart,
        by name: String = "this program"
    ) {
        if raise(toward: leastToStart) < leastToStart {
            let fault = TooFewOpenFiles(program: name, limit: limit, least: least, needed: nil)
            let line = Array("\(program): \(fault)\n".utf8)
            // There is nobody to tell if that fails.
            _ = write(STDERR_FILENO, line, line.count)
            _exit(78)
        }
    }
}

/// The limit of open files is too low for a program to do anything.
package struct TooFewOpenFiles: Error, CustomStringConvertible {
    let program: String
    let limit: Int
    let least: Int
    /// With the settings; nil where they have not been read.
    let needed: Int?

    package var description: String {
        "This machine's limit of open files is \(limit); \(program) needs \(least) at least\(more). "
            + OpenFiles.advice
    }

    private var more: String { needed.map { $0 > least ? ", and \($0) with these settings" : "" } ?? "" }
}
