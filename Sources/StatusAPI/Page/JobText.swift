import JobQueue

/// A job's facts as the pages write them.
enum JobText {
    /// The beginning of the identifier, enough to tell jobs apart on a page.
    static func brief(_ id: JobID) -> String {
        String(id.description.prefix(8))
    }

    /// A user's identifier as far as it takes to recognise the user: two characters and the domain.
    static func masked(_ user: UserID) -> String {
        let parts = user.rawValue.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first.map { "\($0.prefix(2))…" } ?? "…"
        return parts.count == 2 ? "\(name)@\(parts[1])" : name
    }

    static func progress(_ job: JobRecord) -> HTML {
        guard job.totalNotes > 0 else {
            return job.status == .running
                ? "<progress aria-label=\"Fetching notes\"></progress> fetching notes" : "no notes"
        }
        let settled = min(max(0, job.processedNotes + job.failedNotes), job.totalNotes)
        let failed: HTML = job.failedNotes > 0 ? ", <span class=\"bad\">\(job.failedNotes) failed</span>" : ""
        return """
            <progress max="\(job.totalNotes)" value="\(settled)" aria-label="Notes settled"></progress> \
            \(settled) of \(job.totalNotes) notes\(failed)
            """
    }
}

/// Durations for people.
enum DurationText {
    /// `4 s`, `3 min`, `2 h`, `5 d`.
    static func brief(_ duration: Duration) -> String {
        let seconds = Int(max(duration, .zero).components.seconds)
        return switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) d"
        }
    }
}
