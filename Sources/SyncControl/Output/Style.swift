import Foundation
import Support

/// How a part of a text stands out on a terminal.
enum Style: String, Sendable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"

    /// The text between the sequences that switch the style on and off (ECMA-48, SGR).
    func applied(to text: String) -> String {
        text.isEmpty ? text : "\u{1B}[\(rawValue)m\(text)\u{1B}[0m"
    }

    /// Of a word that says how a job, a worker or a gate stands; nil: it is nothing to look at.
    static func ofState(_ word: String) -> Style? {
        switch word {
        case "failed", "dead", "out of order", "critical", "error": .red
        case "closed", "silent", "slowed", "warning", "stuck", "pending": .yellow
        case "running", "alive", "open", "applied", "ok": .green
        case "cancelled", "resolved": .dim
        default: nil
        }
    }

    /// Of a remark: a fault begins with an exclamation mark.
    static func ofRemark(_ text: String) -> Style? { text.hasPrefix("! ") ? .yellow : nil }
}

/// Whether this program uses colours: `--color`.
enum ColourChoice: String, CaseIterable, Sendable {
    /// Where the stream is a terminal that shows them and `NO_COLOR` is not set (https://no-color.org).
    case auto
    case always
    case never

    private static let chosen = Mutex(ColourChoice.auto)

    /// What the command line asks for.
    static var current: ColourChoice {
        get { chosen.withLock { $0 } }
        set { chosen.withLock { $0 = newValue } }
    }

    /// Takes the option out of the words of a command line, wherever it stands before `--`: every command has it.
    ///
    /// - Returns: the other words, and why the option can't be used; nil: it can, or is not there.
    static func taken(from words: some Sequence<String>) -> (rest: [String], choice: ColourChoice?, fault: String?) {
        var rest: [String] = []
        var choice: ColourChoice?
        var words = Array(words)[...]
        while let word = words.popFirst() {
            if word == "--" { return (rest + [word] + words, choice, nil) }
            guard let option = names.first(where: { word == $0 || word.hasPrefix("\($0)=") }) else {
                rest.append(word)
                continue
            }
            let value = word == option ? words.popFirst() ?? "" : String(word.dropFirst(option.count + 1))
            guard let found = ColourChoice(rawValue: value.lowercased()) else { return (rest, nil, fault(value)) }
            choice = found
        }
        return (rest, choice, nil)
    }

    private static let names = ["--color", "--colour"]

    private static func fault(_ value: String) -> String {
        let words = allCases.map(\.rawValue)
        let given = value.isEmpty ? "--color needs a value." : "\"\(value.singleLine)\" is no value of --color."
        let question = value.isEmpty ? "" : Likeness.question(value, among: words)
        return "\(given)\(question) There are: \(words.joined(separator: ", "))."
    }
}

extension StandardStream {
    /// Whether colours are used on it.
    var isColoured: Bool {
        switch ColourChoice.current {
        case .always: return true
        case .never: return false
        case .auto:
            let environment = ProcessInfo.processInfo.environment
            return isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        }
    }
}
