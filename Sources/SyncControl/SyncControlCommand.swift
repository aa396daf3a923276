import ArgumentParser
import Settings
import Support

/// The program `syncctl`.
@main
struct SyncControlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "syncctl",
        abstract: "The operator's tool of the sync service: tables, credentials, jobs.",
        discussion: """
            Examples:
              export DATABASE_URL=postgresql://sync@db/keep_notion_sync
              export AWS_ENCRYPTION_KEY="$(syncctl keygen)"    # echo it, and keep it
              syncctl migrate
              syncctl credentials set anna@example.org --database-id ID
              syncctl enqueue anna@example.org --full --wait
              syncctl jobs --status failed
              syncctl doctor                      # what is wrong at all
              syncctl why 6f1c2f9e                # why a job does not run
              syncctl user anna@example.org       # how a user's sync stands
              syncctl enqueue -- -anna    # a name that begins with a dash

            Output is made for people; where a command has --json, that gives programs the same on stdout. Errors go to stderr. \
            Times are in UTC. Every command takes --color auto, always or never: auto, the default, is colour where the output is a \
            terminal and NO_COLOR is not set. The words that a shell completes come from: syncctl --generate-completion-script bash

            Exit codes:
            \(ExitStatus.table)

            Environment variables:

            \(SettingsTable.text(groups: [.database, .credentials, .logs]))
            """,
        version: ServiceVersion.current,
        subcommands: [
            MigrateCommand.self, KeygenCommand.self, CredentialsCommand.self, EnqueueCommand.self, JobsCommand.self,
            WatchCommand.self, WhyCommand.self, UserCommand.self, DoctorCommand.self, CancelCommand.self,
            RetryCommand.self, ClearStateCommand.self, WorkersCommand.self, TopCommand.self,
            PauseCommand.self, ResumeCommand.self, PausesCommand.self, NotesCommand.self, FailedCommand.self,
            UnknownCommand.self,
            GatesCommand.self, AlertsCommand.self,
        ]
    )

    /// Before any setting is read.
    static func main() async {
        OpenFiles.endUnlessEnough(for: "syncctl")
        Threads.endUnlessEnough(for: "syncctl")
        if let fault = ProcessSecrecy.protect() {
            StandardStream.error.note("This process can be read by its neighbours: \(fault)")
        }
        let (words, colour, colourFault) = ColourChoice.taken(from: CommandLine.arguments.dropFirst())
        if let colour { ColourChoice.current = colour }
        if let fault = colourFault ?? CommandName.fault(in: words) ?? DashedWord.fault(in: words) {
            StandardStream.error.fault("Error: \(fault) See: syncctl --help")
            exit(withError: ExitStatus.usage.code)
        }
        await main(words)
    }
}
