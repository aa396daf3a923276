/// A command's figures as a table for the terminal.
struct TextReport {
    private let report: CommandReport

    init(_ report: CommandReport) {
        self.report = report
    }

    var text: String {
        let header = ["", "measured", "limit", "", "ratio", "goal", ""]
        var rows = [header]
        for figure in report.figures {
            let value = "\(format(figure.value)) \(figure.unit)"
            let verdict = figure.isReached.map { $0 ? "reached" : "missed" } ?? ""
            if figure.limits.isEmpty { rows.append([figure.name, value, "", "", "", "", ""]) }
            for (index, limit) in figure.limits.enumerated() {
                let isFirst = index == 0
                rows.append([
                    isFirst ? figure.name : "", isFirst ? value : "", format(limit.value), limit.name,
                    format(figure.ratio(to: limit)), isFirst ? figure.goal?.text ?? "" : "", isFirst ? verdict : "",
                ])
            }
            for detail in figure.details {
                rows.append(["  \(detail.name)", "\(format(detail.value)) \(detail.unit)", "", "", "", "", ""])
            }
        }
        let settings = report.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let title = "\(report.command): \(settings.joined(separator: ", ")) (\(Int(report.seconds)) s)"
        return ([title] + Self.aligned(rows) + report.notes.map { "note: \($0)" }).joined(separator: "\n") + "\n"
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let columns = rows.first?.indices ?? 0..<0
        let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = columns.map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }
                .joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
