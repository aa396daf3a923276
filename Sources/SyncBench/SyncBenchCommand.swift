import ArgumentParser
import Settings

/// The program `sync-bench`.
@main
struct SyncBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync-bench",
        abstract: "Measures the service beside the limits of the machine it runs on.",
        discussion: """
            Every figure stands beside its physical limit, measured in the same run, in turns, and is the median of several \
            rounds. A private PostgreSQL server is started for it, which flushes every commit to the disk, and removed \
            again. Build with -c release.

            Example:
              sync-bench drain --jobs 20000 --workers 1,2,4 --json bench.json
              sync-bench report bench.json
            """,
        version: ServiceVersion.current,
        subcommands: [
            DrainCommand.self, PickupCommand.self, EnqueueCommand.self, ReportCommand.self, NotesCommand.self,
            FreshCommand.self, MemoryCommand.self, LatencyCommand.self, GrowthCommand.self, AllCommand.self,
            SoakCommand.self, PruneCommand.self, PaceCommand.self, NoopWorkerCommand.self, InstantPeerCommand.self,
            BareCallsCommand.self,
        ]
    )
}
