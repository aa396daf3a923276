package import FlowControl
package import JobQueue

extension PauseScope {
    /// The command that ends the pause.
    package var resumption: String {
        switch self {
        case .all: "syncctl resume all"
        case .peer(let name): "syncctl resume --peer \(ShellWord.quoted(name))"
        case .user(let user): user.shellCommand(withOption: "syncctl resume")
        }
    }

    /// Whether no job at all begins.
    package var keepsEverything: Bool { if case .user = self { false } else { true } }
}

extension Peer {
    /// The gates that every job passes: what is fetched is to be written.
    package static var gates: [String] { allCases.map(\.rawValue) }
}
