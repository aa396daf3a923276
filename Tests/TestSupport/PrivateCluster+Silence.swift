import Foundation

extension PrivateCluster {
    /// Stops every process of the server where it is, so that it takes connections and says nothing, neither on them
    /// nor on those that are open: what a machine is like to others that has lost its disk or its way back.
    public nonisolated func freeze() throws {
        // The postmaster first: it has no more children then.
        for process in try [postmaster] + children(of: postmaster) { kill(process, SIGSTOP) }
    }

    /// Ends the silence that ``freeze()`` began.
    public nonisolated func thaw() throws {
        for process in try children(of: postmaster) + [postmaster] { kill(process, SIGCONT) }
    }

    private nonisolated var postmaster: pid_t {
        get throws {
            let file = try String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8)
            guard let process = file.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
                throw SpawnError(description: "the server of \(folder) does not run")
            }
            return process
        }
    }

    private nonisolated func children(of process: pid_t) throws -> [pid_t] {
        try String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
            .split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
    }
}
