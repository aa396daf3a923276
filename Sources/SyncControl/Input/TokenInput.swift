import Foundation

/// The tokens of a user as they come in: from a person who is asked, or from a program on standard input. Never from an
/// argument, which every user of the machine can see.
struct TokenInput: Equatable {
    var googleToken: String
    var notionToken: String
    /// Only in the JSON form.
    var databaseID: String?

    /// The longest text that is read from standard input, in bytes.
    private static let limit = 1 << 20

    private enum CodingKeys: String, CodingKey {
        case googleToken = "google_oauth_token"
        case notionToken = "notion_api_token"
        case databaseID = "notion_database_id"
    }

    /// Asks for the tokens on a terminal, else reads standard input to its end.
    ///
    /// - Throws: `SyncControlError`: `unusableInput`, `interrupted`.
    static func read() throws -> TokenInput {
        if let terminal = Terminal() {
            return try TokenInput(
                googleToken: terminal.secret("Google master token (not shown): "),
                notionToken: terminal.secret("Notion API token (not shown): ")
            ).validated()
        }
        let data: Data
        do {
            data = try FileHandle.standardInput.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw SyncControlError(.unusableInput, "Standard input can't be read.", cause: error)
        }
        guard data.count <= limit, let text = String(data: data, encoding: .utf8) else {
            throw SyncControlError(.unusableInput, "Standard input is no text, or longer than 1 MiB. \(expected)")
        }
        return try TokenInput(parsing: text)
    }

    /// Reads either form: two lines, or a JSON object.
    ///
    /// - Throws: `SyncControlError` with code `unusableInput`; it quotes nothing of the text.
    init(parsing text: String) throws {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        if trimmed.hasPrefix("{") {
            do {
                self = try JSONDecoder().decode(TokenInput.self, from: Data(trimmed.utf8)).validated()
            } catch is DecodingError {
                // The error would quote the text.
                throw SyncControlError(
                    .unusableInput,
                    "Standard input is no JSON object with the tokens. \(Self.expected)"
                )
            }
        } else {
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            guard lines.dropFirst(2).allSatisfy({ $0.allSatisfy(\.isWhitespace) }) else {
                throw SyncControlError(.unusableInput, "Standard input has more than two lines. \(Self.expected)")
            }
            self = try TokenInput(
                googleToken: lines.first.map(String.init) ?? "",
                notionToken: lines.dropFirst().first.map(String.init) ?? ""
            ).validated()
        }
    }

    init(googleToken: String, notionToken: String, databaseID: String? = nil) {
        self.googleToken = googleToken
        self.notionToken = notionToken
        self.databaseID = databaseID
    }

    /// Itself without blanks around the tokens, none of which may be empty.
    private func validated() throws -> TokenInput {
        var input = self
        input.googleToken = googleToken.trimmingCharacters(in: .whitespacesAndNewlines)
        input.notionToken = notionToken.trimmingCharacters(in: .whitespacesAndNewlines)
        for (token, name) in [(input.googleToken, "Google"), (input.notionToken, "Notion")] where token.isEmpty {
            throw SyncControlError(.unusableInput, "The \(name) token is empty; nothing was stored. \(Self.expected)")
        }
        return input
    }

    private static let expected =
        "Expected: line 1 the Google master token, line 2 the Notion API token; or a JSON object with google_oauth_token, "
        + "notion_api_token and, if wanted, notion_database_id."
}

extension TokenInput: Decodable {}
