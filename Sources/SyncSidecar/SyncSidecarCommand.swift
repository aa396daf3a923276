import ArgumentParser
import Settings
import StatusAPI
import Support
import Telemetry

/// The program `sync-sidecar`.
@main
struct SyncSidecarCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync-sidecar",
        abstract: "Shows over HTTP how the sync service is: status of jobs, health, metrics and a page for people.",
        discussion: """
            Reads only: its database role needs SELECT and nothing else (deploy/roles.sql makes one). SIGTERM finishes \
            the requests in flight and exits 0.

            Example:
              export DATABASE_URL=postgresql://sync_sidecar@db/keep_notion_sync
              SYNC_SERVICE_PORT=8005 sync-sidecar &
              curl http://127.0.0.1:8005/health

            Everything is set by environment variables:

            \(SettingsTable.text(groups: [.http, .database, .peers, .logs]))
            """,
        version: ServiceVersion.current
    )

    static func main() async {
        OpenFiles.endUnlessEnough(for: "sync-sidecar", least: HTTPProgram.leastOpenFiles)
        Threads.endUnlessEnough(for: "sync-sidecar")
        await main(nil)
    }

    func run() async throws {
        if let fault = ProcessSecrecy.protect() {
            LogOutput.standardError.write(message: "sync-sidecar: this process can be read by its neighbours: \(fault)")
        }
        var address: HTTPServerSettings?
        do {
            let settings = try ServiceSettings.load()
            address = settings.http
            try await HTTPProgram(name: "sync-sidecar", settings: settings).run()
        } catch {
            let failure = StartFailure(error, address: address)
            LogOutput.standardError.write(message: "sync-sidecar: \(failure.message)")
            throw ExitCode(failure.exitCode)
        }
    }
}
