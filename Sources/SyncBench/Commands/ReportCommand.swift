import ArgumentParser
import Foundation

/// Draws the table and plots of a file of figures.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draws the table and the plot of a file that --json wrote."
    )

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, markdown, svg
    }

    @Argument(help: "The file.") var file: String
    @Option(help: "How to draw on standard output.") var format = Format.text
    @Option(
        help: ArgumentHelp("Write report.txt, report.md and report.svg into this folder instead.", valueName: "folder")
    )
    var output: String?

    func run() async throws {
        let report = try BenchReport.read(file)
        guard !report.commands.isEmpty else { throw ValidationError("there are no figures in \(file)") }
        guard let output else { return print(text(of: report, as: format)) }
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        for (name, format) in [("report.txt", Format.text), ("report.md", .markdown), ("report.svg", .svg)] {
            try Data(text(of: report, as: format).utf8).write(to: URL(filePath: output).appending(path: name))
        }
    }

    private func text(of report: BenchReport, as format: Format) -> String {
        switch format {
        case .text: report.ordered.map { TextReport($0).text }.joined(separator: "\n")
        case .markdown: MarkdownReport(report).text
        case .svg: RatioPlot(report).svg
        }
    }
}
