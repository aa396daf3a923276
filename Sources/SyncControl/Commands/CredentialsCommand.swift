import ArgumentParser

/// `syncctl credentials`.
struct CredentialsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credentials",
        abstract: "Store, list and delete the credentials of users.",
        discussion: """
            Examples:
              syncctl credentials set anna@example.org --database-id 0123abcd
              syncctl credentials list
            """,
        subcommands: [CredentialsSetCommand.self, CredentialsListCommand.self, CredentialsDeleteCommand.self]
    )
}
