import ArgumentParser

/// All measurements, one after another.
struct AllCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Runs every measurement with its defaults.",
        usage: "sync-bench all [<options>]"
    )

    @Flag(help: "Small and few: to see whether it works, not to quote.") var quick = false
    @OptionGroup var options: BenchOptions

    /// The commands, each with what makes it small.
    private static let measurements: [(command: any ParsableCommand.Type, quick: [String])] = [
        (DrainCommand.self, ["--jobs", "3000", "--workers", "1,2", "--batches", "256"]),
        (PickupCommand.self, ["--seconds", "2"]),
        (EnqueueCommand.self, ["--milliseconds", "300"]),
        (NotesCommand.self, ["--notes", "2000", "--concurrency", "16"]),
        (FreshCommand.self, ["--users", "300"]),
        (MemoryCommand.self, ["--notes", "5000", "--idle-seconds", "5"]),
        (LatencyCommand.self, ["--seconds", "1"]),
        (
            GrowthCommand.self,
            ["--finished", "20000", "--states", "20000", "--jobs", "500", "--later", "20000", "--held", "5000"]
        ),
    ]

    func run() async throws {
        var common = ["--rounds", String(quick ? 1 : options.rounds)]
        if let json = options.json { common += ["--json", json] }
        if let url = options.databaseURL { common += ["--database-url", url] }
        common += options.set.flatMap { ["--set", $0] }
        for (type, small) in Self.measurements {
            guard var command = try type.parseAsRoot(common + (quick ? small : [])) as? any AsyncParsableCommand
            else { continue }
            try await command.run()
        }
    }
}
