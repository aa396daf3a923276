internal import CProcess

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What keeps the keys and tokens in this process's memory from its neighbours.
package enum ProcessSecrecy {
    /// From now on other processes of the same user can neither attach to this one nor read its memory and environment,
    /// and it leaves no core dump. A program calls it before it reads its settings.
    ///
    /// - Returns: what the system refused; nil if nothing.
    package static func protect() -> String? {
        var limits = rlimit(rlim_cur: 0, rlim_max: 0)
        guard setrlimit(core, &limits) == 0 else {
            return "no limit of core dumps: \(String(cString: strerror(errno)))"
        }
        guard cprocess_forbid_dumps() == 0 else { return "dumpable: \(String(cString: strerror(errno)))" }
        return nil
    }

    #if canImport(Glibc)
        private static let core = __rlimit_resource_t(RLIMIT_CORE.rawValue)
    #else
        private static let core = RLIMIT_CORE
    #endif
}
