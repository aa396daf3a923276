import Foundation

/// What the peers answer for users who are not honest, as rules of the simulator.
enum HostilePeers {
    /// A new row of rules for each user.
    static func rules(_ random: inout SplitMix64) -> [String] {
        HostileUsers.withCredentials.flatMap { user in
            [
                rule(
                    "\"peer\":\"extractor\",\"operation\":\"auth\"",
                    "\"username\":\"\(user)\"",
                    fault(&random),
                    random.pick([0, 0, 0.5])
                ),
                rule("\"peer\":\"extractor\",\"operation\":\"notes\"", "\"username\":\"\(user)\"", fault(&random), 1),
                rule("\"peer\":\"writer\"", "\"database_id\":\"\(databaseID(of: user))\"", fault(&random), 0.7),
            ]
        }
    }

    static func databaseID(of user: String) -> String { "db-\(user)" }

    private static func rule(_ call: String, _ match: String, _ fault: String, _ probability: Double) -> String {
        "{\(call),\"match\":{\(match)},\"probability\":\(probability),\"fault\":\(fault)}"
    }

    private static let waits = [
        "0", "-1", "86400", "86401", "1e9", "99999999999999999999", "soon", "", "Wed, 21 Oct 2099 07:28:00 GMT",
        "Wed, 21 Oct 1999 07:28:00 GMT", "0.5", "١",
    ]

    private static func fault(_ random: inout SplitMix64) -> String {
        switch random.number(0...11) {
        case 0: #"{"kind":"endless_list"}"#
        case 1: #"{"kind":"long_list","elements":\#(random.number(1...3_000_000))}"#
        case 2, 3:
            """
            {"kind":"status","code":\(random.pick([429, 503, 529, 500, 200])),"detail":"You have been rate limited",
             "headers":{"Retry-After":"\(random.pick(waits))"}}
            """
        case 4: #"{"kind":"body","text":"\#(String(repeating: "[", count: random.number(1...100_000)))"}"#
        case 5: #"{"kind":"body","text":"\#(String(repeating: "x", count: random.number(1...1_000_000)))"}"#
        case 6:
            """
            {"kind":"status","code":\(random.pick([400, 401, 403, 404, 418, 500])),
             "detail":"\(String(repeating: "\u{202E}", count: random.number(1...100_000)))"}
            """
        case 7: #"{"kind":"hang","seconds":\#(random.number(1...3))}"#
        case 8: #"{"kind":"reset_before"}"#
        case 9: #"{"kind":"truncated_body"}"#
        case 10: #"{"kind":"wrong_types"}"#
        default: #"{"kind":"auth_failed","error":"\#(String(repeating: "e", count: random.number(1...200_000)))"}"#
        }
    }
}
