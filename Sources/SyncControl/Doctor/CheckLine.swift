import Foundation
import ServiceHealth

/// A line of `syncctl doctor`: what was checked, and what was found.
struct CheckLine: Sendable {
    enum Outcome: Sendable {
        case ok, warning, wrong
        /// This program or its role may not see it, or no answer came in time: nothing is said of it.
        case notChecked

        /// For programs.
        var word: String {
            switch self {
            case .ok: "ok"
            case .warning: "warning"
            case .wrong: "wrong"
            case .notChecked: "not_checked"
            }
        }

        /// Before the line.
        fileprivate var label: String { self == .notChecked ? "-" : word }

        /// The worst first; what is not known before what is well.
        fileprivate var rank: Int {
            switch self {
            case .wrong: 0
            case .warning: 1
            case .notChecked: 2
            case .ok: 3
            }
        }
    }

    /// What was checked: a word for programs, which stays.
    let check: String
    let outcome: Outcome
    /// What is so, without the full stop.
    let sentence: String
    /// A word for what the verdict found.
    var code: String?
    var since: Date?
    /// What to do, without the full stop.
    var advice: String?
    /// What does it, to be pasted.
    var command: String?

    static func ok(_ check: String, _ sentence: String) -> CheckLine {
        CheckLine(check: check, outcome: .ok, sentence: sentence)
    }

    static func notChecked(_ check: String, _ why: String) -> CheckLine {
        CheckLine(check: check, outcome: .notChecked, sentence: "not checked: \(why)")
    }

    init(
        check: String,
        outcome: Outcome,
        sentence: String,
        code: String? = nil,
        since: Date? = nil,
        advice: String? = nil,
        command: String? = nil
    ) {
        self.check = check
        self.outcome = outcome
        self.sentence = sentence
        self.code = code
        self.since = since
        self.advice = advice
        self.command = command
    }

    init(_ check: String, _ finding: Finding) {
        let outcome: Outcome =
            switch finding.severity {
            case .ok: .ok
            case .warning: .warning
            case .wrong: .wrong
            }
        self.init(
            check: check,
            outcome: outcome,
            sentence: finding.sentence,
            code: finding.code.rawValue,
            since: finding.since,
            advice: finding.advice,
            command: finding.command
        )
    }

    fileprivate var text: String {
        [sentence, advice].compactMap(\.self).map { $0.last == "." ? $0 : $0 + "." }.joined(separator: " ")
    }

    fileprivate var json: JSONValue {
        [
            "check": .string(check), "outcome": .string(outcome.word), "code": .string(code),
            "sentence": .string(sentence.singleLine), "since": .time(since), "advice": .string(advice),
            "command": .string(command),
        ]
    }
}

/// What `syncctl doctor` says.
struct DoctorReport {
    /// The verdict's first line.
    let headline: String
    /// The worst first, else in the order of the checks.
    let lines: [CheckLine]

    /// - Parameter verdict: what is said first unless a check finds something worse; nil: it could not be made out.
    init(verdict: (text: String, isWrong: Bool)?, lines: [CheckLine]) {
        self.lines = lines.enumerated().sorted {
            ($0.element.outcome.rank, $0.offset) < ($1.element.outcome.rank, $1.offset)
        }.map(\.element)
        let worst = verdict?.isWrong == true ? nil : self.lines.first { $0.outcome == .wrong }
        headline = worst?.text ?? verdict?.text ?? self.lines.first?.text ?? ""
    }

    var isWrong: Bool { lines.contains { $0.outcome == .wrong } }

    var json: JSONValue {
        let outcome = lines.first { $0.outcome != .notChecked }?.outcome ?? .notChecked
        return [
            "verdict": .string(headline.singleLine), "outcome": .string(outcome.word),
            "checks": .array(lines.map(\.json)),
        ]
    }

    /// The verdict, then a line for each check. Commands are not wrapped: they are pasted.
    ///
    /// - Parameter width: columns there are; nil for no bound.
    func text(width: Int?) -> String {
        var fields = FieldList(indent: 9)
        for line in lines {
            fields.add(line.outcome.label, "\(line.check): \(line.text)")
            if let command = line.command { fields.add("", "  \(command)", isWrapped: false) }
        }
        return fields.text(below: headline, width: width)
    }
}
