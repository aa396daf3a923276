extension String {
    /// The text, or its beginning and an ellipsis, at most `limit` characters long.
    func bounded(_ limit: Int) -> String {
        count <= limit ? self : String(prefix(max(limit - 1, 0))) + "…"
    }

    /// The text, or its beginning and an ellipsis, at most `limit` bytes long in UTF-8, no character cut.
    func bounded(bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var result = ""
        var length = "…".utf8.count
        for character in self {
            length += character.utf8.count
            guard length <= limit else { break }
            result.append(character)
        }
        return result + "…"
    }
}
