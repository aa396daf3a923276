/// A rule for the simulator, but for what is known only when it is put in force.
struct PeerFault: Sendable, Equatable {
    /// `extractor`, `writer`.
    var peer: String
    /// `auth`, `notes`, `create`, `update`.
    var operation: String
    var probability: Double
    /// The members of the simulator's `fault` object.
    var fault: String
    /// Whether the peer repeats tokens and texts of the note in question in its message. The rule is then for that note
    /// and user alone: nobody can know which words of a message are another note's.
    var echo: Echo?

    struct Echo: Sendable, Equatable {
        var user: Int
        /// nil: the tokens alone are repeated, whatever the note.
        var note: Int?
    }
}

extension PeerFault {
    /// Rules of every kind that the simulator knows.
    static func draw(_ random: inout SplitMix64) -> [PeerFault] {
        (0..<random.number(1...3)).map { _ in rule(&random) }
    }

    private static func rule(_ random: inout SplitMix64) -> PeerFault {
        if random.chance(0.15) { return misleading(&random) }
        let operation = random.pick(["auth", "notes", "create", "create", "create", "update", "update"])
        let isMessage = random.chance(0.55)
        let note = random.number(0...1000)
        let echo = Echo(user: random.number(0...1000), note: random.chance(0.5) ? note : nil)
        return PeerFault(
            peer: ["auth", "notes"].contains(operation) ? "extractor" : "writer",
            operation: operation,
            probability: random.pick([0.1, 0.3, 0.6, 1]),
            fault: isMessage ? message(&random) : plain(operation, &random),
            echo: isMessage && random.chance(0.85) ? echo : nil
        )
    }

    private static func plain(_ operation: String, _ random: inout SplitMix64) -> String {
        let milliseconds = random.number(50...600)
        let wait = random.number(0...1)
        let code = random.pick([400, 404, 408, 409, 413, 418, 422, 500, 502, 503, 504, 529])
        let hang = random.pick([0.5, 1.5, 2.5, 3])
        let moment = random.pick(["before", "after"])
        let body = random.pick(["", "null", "[]", #"{\"page_id\":\"\"}"#, #"{\"notes\":null}"#, #"\u0000"#])
        var kinds = [
            #""kind":"latency","ms":\#(milliseconds),"jitter":100"#, #""kind":"status","code":\#(code)"#,
            #""kind":"hang","seconds":\#(hang),"when":"\#(moment)""#,
            #""kind":"hang","seconds":\#(hang),"when":"\#(moment)""#,
        ]
        kinds += [
            "reset_before", "reset_after", "close_before", "close_after", "malformed_json", "truncated_json",
            "truncated_body", "wrong_types", "missing_fields",
        ].map { #""kind":"\#($0)""# }
        kinds.append(#""kind":"body","code":200,"text":"\#(body)""#)
        if ["auth", "notes"].contains(operation) {
            kinds += [#""kind":"auth_failed""#, #""kind":"unauthorized_401""#]
        } else {
            kinds += [
                #""kind":"status","code":502,"when":"after""#,
                #""kind":"body","code":200,"text":"<html>","when":"after""#,
                #""kind":"message","message":"Request to Notion API failed with status: 503","when":"after""#,
                #""kind":"quote","message":"{title} is not what was asked for: {content}""#,
                #""kind":"quote","message":"API token {beginning} and {label}""#,
            ]
            // An extractor that limits the rate puts a job off for a minute, which is too long to wait for here.
            kinds += [
                #""kind":"rate_limited","retry_after":\#(wait)"#,
                #""kind":"rate_limited","status":500,"retry_after":\#(wait)"#,
            ]
        }
        return random.pick(kinds)
    }

    /// An answer with one of Notion's sentences, or a word of one, where it proves nothing. Mostly to updates, of which
    /// it would take the page away.
    private static func misleading(_ random: inout SplitMix64) -> PeerFault {
        let messages = [
            "request 7c4290ab: the option archived is unknown", "instead was 2429: could not find page with id",
            "no such option: body failed validation, api token is invalid.",
        ]
        return PeerFault(
            peer: "writer",
            operation: random.pick(["create", "update", "update", "update"]),
            probability: random.pick([0.3, 0.6, 1]),
            fault: #""kind":"message","message":"\#(random.pick(messages))""#
        )
    }

    /// What Notion or Google may say. `ECHO` stands for what the peer repeats.
    private static func message(_ random: inout SplitMix64) -> String {
        let messages = [
            "internal server error", "Conflict occurred while saving", "body failed validation",
            "Could not find page with ID", "Could not find block with ID", "Can't edit block that is archived",
            "Can't update a page that is archived", "Request to Notion API has timed out", "502 Bad Gateway",
            "API token is invalid.", "Could not find database with ID", "You have been rate limited",
        ]
        return #""kind":"message","message":"\#(random.pick(messages)): ECHO""#
    }
}
