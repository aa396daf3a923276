import ArgumentParser
import Settings
import Support
import Telemetry

/// The program `sync-worker`.
@main
struct SyncWorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync-worker",
        abstract: "Brings people's Google Keep notes into Notion: runs the jobs of the table sync_jobs.",
        discussion: """
            Run as many as wanted on one database; each job runs once. SIGTERM hands running jobs back and exits 0; a second \
            one exits at once.

            Example:
              export DATABASE_URL=postgresql://sync@db/keep_notion_sync
              AWS_ENCRYPTION_KEY=… sync-worker

            Everything is set by environment variables:

            \(SettingsTable.text(groups: [.database, .credentials, .peers, .worker, .sync, .alerts, .logs]))
            """,
        version: ServiceVersion.current
    )

    static func main() async {
        OpenFiles.endUnlessEnough(for: "sync-worker", least: OpenFilesAtStart.least, by: "a worker")
        Threads.endUnlessEnough(for: "sync-worker")
        await main(nil)
    }

    func run() async throws {
        if let fault = ProcessSecrecy.protect() {
            LogOutput.standardError.write(message: "sync-worker: this process can be read by its neighbours: \(fault)")
        }
        do {
            let settings = try ServiceSettings.load()
            try await WorkerProgram(settings: settings).run()
        } catch {
            let failure = StartFailure(error)
            LogOutput.standardError.write(message: "sync-worker: \(failure.message)")
            throw ExitCode(failure.exitCode)
        }
    }
}
