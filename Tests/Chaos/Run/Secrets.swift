import ChaosChecker

/// The secrets of a run, each recognisable wherever it turns up.
struct Secrets: Sendable {
    let seed: UInt64
    let key: String
    let password: String

    func googleToken(of user: String) -> String { "aas_et/GOOGLE-\(seed)-\(user)-kept-secret" }
    func notionToken(of user: String) -> String { "ntn_NOTION\(seed)\(user)keptsecret" }

    func title(of note: Int, version: Int, isRefused: Bool) -> String {
        "TITLE-\(seed)-\(note)-\(version)" + (isRefused ? " \(Self.refused)" : "") + " private"
    }

    func text(of note: Int, version: Int) -> String {
        "TEXT-\(seed)-\(note)-\(version) private first line\nTEXT-\(seed)-\(note)-\(version) private second line"
    }

    /// How a note's text begins, up to its version, wherever it stands in a request.
    static func beginning(in request: String) -> String? {
        // The blank tells version 1 from version 10.
        request.firstMatch(of: #/TEXT-\d+-\d+-\d+ /#).map { String($0.output) }
    }

    /// Stands in the title of a note that the writer refuses for good.
    static let refused = "REFUSED-for-good"

    /// What is looked for: parts that all of a kind have in common.
    var all: [History.Secret] {
        [
            History.Secret(name: "the key of the credentials", value: key),
            History.Secret(name: "the database's password", value: password),
            History.Secret(name: "a Google token", value: "GOOGLE-\(seed)-"),
            History.Secret(name: "a Notion token", value: "NOTION\(seed)"),
            History.Secret(name: "the title of a note", value: "TITLE-\(seed)-"),
            History.Secret(name: "the text of a note", value: "TEXT-\(seed)-"),
        ]
    }
}
