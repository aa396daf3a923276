/// A bound on the notes of a fetch, read as the replaced service read it: an integer as Python writes it, where 0
/// bounds nothing; anything else is passed over.
struct NoteLimit: Sendable {
    /// What was set.
    let text: String
    /// Whether it is a whole number, 0 or more.
    let isNumber: Bool
    /// Notes to fetch at most; nil for all.
    let count: Int?

    init(text: String) {
        self.text = text
        let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
        // Python takes an underscore between two digits.
        let parts = digits.split(separator: "_", omittingEmptySubsequences: false)
        let isWellFormed = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        let number = isWellFormed ? Int(parts.joined()) : nil
        isNumber = number != nil
        count = number == 0 ? nil : number
    }
}

extension SettingType where Value == NoteLimit {
    static var noteLimit: Self {
        Self(
            name: "number",
            allowed: "a whole number, 0 or more",
            parse: { NoteLimit(text: $0) },
            format: { $0.text }
        )
    }
}
