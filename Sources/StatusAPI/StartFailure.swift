import NIOCore
import Postgres
package import Settings
import Support

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

    /// - Parameter address: what the program was to listen on; nil if that was not read.
    package init(_ error: any Error, address: HTTPServerSettings?) {
        let address = address.map { "\($0.host):\($0.port)" } ?? "the address"
        switch error {
        case let error as SettingsError:
            message = error.description
            exitCode = 78
        case let error as PostgresError where error.code == .invalidConfiguration:
            message = "\(error) Check DATABASE_URL."
            exitCode = 78
        case let error as PostgresError where error.code == .migrationUnknown:
            message = "\(error)"
            exitCode = 78
        case let error as TooFewOpenFiles:
            message = error.description
            exitCode = 78
        case let error as IOError where error.errnoCode == EADDRINUSE:
            message = "\(address) is taken by another program: stop that one, or set SYNC_SERVICE_PORT"
            exitCode = 69
        case let error as IOError:
            let reason = String(cString: strerror(error.errnoCode))
            message = "cannot listen on \(address): \(reason); check SYNC_SERVICE_HOST and SYNC_SERVICE_PORT"
            exitCode = 78
        case is SocketAddressError.UnknownHost:
            message = "cannot listen on \(address): the host is not known; check SYNC_SERVICE_HOST"
            exitCode = 78
        default:
            message = "\(error)"
            exitCode = 70
        }
    }
}
