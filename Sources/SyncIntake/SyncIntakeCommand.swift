import ArgumentParser
import Settings
import StatusAPI
import Support
import Telemetry

/// The program `sync-intake`.
@main
struct SyncIntakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync-intake",
        abstract: "Takes the HTTP calls of the gateway and the admin interface that start and abort a sync.",
        discussion: """
            Answers everything sync-sidecar answers, and two POST routes: /internal/sync/execute puts a job into the queue, \
            /internal/sync/abort/{job_id} cancels one. Both are plain SQL on sync_jobs; workers run the jobs. Whoever only \
            inserts rows into sync_jobs does not need this program. Several may run behind one address.

            Its database role needs little more than SELECT (deploy/roles.sql makes one). SIGTERM finishes the requests \
            in flight and exits 0.

            Example:
              DATABASE_URL=postgresql://sync_intake@db/keep_notion_sync sync-intake &
              curl -H 'Content-Type: application/json' \\
                -d '{"user_id": "anna@example.org", "full_sync": false}' \\
                http://127.0.0.1:8005/internal/sync/execute

            Everything is set by environment variables:

            \(SettingsTable.text(groups: [.http, .intake, .database, .peers, .logs]))
            """,
        version: ServiceVersion.current
    )

    static func main() async {
        OpenFiles.endUnlessEnough(for: "sync-intake", least: HTTPProgram.leastOpenFiles)
        Threads.endUnlessEnough(for: "sync-intake")
        await main(nil)
    }

    func run() async throws {
        if let fault = ProcessSecrecy.protect() {
            LogOutput.standardError.write(message: "sync-intake: this process can be read by its neighbours: \(fault)")
        }
        var address: HTTPServerSettings?
        do {
            let settings = try ServiceSettings.load()
            address = settings.http
            let callers = CallerPolicy(token: settings.intake.token)
            let addition = RouteAddition(
                routes: IntakeRoutes.all,
                openAPI: PackageResources.openapi_json,
                add: { router, source, pool, logger in
                    let queue = IntakeQueue(reader: source.reader, starts: pool)
                    let refusals = RefusalLog(logger: logger)
                    IntakeRoutes(queue: queue, callers: callers, refusals: refusals, logger: logger).add(to: router)
                }
            )
            try await HTTPProgram(name: "sync-intake", settings: settings, addition: addition).run()
        } catch {
            let failure = StartFailure(error, address: address)
            LogOutput.standardError.write(message: "sync-intake: \(failure.message)")
            throw ExitCode(failure.exitCode)
        }
    }
}
