import Foundation
import Support

/// A bar on the terminal that shows how far a measurement is; nothing where there is no terminal.
final class ProgressBar: Sendable {
    private struct State {
        var steps: Int
        var done = 0
        var label = ""
    }

    private let state: Mutex<State>
    private let isShown = isatty(STDERR_FILENO) == 1
    private let began = ContinuousClock.now
    private static let width = 24

    /// - Parameter steps: how many there will be.
    init(steps: Int) {
        state = Mutex(State(steps: max(steps, 1)))
    }

    /// Begins the next step.
    func begin(_ label: String) {
        state.withLock { $0.label = label }
        show(within: 0)
    }

    /// How far the present step is, from 0 to 1.
    func show(within fraction: Double) {
        guard isShown else { return }
        let (done, label) = state.withLock { (min((Double($0.done) + fraction) / Double($0.steps), 1), $0.label) }
        let full = Int(done * Double(Self.width))
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: Self.width - full)
        let elapsed = Int((ContinuousClock.now - began).inSeconds)
        write("\r\u{1B}[2K\(bar) \(Int(done * 100)) % \(elapsed) s  \(label)")
    }

    /// Ends the present step.
    func end() {
        state.withLock { $0.done += 1 }
        show(within: 0)
    }

    /// Takes the bar away.
    func finish() {
        if isShown { write("\r\u{1B}[2K") }
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
