/// All figures as a Markdown table, with the machine and the settings they hold for.
struct MarkdownReport {
    private let report: BenchReport

    init(_ report: BenchReport) {
        self.report = report
    }

    var text: String {
        var lines = [
            "| measured | value | limit | ratio | goal | |",
            "|---|--:|---|--:|--:|---|",
        ]
        for command in report.ordered {
            for figure in command.figures { lines.append(row(figure)) }
        }
        lines.append("")
        lines += machine
        for command in report.ordered {
            let settings = command.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            lines.append("- `\(command.command)`: \(settings.joined(separator: ", "))")
            lines += Set(command.notes).sorted().map { "  - \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func row(_ figure: Figure) -> String {
        let limits = figure.limits.map { "\(format($0.value)): \($0.name)" }.joined(separator: "<br>")
        let ratios = figure.limits.map { format(figure.ratio(to: $0)) }.joined(separator: "<br>")
        let verdict = figure.isReached.map { $0 ? "reached" : "missed" } ?? ""
        let cells = [
            figure.name, "\(format(figure.value)) \(figure.unit)", limits, ratios, figure.goal?.text ?? "", verdict,
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    private var machine: [String] {
        guard let first = report.ordered.first else { return [] }
        let machine = first.machine
        let server = first.server
        let names = ["fsync", "synchronous_commit", "shared_buffers", "file system"]
        let settings = names.compactMap { name in server[name].map { "\(name) \($0)" } }
        return [
            "\(machine.processor), \(machine.cores) cores, \(machine.memory), \(machine.kernel); version \(machine.version); "
                + "PostgreSQL \(server["server_version"] ?? "?"): \(settings.joined(separator: ", ")). "
                + "Medians of rounds in turns with their limits; the server, the workers and the peer share the machine.",
            "",
        ]
    }
}
