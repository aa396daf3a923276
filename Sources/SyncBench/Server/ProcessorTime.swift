import Foundation

/// The processor time that processes have used, from `/proc`; its grain is a clock tick, usually 10 ms.
enum ProcessorTime {
    /// User and system time of a process with all its threads; zero once it is gone.
    static func of(_ process: Int32) -> Duration {
        fields(process).map { ticks($0[13...14]) } ?? .zero
    }

    /// Time of a process, of its children that ended and of those that run.
    static func ofTree(_ parent: Int32) -> Duration {
        let own = fields(parent).map { ticks($0[13...16]) } ?? .zero
        // Without /proc there is nothing to add.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.reduce(own) { sum, process in
            guard let fields = fields(process), fields[3] == String(parent) else { return sum }
            return sum + ticks(fields[13...16])
        }
    }

    /// Time of this process's children that have ended.
    static func ofEndedChildren() -> Duration {
        var usage = rusage()
        getrusage(RUSAGE_CHILDREN.rawValue, &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(.zero) {
            $0 + .seconds(Int64($1.tv_sec)) + .microseconds(Int64($1.tv_usec))
        }
    }

    /// Time of this process.
    static func ofSelf() -> Duration { of(getpid()) }

    /// The parent of a process.
    static func parent(of process: Int32) -> Int32? {
        fields(process).flatMap { Int32($0[3]) }
    }

    /// The columns of `/proc/PID/stat`, numbered from 0; the name is left empty, as it may hold blanks.
    private static func fields(_ process: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let columns = text[text.index(after: end)...].split(separator: " ")
        return columns.count > 20 ? ["", ""] + columns : nil
    }

    private static let tick = Duration.seconds(1) / sysconf(Int32(_SC_CLK_TCK))

    private static func ticks(_ columns: ArraySlice<Substring>) -> Duration {
        tick * columns.reduce(0) { $0 + (Int($1) ?? 0) }
    }
}

/// Nanoseconds of the clock that all processes of the machine share (`CLOCK_MONOTONIC`).
func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
