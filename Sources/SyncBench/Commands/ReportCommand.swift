import ArgumentParser

/// Draws the table and plots of a file of figures.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draws the table and the plots of a file that --json wrote."
    )

    @Argument(help: "The file.") var file: String

    func run() async throws {
        for report in try BenchReport.read(file).ordered { print(TextReport(report).text) }
    }
}
