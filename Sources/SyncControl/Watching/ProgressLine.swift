import Foundation
import JobQueue

/// The line of a job's progress: a bar on a terminal, plain words elsewhere.
struct ProgressLine {
    private static let barWidth = 24

    let snapshot: JobSnapshot

    /// `22:41:39  writing notes  93/150 notes, 2 failed`.
    var plain: String {
        let time = TimeText.short(snapshot.now, near: snapshot.now)
        return [time, snapshot.phase.text(now: snapshot.now), snapshot.notes].filter { !$0.isEmpty }
            .joined(separator: "  ")
    }

    /// The bar with numbers, cut to the width of the terminal.
    func bar(width: Int, isUnicode: Bool) -> String {
        // The last column stays free: some terminals begin a new line when it is filled.
        text(isUnicode: isUnicode).truncated(toWidth: max(10, width - 1))
    }

    private func text(isUnicode: Bool) -> String {
        let job = snapshot.job
        let phase = snapshot.phase.text(now: snapshot.now)
        // A job that waits has nothing to show but why.
        guard job.totalNotes > 0, job.status != .queued else {
            let elapsed = job.status == .running ? snapshot.elapsed.map(TimeText.clock) : nil
            return [elapsed, phase].compactMap(\.self).joined(separator: "  ")
        }
        let settled = min(max(0, job.processedNotes + job.failedNotes), job.totalNotes)
        let filled = settled * Self.barWidth / job.totalNotes
        let (full, empty) = isUnicode ? ("█", "░") : ("#", "-")
        let bar = String(repeating: full, count: filled) + String(repeating: empty, count: Self.barWidth - filled)
        let rate = snapshot.notesPerSecond.map { String(format: "%.1f notes/s", $0) }
        let parts = [
            "\(settled * 100 / job.totalNotes) %", snapshot.notes, rate, snapshot.elapsed.map(TimeText.clock),
            snapshot.phase == .writing() ? nil : phase,
        ]
        return (["[\(bar)]"] + parts.compactMap(\.self)).joined(separator: "  ")
    }
}
