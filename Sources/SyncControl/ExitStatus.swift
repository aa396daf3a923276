import ArgumentParser

/// The exit codes of the program, those of BSD's sysexits where it has one.
enum ExitStatus: Int32, CaseIterable {
    case done = 0
    case failed = 1
    case mostNotesFailed = 2
    case notesFailed = 3
    case usage = 64
    case unusableInput = 65
    case notFound = 66
    case unavailable = 69
    case internalFault = 70
    case outputFailed = 74
    case stillRunning = 75
    case configuration = 78
    case hungUp = 129
    case interrupted = 130
    case terminated = 143

    /// What the code means, for `--help`.
    var meaning: String {
        switch self {
        case .done: "done; of a job that was waited for: completed with all its notes"
        case .failed: "the job failed or was cancelled; refused; migrations are pending"
        case .mostNotesFailed: "the job completed, but more than half of its notes failed"
        case .notesFailed: "the job completed, but some of its notes failed, half at most"
        case .usage: "wrong arguments"
        case .unusableInput: "what stands on stdin can't be used"
        case .notFound: "no such job, no such user"
        case .unavailable: "the database can't be reached, or has not confirmed what was asked for"
        case .internalFault: "a fault of this program, or an answer it did not expect"
        case .outputFailed: "the output can't be written"
        case .stillRunning: "--timeout has passed and the job has not ended"
        case .configuration: "a variable is wrong, or the database is not migrated"
        case .hungUp: "stopped as its terminal was closed"
        case .interrupted: "stopped by Ctrl-C, which ends no job that was watched"
        case .terminated: "stopped by SIGTERM"
        }
    }

    /// The list of all codes, a line each.
    static var table: String {
        allCases.map { status in
            let code = String(status.rawValue)
            return "  " + String(repeating: " ", count: 3 - code.count) + "\(code)  \(status.meaning)"
        }.joined(separator: "\n")
    }

    var code: ExitCode { ExitCode(rawValue) }
}
