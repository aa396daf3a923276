import Foundation

/// What a running program has used, as Linux counts it.
extension ProgramRun {
    /// The most memory it has had, in MiB.
    public var peakMemory: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            guard let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
                throw SpawnError(description: "no VmHWM in \(status)")
            }
            return kilobytes / 1024
        }
    }

    /// The time of a processor it has had.
    public var processorTime: Duration {
        get throws {
            let text = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
            // Its name, in brackets, may have spaces.
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
                throw SpawnError(description: "no times in \(text)")
            }
            return .milliseconds((user + system) * 1000 / sysconf(Int32(_SC_CLK_TCK)))
        }
    }
}
