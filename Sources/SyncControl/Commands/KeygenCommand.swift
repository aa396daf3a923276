import ArgumentParser
import Fernet

/// `syncctl keygen`.
struct KeygenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Print a fresh key for AWS_ENCRYPTION_KEY.",
        discussion: """
            To replace a key without losing what is stored, put the new one before the old one, separated by a comma: the first \
            encrypts, all are tried to decrypt.

            Example:
              export AWS_ENCRYPTION_KEY="$(syncctl keygen)"
              echo "$AWS_ENCRYPTION_KEY"    # keep it: nothing else opens the tokens
            """
    )

    @OptionGroup var json: JSONOption

    func run() async throws {
        try await Failure.reported {
            let key = try FernetKey.generate().base64
            if json.isWanted { return try (["key": .string(key)] as JSONValue).print() }
            try StandardStream.output.line(key)
        }
    }
}
