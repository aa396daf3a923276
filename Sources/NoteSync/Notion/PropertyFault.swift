/// What Notion says of a property that the database of a user lacks, or has of another type: `Tags is expected to be
/// multi_select.`
///
/// Source: Notion's answers with code `validation_error`; its documentation, "Property values", for the types.
struct PropertyFault {
    /// The property's name, which may hold anything; empty where it was taken out of the message.
    let name: Substring
    /// What is wrong with it, in this program's copy of Notion's words.
    let demand: String

    private static let demands =
        ["is not a property that exists"]
        + [
            "title", "rich_text", "number", "select", "multi_select", "status", "date", "people", "files", "checkbox",
            "url", "email", "phone_number", "formula", "relation", "rollup", "created_time", "created_by",
            "last_edited_time", "last_edited_by", "unique_id", "verification", "button", "place",
        ].map { "is expected to be \($0)" }

    /// A name of a property, in characters.
    private static let longestName = 400

    /// How a message begins of a call that may have been carried out, whatever follows.
    private static let otherBeginnings = ["Request to Notion API", "Server disconnected"]

    /// Whether it may be a name, and not a sentence, or its beginning, of another fault.
    private static func mayBeName(_ text: Substring) -> Bool {
        !text.contains(". ") && !text.contains(": ") && !otherBeginnings.contains { PeerMessage.match($0, text) != nil }
    }

    /// The fault that a message begins with; nil: it begins with none.
    init?(beginning text: Substring) {
        let sentence = text.prefix { $0 != "\n" }
        for start in sentence.indices.prefix(Self.longestName) {
            // Where no word begins none of them can.
            guard sentence[start] == "i" || sentence[start] == "I",
                let demand = Self.demands.first(where: { PeerMessage.matchWhole($0, text[start...]) != nil })
            else { continue }
            guard Self.mayBeName(sentence[..<start]) else { return nil }
            name = sentence[..<start]
            self.demand = demand
            return
        }
        return nil
    }

    /// Names that writers give to the properties they fill: not the user's words.
    private static let writersNames: Set<Substring> = [
        "Name", "Title", "Tags", "Labels", "Created", "Created at", "Created At", "Created time", "Date", "Images",
        "Content", "Source",
    ]

    /// As it may be logged and stored: a name that is not known to be the writer's may be a label.
    var kept: String {
        let end = name.lastIndex { !$0.isWhitespace }
        let word = end.map { name[...$0] } ?? ""
        return "\(Self.writersNames.contains(word) ? String(word) : "…") \(demand)"
    }
}
