import ArgumentParser

/// `syncctl credentials`.
struct CredentialsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credentials",
        abstract: "Store, list, check, bind, re-encrypt and delete the credentials of users.",
        discussion: """
            Examples:
              syncctl credentials set anna@example.org --database-id ID
              syncctl credentials list
              syncctl credentials check
            """,
        subcommands: [
            CredentialsSetCommand.self, CredentialsListCommand.self, CredentialsDeleteCommand.self,
            CredentialsCheckCommand.self, CredentialsBindCommand.self, CredentialsReencryptCommand.self,
            CredentialsForgetKeysCommand.self,
        ]
    )
}
