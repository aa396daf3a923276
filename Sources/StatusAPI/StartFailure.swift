import NIOCore
import Postgres
import Settings

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Why an HTTP program ended by itself, as one message and the exit code a supervisor sees.
package struct StartFailure {
    package let message: String
    /// As in BSD's sysexits: 78 wrong configuration, 69 something needed is not there, 70 anything else.
    package let exitCode: Int32

    package init(_ error: any Error) {
        switch error {
        case let error as SettingsError:
            message = error.description
            exitCode = 78
        case let error as IOError where error.errnoCode == EADDRINUSE:
            message = "the address is taken by another program: stop that one, or set SYNC_SERVICE_PORT (\(error))"
            exitCode = 69
        case let error as IOError:
            message = "cannot listen: check SYNC_SERVICE_HOST and SYNC_SERVICE_PORT (\(error))"
            exitCode = 78
        default:
            message = "\(error)"
            exitCode = 70
        }
    }
}
