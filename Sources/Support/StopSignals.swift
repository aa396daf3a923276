package import UnixSignals

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The signals that ask a program to stop.
package enum StopSignals {
    /// SIGTERM, SIGINT and SIGHUP; without SIGHUP if whoever started the process has it ignored, as `nohup` does. To be
    /// read before anything listens for signals.
    package static let all: [UnixSignal] = isIgnored(SIGHUP) ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        // SIG_IGN is the address 1.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
