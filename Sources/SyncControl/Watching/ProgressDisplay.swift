import Foundation
import JobQueue

/// Shows the progress of a job while it is watched.
struct ProgressDisplay {
    private enum Style {
        case none
        case lines
        case json
        case bar(isUnicode: Bool)
    }

    /// Least time between two plain lines.
    private static let pause = Duration.seconds(1)

    private let stream: StandardStream
    private let style: Style
    private var shown: JobSnapshot.Change?
    private var lastLine: ContinuousClock.Instant?
    private var isInLine = false

    private init(_ stream: StandardStream, _ style: Style) {
        self.stream = stream
        self.style = style
    }

    /// A redrawn line on a terminal, plain lines elsewhere.
    static func on(_ stream: StandardStream) -> ProgressDisplay {
        ProgressDisplay(stream, stream.isTerminal ? .bar(isUnicode: isUnicodeTerminal) : .lines)
    }

    /// A JSON object for every change.
    static func json(on stream: StandardStream) -> ProgressDisplay { ProgressDisplay(stream, .json) }

    /// A redrawn line on a terminal, nothing elsewhere.
    static func onTerminal(_ stream: StandardStream) -> ProgressDisplay {
        ProgressDisplay(stream, stream.isTerminal ? .bar(isUnicode: isUnicodeTerminal) : .none)
    }

    private static var isUnicodeTerminal: Bool {
        let environment = ProcessInfo.processInfo.environment
        // The first of them that is set decides, as in setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        return locale.lowercased().replacing("-", with: "").contains("utf8")
    }

    /// Shows a look at the job, if it says something new.
    mutating func show(_ snapshot: JobSnapshot, at now: ContinuousClock.Instant = .now) throws {
        switch style {
        case .none: break
        case .bar(let isUnicode):
            let line = ProgressLine(snapshot: snapshot).bar(width: stream.width ?? 80, isUnicode: isUnicode)
            try stream.write("\r\u{1B}[2K\(line)")
            isInLine = true
        case .lines, .json:
            let isEnd = snapshot.job.status.isFinal
            guard shown != snapshot.change, isEnd || lastLine.map({ now - $0 >= Self.pause }) ?? true else { return }
            if case .json = style {
                try stream.line(snapshot.json.text())
            } else {
                try stream.line(ProgressLine(snapshot: snapshot).plain)
            }
            shown = snapshot.change
            lastLine = now
        }
    }

    /// Ends the line that is redrawn, so that what follows begins a new one.
    mutating func endLine() {
        guard isInLine else { return }
        isInLine = false
        stream.note("")
    }

    /// Says how it ended.
    mutating func conclude(_ snapshot: JobSnapshot) throws {
        endLine()
        switch style {
        case .none, .json: return
        case .bar, .lines: break
        }
        try stream.paragraph(snapshot.conclusion)
    }
}
